//! From text to token ids and back.
//!
//! [`Tokenizer::open`] reads what a model's folder has: `tokenizer.json`, or the vocabulary files of older
//! checkpoints. The splitting itself is the `tokenizers` crate's; here is what transformers adds to it:
//! special tokens and their defaults, cutting and padding, decoding, chat templates.
//!
//! Reference: transformers 5.23, `tokenization_utils_base.py` and `tokenization_utils_tokenizers.py`.

mod bytes;
mod characters;
mod chat;
mod classes;
mod decode;
mod encode;
mod error;
mod files;
mod merges;
mod pieces;
mod save;
mod sentencepiece;
mod settings;
mod spm;
mod train;

use sensorium_hub::Model;
use tokenizers::{PostProcessorWrapper, Tokenizer as Backend};

pub use characters::{Characters, Spelled};
pub use chat::{ChatError, ChatMessage, ChatOptions};
pub use decode::DecodeOptions;
pub use encode::{Cut, EncodeOptions, Encoding, Padding, TextInput, Truncation};
pub use error::{BoxError, TokenizerError};
pub use settings::{Settings, Side};
pub use train::{Algorithm, TrainOptions};

use chat::ChatTemplates;

/// Turns text into token ids and back.
///
/// ```no_run
/// use sensorium_hub::{Hub, HubOptions};
/// use sensorium_tokenizer::{DecodeOptions, EncodeOptions, Tokenizer};
///
/// let model = Hub::new(HubOptions::default())?.resolve("./gpt2")?;
/// let tokenizer = Tokenizer::open(&model)?;
/// let encoding = tokenizer.encode("Hello!", &EncodeOptions::default())?;
/// assert_eq!(tokenizer.decode(&encoding.ids, &DecodeOptions::default())?, "Hello!");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// Without a post-processor: cutting comes before it and takes its settings from each call.
    backend: Backend,
    processor: Option<PostProcessorWrapper>,
    settings: Settings,
    chat_templates: ChatTemplates,
}

impl Tokenizer {
    /// The tokenizer of a model: `tokenizer.json`, else `vocab.json` with `merges.txt` (GPT-2, RoBERTa),
    /// else `vocab.txt` (BERT), else a SentencePiece model (T5, Marian, M2M-100, SpeechT5, Llama); with the settings of `tokenizer_config.json` and the files beside it.
    ///
    /// # Errors
    /// [`TokenizerError::Missing`] if there is none of them, and one that names the file if it is damaged.
    pub fn open(model: &Model) -> Result<Self, TokenizerError> {
        let (backend, settings) = files::open(model)?;
        let chat_templates = ChatTemplates::read(model, &settings.config)?;
        Ok(Self::from_parts(backend, settings, chat_templates))
    }

    fn from_parts(mut backend: Backend, settings: Settings, chat_templates: ChatTemplates) -> Self {
        let processor = backend.get_post_processor().cloned();
        backend.with_post_processor(None::<PostProcessorWrapper>);
        Self {
            backend,
            processor,
            settings,
            chat_templates,
        }
    }

    /// How it behaves unless told otherwise.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An entry of `tokenizer_config.json`.
    pub fn setting(&self, name: &str) -> Option<&serde_json::Value> {
        self.settings.config.get(name)
    }

    /// The number of tokens, added ones included. Ids can be larger where a vocabulary has holes.
    pub fn vocab_size(&self) -> usize {
        self.backend.get_vocab_size(true)
    }

    /// The id of a token as the vocabulary writes it.
    pub fn id(&self, token: &str) -> Option<i64> {
        self.backend.token_to_id(token).map(i64::from)
    }

    /// The token of an id as the vocabulary writes it.
    pub fn token(&self, id: i64) -> Option<String> {
        self.backend.id_to_token(u32::try_from(id).ok()?)
    }

    /// A named special token with its id: `bos_token`, `eos_token`, `unk_token`, `sep_token`, `pad_token`,
    /// `cls_token`, `mask_token`, or one of the model's own such as `image_token`.
    pub fn special(&self, name: &str) -> Option<(&str, i64)> {
        let token = self.settings.named(name)?;
        Some((token, self.id(token)?))
    }

    /// The token that begins a text, with its id.
    pub fn bos(&self) -> Option<(&str, i64)> {
        self.special("bos_token")
    }

    /// The token that ends a text, with its id.
    pub fn eos(&self) -> Option<(&str, i64)> {
        self.special("eos_token")
    }

    /// The token that fills rows up, with its id.
    pub fn pad_token(&self) -> Option<(&str, i64)> {
        self.special("pad_token")
    }

    /// The token for what has none, with its id.
    pub fn unk(&self) -> Option<(&str, i64)> {
        self.special("unk_token")
    }

    /// The token that stands for a gap, with its id.
    pub fn mask(&self) -> Option<(&str, i64)> {
        self.special("mask_token")
    }

    /// Whether `id` is a special token: one that stands for no text.
    pub fn is_special(&self, id: i64) -> bool {
        let added = self.backend.get_added_vocabulary();
        self.token(id).is_some_and(|token| added.is_special_token(&token))
    }
}
