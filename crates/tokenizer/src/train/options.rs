//! What a new tokenizer is to be like.

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::super::TokenizerError;
use super::super::settings::NAMED;

/// How a vocabulary is learned, and how it splits text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// Byte pairs as in GPT-2: begins with the 256 bytes and joins what is most often side by side. Any
    /// text can be written in it and read back exactly.
    #[default]
    ByteLevelBpe,
    /// A unigram language model as in T5: begins with many pieces and drops those that are needed least.
    Unigram,
    /// Words and parts of words as in BERT, without accents and capitals.
    WordPiece,
    /// Every character that occurs is a token.
    Characters,
}

/// What a new tokenizer is to be like.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// How the vocabulary is learned.
    pub algorithm: Algorithm,
    /// The most tokens, special ones included. There are fewer if the texts do not yield as many.
    pub vocab_size: usize,
    /// How often a pair, or a character, must occur to become a token; [`Algorithm::Unigram`] ignores it.
    pub min_frequency: u64,
    /// Special tokens with their roles (`eos_token`, `pad_token`, ...); several roles can share one. They
    /// have the first ids.
    pub special_tokens: Vec<(String, String)>,
    /// Special tokens without a role.
    pub extra_special_tokens: Vec<String>,
    /// The longest input of the model, in tokens, if it has a limit.
    pub model_max_length: Option<usize>,
    /// Every text ends with the end-of-sequence token, as translators expect.
    pub append_eos: bool,
}

impl TrainOptions {
    /// The usual special tokens for `algorithm`, 8000 tokens, each of them seen twice or more (characters:
    /// no limit, once).
    pub fn new(algorithm: Algorithm) -> Self {
        let special: &[(&str, &str)] = match algorithm {
            Algorithm::ByteLevelBpe => &[
                ("bos_token", "<|endoftext|>"),
                ("eos_token", "<|endoftext|>"),
                ("pad_token", "<|endoftext|>"),
            ],
            Algorithm::Unigram => &[
                ("pad_token", "<pad>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("bos_token", "<s>"),
            ],
            Algorithm::WordPiece => &[
                ("pad_token", "[PAD]"),
                ("unk_token", "[UNK]"),
                ("cls_token", "[CLS]"),
                ("sep_token", "[SEP]"),
                ("mask_token", "[MASK]"),
            ],
            Algorithm::Characters => &[
                ("bos_token", "<|endoftext|>"),
                ("eos_token", "<|endoftext|>"),
                ("pad_token", "<|endoftext|>"),
                ("unk_token", "<unk>"),
            ],
        };
        let characters = algorithm == Algorithm::Characters;
        Self {
            algorithm,
            vocab_size: if characters { usize::MAX } else { 8000 },
            min_frequency: if characters { 1 } else { 2 },
            special_tokens: special
                .iter()
                .map(|(r, t)| (r.to_string(), t.to_string()))
                .collect(),
            extra_special_tokens: Vec::new(),
            model_max_length: None,
            append_eos: false,
        }
    }

    /// The special tokens, each once, in the order of their ids.
    pub(super) fn specials(&self) -> Vec<AddedToken> {
        let mut tokens: Vec<&String> = Vec::new();
        for token in self
            .special_tokens
            .iter()
            .map(|(_, t)| t)
            .chain(&self.extra_special_tokens)
        {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        tokens
            .into_iter()
            .map(|t| AddedToken::from(t.as_str(), true))
            .collect()
    }

    pub(super) fn token(&self, role: &str) -> Option<&str> {
        let (_, token) = self.special_tokens.iter().find(|(r, _)| r == role)?;
        Some(token)
    }

    pub(super) fn check(&self) -> Result<(), TokenizerError> {
        let wrong = |problem: String| Err(TokenizerError::TrainSettings(problem));
        for (role, token) in &self.special_tokens {
            if !NAMED.contains(&role.as_str()) {
                return wrong(format!("`{role}` is none of {}", NAMED.join(", ")));
            }
            if token.is_empty() {
                return wrong(format!("{role} is empty"));
            }
        }
        let needed: &[&str] = match self.algorithm {
            Algorithm::ByteLevelBpe | Algorithm::Characters => &[],
            Algorithm::Unigram => &["unk_token"],
            Algorithm::WordPiece => &["unk_token", "cls_token", "sep_token"],
        };
        let needed = needed.iter().chain(self.append_eos.then_some(&"eos_token"));
        if let Some(role) = needed.clone().find(|role| self.token(role).is_none()) {
            return wrong(format!("{:?} needs a {role}", self.algorithm));
        }
        let bytes = if self.algorithm == Algorithm::ByteLevelBpe {
            256
        } else {
            1
        };
        let least = self.specials().len() + bytes;
        if self.vocab_size < least {
            return wrong(format!(
                "vocab_size is {}, expected at least {least}",
                self.vocab_size
            ));
        }
        Ok(())
    }

    /// `tokenizer_config.json`.
    pub(super) fn config(&self) -> Map<String, Value> {
        let mut config = Map::new();
        config.insert("tokenizer_class".to_string(), "PreTrainedTokenizerFast".into());
        config.insert("clean_up_tokenization_spaces".to_string(), false.into());
        let mut inputs = vec!["input_ids", "attention_mask"];
        if self.algorithm == Algorithm::WordPiece {
            inputs.insert(1, "token_type_ids");
        }
        config.insert("model_input_names".to_string(), inputs.into());
        if let Some(length) = self.model_max_length {
            config.insert("model_max_length".to_string(), length.into());
        }
        for (role, token) in &self.special_tokens {
            config.insert(role.clone(), token.clone().into());
        }
        if !self.extra_special_tokens.is_empty() {
            config.insert(
                "extra_special_tokens".to_string(),
                self.extra_special_tokens.clone().into(),
            );
        }
        config
    }
}
