//! Models that are part of the program, so that it works alone.

/// A model whose files are in the program itself.
#[derive(Debug)]
pub struct ShippedModel {
    /// Its name, e.g. `mnist-cnn`.
    pub name: &'static str,
    /// The Hugging Face name of its task, e.g. `image-classification`.
    pub task: &'static str,
    /// Its files: name and contents.
    pub files: &'static [(&'static str, &'static [u8])],
}

impl ShippedModel {
    /// The contents of `file`.
    pub fn file(&self, file: &str) -> Option<&'static [u8]> {
        self.files
            .iter()
            .find(|(name, _)| *name == file)
            .map(|(_, bytes)| *bytes)
    }
}

/// Bytes at an address where a tensor may begin, so that embedded weights are used in place.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

/// An entry of [`MODELS`]: the named files of the folder `models/NAME` of this repository.
macro_rules! shipped_model {
    ($name:literal, $task:literal, [$($file:literal),+ $(,)?]) => {
        ShippedModel {
            name: $name,
            task: $task,
            files: &[$(($file, {
                // A static, not a constant: one copy in the program, however often it is used.
                static FILE: &Aligned<[u8]> =
                    &Aligned(*include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/", $name, "/", $file)));
                &FILE.0
            })),+],
        }
    };
}

/// Every shipped model, in the order `models list` shows them.
pub static MODELS: &[ShippedModel] = &[
    shipped_model!(
        "mnist-net",
        "image-classification",
        ["config.json", "model.safetensors", "README.md"]
    ),
    shipped_model!(
        "mnist-cnn",
        "image-classification",
        ["config.json", "model.safetensors", "README.md"]
    ),
    shipped_model!(
        "shakespeare",
        "text-generation",
        [
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "README.md",
        ]
    ),
    shipped_model!(
        "multi30k-en-de",
        "translation",
        [
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "README.md",
        ]
    ),
    shipped_model!(
        "fsdd-strings",
        "automatic-speech-recognition",
        [
            "config.json",
            "model.safetensors",
            "preprocessor_config.json",
            "tokenizer_config.json",
            "vocab.json",
            "README.md",
        ]
    ),
    shipped_model!(
        "fsdd-digits",
        "audio-classification",
        [
            "config.json",
            "model.safetensors",
            "preprocessor_config.json",
            "README.md",
        ]
    ),
    shipped_model!(
        "fsdd-speakers",
        "audio-classification",
        [
            "config.json",
            "model.safetensors",
            "preprocessor_config.json",
            "README.md",
        ]
    ),
    shipped_model!(
        "en-slt",
        "text-to-speech",
        ["config.json", "model.safetensors", "vocab.json", "README.md"]
    ),
    shipped_model!(
        "en-g2p",
        "grapheme-to-phoneme",
        ["config.json", "model.safetensors", "README.md"]
    ),
];

/// The shipped model called `name`.
pub fn find(name: &str) -> Option<&'static ShippedModel> {
    MODELS.iter().find(|model| model.name == name)
}
