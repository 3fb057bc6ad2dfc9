//! The letters of models that spell (CTC): `vocab.json`.

use std::collections::HashMap;

use sensorium_blocks::ConfigProblem;
use sensorium_hub::Model;
use serde_json::Value;

use crate::error::Error;

/// Tokens and what they mean, as `Wav2Vec2CTCTokenizer` of the reference has them.
#[derive(Debug, Clone)]
pub(crate) struct Vocabulary {
    tokens: Vec<String>,
    /// The token for "nothing new".
    pub blank: usize,
    /// The token between words.
    delimiter: String,
    /// Tokens that stand for no letter.
    special: Vec<String>,
    lower_case: bool,
}

impl Vocabulary {
    pub fn open(model: &Model) -> Result<Self, Error> {
        const FILE: &str = "vocab.json";
        let fail = |problem: String| Error::in_file(model, FILE, ConfigProblem::Other(problem));
        let vocab: HashMap<String, usize> = model.json_as(FILE)?;
        let settings: Value = match model.read("tokenizer_config.json")? {
            Some(_) => model.json_as("tokenizer_config.json")?,
            None => Value::Null,
        };
        let size = vocab.values().max().map_or(0, |id| id + 1);
        if size == 0 || size > 1 << 20 {
            return Err(fail(format!("it has {size} tokens, expected 1 to {}", 1 << 20)));
        }
        let mut tokens = vec![String::new(); size];
        for (token, &id) in &vocab {
            tokens[id].clone_from(token);
        }
        let named = |name: &str, default: &str| match settings.get(name) {
            Some(Value::Object(token)) => token
                .get("content")
                .and_then(Value::as_str)
                .unwrap_or(default)
                .to_string(),
            Some(Value::String(token)) => token.clone(),
            _ => default.to_string(),
        };
        let pad = named("pad_token", "<pad>");
        let blank = *vocab
            .get(&pad)
            .ok_or_else(|| fail(format!("it has no token `{pad}`")))?;
        let others = [
            ("bos_token", "<s>"),
            ("eos_token", "</s>"),
            ("unk_token", "<unk>"),
        ];
        let special = others.map(|(name, default)| named(name, default));
        Ok(Self {
            tokens,
            blank,
            delimiter: named("word_delimiter_token", "|"),
            special: special.into_iter().chain([pad]).collect(),
            lower_case: settings.get("do_lower_case") == Some(&Value::Bool(true)),
        })
    }

    /// What the token says; none if it stands for no letter.
    pub fn letter(&self, id: usize) -> String {
        let token = self.tokens.get(id).map_or("", String::as_str);
        let letter = if token == self.delimiter { " " } else { token };
        match self.lower_case {
            true => letter.to_lowercase(),
            false => letter.to_string(),
        }
    }

    /// Whether the token stands for no letter.
    pub fn is_special(&self, id: usize) -> bool {
        self.tokens
            .get(id)
            .is_none_or(|token| self.special.contains(token))
    }
}
