//! What a tokenizer's class in transformers implies where the files are silent.
//!
//! Old checkpoints say only `"do_lower_case": true` in `tokenizer_config.json`, or have no such file:
//! the special tokens are then those of the class, which the model's type gives.

use super::Side;

/// How a class turns vocabulary files into a tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    /// Byte-level pairs, nothing around the text unless asked for.
    Gpt2,
    /// Byte-level pairs, `<s> text </s>`.
    Roberta,
    /// WordPiece, `[CLS] text [SEP]`.
    Bert,
    /// SentencePiece, `text </s>`, and `<extra_id_0>` and more.
    T5,
    /// SentencePiece, `text </s>`.
    Plain,
    /// SentencePiece with ids of its own, `text </s>`.
    Marian,
    /// SentencePiece with ids of its own, `__en__ text </s>`.
    M2m100,
    /// SentencePiece by pairs, nothing around the text unless asked for.
    Llama,
    /// Needs `tokenizer.json`.
    No,
}

/// A class of transformers.
#[derive(Debug)]
pub(super) struct Class {
    pub name: &'static str,
    /// The model types that have this class where nothing names one.
    models: &'static [&'static str],
    pub padding_side: Side,
    type_ids: bool,
    pub build: Build,
    /// Named special tokens, in the order of [`NAMED`](super::settings::NAMED); empty if there is none.
    tokens: [&'static str; 7],
}

impl Class {
    /// The class of that name, else that of the model's type, else one that implies nothing.
    pub fn find(name: Option<&str>, model_type: Option<&str>) -> &'static Self {
        let plain = name.map(|n| n.strip_suffix("Fast").unwrap_or(n));
        // `PreTrainedTokenizerFast` and `TokenizersBackend`: everything is in tokenizer.json.
        match plain {
            Some("PreTrainedTokenizer" | "TokenizersBackend") => return &NONE,
            Some(plain) => {
                if let Some(class) = CLASSES.iter().find(|c| c.name == plain) {
                    return class;
                }
                if model_type.is_none() {
                    return &NONE;
                }
            }
            None => {}
        }
        let of_model = model_type.and_then(|m| CLASSES.iter().find(|c| c.models.contains(&m)));
        of_model.unwrap_or(&NONE)
    }

    /// The default of a named special token.
    pub fn token(&self, name: &str) -> Option<&'static str> {
        let at = super::settings::NAMED.iter().position(|n| *n == name)?;
        Some(self.tokens[at]).filter(|token| !token.is_empty())
    }

    /// The default of `model_input_names`.
    pub fn input_names(&self) -> Vec<String> {
        let names: &[&str] = if self.type_ids {
            &["input_ids", "token_type_ids", "attention_mask"]
        } else {
            &["input_ids", "attention_mask"]
        };
        names.iter().map(|n| n.to_string()).collect()
    }
}

static NONE: Class = Class {
    name: "",
    models: &[],
    padding_side: Side::Right,
    type_ids: false,
    build: Build::No,
    tokens: [""; 7],
};

const BERT: [&str; 7] = ["", "", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"];
const ROBERTA: [&str; 7] = ["<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"];
const END_OF_TEXT: [&str; 7] = ["<|endoftext|>", "<|endoftext|>", "<|endoftext|>", "", "", "", ""];

const fn class(
    name: &'static str,
    models: &'static [&'static str],
    build: Build,
    tokens: [&'static str; 7],
) -> Class {
    Class {
        name,
        models,
        padding_side: Side::Right,
        type_ids: false,
        build,
        tokens,
    }
}

const fn with_type_ids(mut class: Class) -> Class {
    class.type_ids = true;
    class
}

const fn padded_left(mut class: Class) -> Class {
    class.padding_side = Side::Left;
    class
}

/// Defaults as in transformers 5.23.
static CLASSES: &[Class] = &[
    class(
        "GPT2Tokenizer",
        &[
            "gpt2",
            "gpt_neo",
            "gptj",
            "opt",
            "codegen",
            "phi",
            "starcoder2",
            "blip-2",
        ],
        Build::Gpt2,
        END_OF_TEXT,
    ),
    class(
        "RobertaTokenizer",
        &[
            "roberta",
            "bart",
            "roberta-prelayernorm",
            "longformer",
            "data2vec-text",
            "clap",
        ],
        Build::Roberta,
        ROBERTA,
    ),
    class("BartTokenizer", &[], Build::Roberta, ROBERTA),
    class("LongformerTokenizer", &[], Build::Roberta, ROBERTA),
    with_type_ids(class(
        "BertTokenizer",
        &[
            "bert",
            "blip",
            "convbert",
            "vilt",
            "layoutlm",
            "megatron-bert",
            "grounding-dino",
        ],
        Build::Bert,
        BERT,
    )),
    class("DistilBertTokenizer", &["distilbert"], Build::Bert, BERT),
    with_type_ids(class("ElectraTokenizer", &["electra"], Build::Bert, BERT)),
    with_type_ids(class("MobileBertTokenizer", &["mobilebert"], Build::Bert, BERT)),
    class(
        "MPNetTokenizer",
        &["mpnet"],
        Build::No,
        ["<s>", "</s>", "[UNK]", "</s>", "<pad>", "<s>", "<mask>"],
    ),
    class(
        "AlbertTokenizer",
        &["albert"],
        Build::No,
        ["[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"],
    ),
    with_type_ids(class(
        "DebertaV2Tokenizer",
        &["deberta-v2"],
        Build::No,
        ["[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"],
    )),
    class(
        "XLMRobertaTokenizer",
        &["xlm-roberta", "xmod", "trocr"],
        Build::No,
        ROBERTA,
    ),
    class("MBartTokenizer", &["mbart"], Build::No, ROBERTA),
    class("NllbTokenizer", &["nllb", "nllb-moe"], Build::No, ROBERTA),
    class(
        "M2M100Tokenizer",
        &["m2m_100"],
        Build::M2m100,
        ["<s>", "</s>", "<unk>", "</s>", "<pad>", "", ""],
    ),
    class(
        "MarianTokenizer",
        &["marian"],
        Build::Marian,
        ["", "</s>", "<unk>", "", "<pad>", "", ""],
    ),
    class(
        "SpeechT5Tokenizer",
        &["speecht5"],
        Build::Plain,
        ["<s>", "</s>", "<unk>", "", "<pad>", "", ""],
    ),
    class(
        "T5Tokenizer",
        &["t5", "mt5", "switch_transformers", "musicgen"],
        Build::T5,
        ["", "</s>", "<unk>", "", "<pad>", "", ""],
    ),
    padded_left(class(
        "LlamaTokenizer",
        &["llama", "code_llama", "idefics", "idefics2"],
        Build::Llama,
        ["<s>", "</s>", "<unk>", "", "", "", ""],
    )),
    padded_left(class(
        "GemmaTokenizer",
        &["gemma", "gemma2", "gemma3", "gemma3_text"],
        Build::No,
        ["<bos>", "<eos>", "<unk>", "", "<pad>", "", "<mask>"],
    )),
    class(
        "CLIPTokenizer",
        &["clip", "clipseg", "owlvit", "owlv2", "groupvit"],
        Build::No,
        [
            "<|startoftext|>",
            "<|endoftext|>",
            "<|endoftext|>",
            "",
            "<|endoftext|>",
            "",
            "",
        ],
    ),
    class(
        "GPTNeoXTokenizer",
        &["gpt_neox", "mamba", "mamba2", "olmo", "rwkv"],
        Build::No,
        [
            "<|endoftext|>",
            "<|endoftext|>",
            "<|endoftext|>",
            "",
            "<|padding|>",
            "",
            "",
        ],
    ),
    class("WhisperTokenizer", &["whisper"], Build::Gpt2, END_OF_TEXT),
    class(
        "Qwen2Tokenizer",
        &[
            "qwen2",
            "qwen2_moe",
            "qwen3",
            "qwen3_moe",
            "qwen2_vl",
            "qwen2_audio",
        ],
        Build::No,
        ["", "<|endoftext|>", "<|endoftext|>", "", "<|endoftext|>", "", ""],
    ),
];
