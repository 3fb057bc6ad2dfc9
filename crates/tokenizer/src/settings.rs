//! What `tokenizer_config.json` and the files beside it say about a tokenizer.

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::classes::Class;

/// `model_max_length` beyond this means "no limit".
const NO_LIMIT: f64 = 1e20;

/// The names of the special tokens that every tokenizer may have.
pub(super) const NAMED: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// An end of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// The beginning.
    Left,
    /// The end.
    #[default]
    Right,
}

/// How a tokenizer behaves unless told otherwise.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The tokenizer's class in transformers, without `Fast`; empty if nothing says it.
    pub class: String,
    /// The longest input of the model, in tokens; `None` if there is no limit.
    pub model_max_length: Option<usize>,
    /// Where padding goes.
    pub padding_side: Side,
    /// Where a text that is too long is cut.
    pub truncation_side: Side,
    /// Whether blanks before punctuation are removed in decoding.
    pub clean_up_tokenization_spaces: bool,
    /// Whether special tokens that occur in a text are split like any other text.
    pub split_special_tokens: bool,
    /// The inputs that the model takes, e.g. `input_ids`.
    pub model_input_names: Vec<String>,
    /// Whether cleaning up was asked for even where it harms (byte-pair encodings).
    pub(super) clean_up_anyway: bool,
    /// The named special tokens (`bos_token`, ...), in the order of their definition.
    pub(super) named: Vec<(String, AddedToken)>,
    /// Further special tokens.
    pub(super) extra: Vec<AddedToken>,
    /// Tokens beside the vocabulary with their ids, sorted by id.
    pub(super) added: Vec<(u64, AddedToken)>,
    /// `add_bos_token` and `add_eos_token`, where the configuration has them.
    pub(super) add_bos_eos: (Option<bool>, Option<bool>),
    /// The configuration itself.
    pub(super) config: Map<String, Value>,
}

/// The files that settings are read from, each empty if it is not there.
pub(super) struct Sources {
    /// `tokenizer_config.json`
    pub config: Map<String, Value>,
    /// `special_tokens_map.json`
    pub special: Map<String, Value>,
    /// `added_tokens.json`: token -> id
    pub added: Map<String, Value>,
}

impl Settings {
    /// Reads the files as transformers does; `class` gives what they leave out.
    ///
    /// # Errors
    /// A sentence that names the setting that makes no sense.
    pub(super) fn new(sources: Sources, class: &Class) -> Result<Self, String> {
        let Sources {
            mut config,
            special,
            added,
        } = sources;
        let decoder = config
            .get("added_tokens_decoder")
            .and_then(Value::as_object)
            .cloned();
        // Older checkpoints have further files, which count only where the newer entry is missing.
        let legacy = decoder.is_none();
        if legacy {
            config.extend(special);
        }
        let mut settings = Self {
            class: class.name.to_string(),
            model_max_length: max_length(&config),
            padding_side: side(&config, "padding_side")?.unwrap_or(class.padding_side),
            truncation_side: side(&config, "truncation_side")?.unwrap_or_default(),
            clean_up_tokenization_spaces: flag(&config, "clean_up_tokenization_spaces").unwrap_or(false),
            split_special_tokens: flag(&config, "split_special_tokens").unwrap_or(false),
            model_input_names: names(&config).unwrap_or_else(|| class.input_names()),
            clean_up_anyway: flag(
                &config,
                "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
            )
            .unwrap_or(false),
            named: Vec::new(),
            extra: extra(&config)?,
            added: Vec::new(),
            add_bos_eos: (flag(&config, "add_bos_token"), flag(&config, "add_eos_token")),
            config: Map::new(),
        };
        settings.named = named(&config, class)?;
        for (id, token) in decoder.iter().flatten() {
            let id = id
                .parse()
                .map_err(|_| format!("added_tokens_decoder: `{id}` is no id"))?;
            settings
                .added
                .push((id, added_token(token, "added_tokens_decoder")?));
        }
        if legacy {
            for (content, id) in &added {
                let id = id
                    .as_u64()
                    .ok_or_else(|| format!("added_tokens.json: `{content}` has no id"))?;
                let special = settings.special_tokens().any(|t| t.content == *content);
                settings
                    .added
                    .push((id, AddedToken::from(content.clone(), special)));
            }
        }
        settings.added.sort_by_key(|(id, _)| *id);
        settings.take_flags_of_added();
        settings.config = config;
        Ok(settings)
    }

    /// Every special token that the files name.
    pub(super) fn special_tokens(&self) -> impl Iterator<Item = &AddedToken> {
        self.named.iter().map(|(_, t)| t).chain(&self.extra)
    }

    /// The special token of that name (`eos_token`, `image_token`, ...).
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        let (_, token) = self.named.iter().find(|(n, _)| n == name)?;
        Some(&token.content)
    }

    /// A token that is spelled out with its flags somewhere has these flags everywhere.
    fn take_flags_of_added(&mut self) {
        for (name, token) in &mut self.named {
            if !NAMED.contains(&name.as_str()) {
                continue;
            }
            if let Some((_, full)) = self.added.iter().rev().find(|(_, t)| t.content == token.content) {
                *token = full.clone();
            }
        }
    }
}

/// The named special tokens: those of the configuration, else those that the class has.
fn named(config: &Map<String, Value>, class: &Class) -> Result<Vec<(String, AddedToken)>, String> {
    let mut named = Vec::new();
    for name in NAMED {
        match config.get(name) {
            Some(Value::Null) => {} // said to be none, whatever the class has
            Some(value) => named.push((name.to_string(), added_token(value, name)?)),
            None => {
                if let Some(content) = class.token(name) {
                    named.push((name.to_string(), AddedToken::from(content, true)));
                }
            }
        }
    }
    // Tokens of a single model, such as `image_token`, at the top or as a table.
    let table = config.get("extra_special_tokens").and_then(Value::as_object);
    let own = config.iter().filter(|(name, value)| {
        name.ends_with("_token")
            && !NAMED.contains(&name.as_str())
            && (value.is_string() || value.is_object())
    });
    for (name, value) in own.chain(table.into_iter().flatten()) {
        named.push((name.clone(), added_token(value, name)?));
    }
    Ok(named)
}

fn extra(config: &Map<String, Value>) -> Result<Vec<AddedToken>, String> {
    const NEW: &str = "extra_special_tokens";
    const OLD: &str = "additional_special_tokens";
    let (name, value) = match (config.get(NEW), config.get(OLD)) {
        (Some(new), None) => (NEW, new),
        (Some(new), Some(old)) if !is_empty(new) || is_empty(old) => (NEW, new),
        (_, Some(old)) => (OLD, old),
        (None, None) => return Ok(Vec::new()),
    };
    match value {
        Value::Null | Value::Object(_) => Ok(Vec::new()), // a table holds named tokens
        Value::Array(tokens) => tokens.iter().map(|token| added_token(token, name)).collect(),
        _ => Err(format!("{name} is not a list of tokens")),
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
}

/// A token as a string, or as a table with its flags.
fn added_token(value: &Value, of: &str) -> Result<AddedToken, String> {
    if let Some(content) = value.as_str() {
        return Ok(AddedToken::from(content, true));
    }
    let table = value.as_object().ok_or_else(|| format!("{of} is not a token"))?;
    let content = table.get("content").and_then(Value::as_str);
    let content = content.ok_or_else(|| format!("{of} is not a token: it has no content"))?;
    // In the special tokens of older files `special` goes without saying.
    let special = flag(table, "special").unwrap_or(NAMED.contains(&of));
    let on = |name| flag(table, name).unwrap_or(false);
    Ok(AddedToken::from(content, special)
        .single_word(on("single_word"))
        .lstrip(on("lstrip"))
        .rstrip(on("rstrip"))
        .normalized(flag(table, "normalized").unwrap_or(!special)))
}

fn max_length(config: &Map<String, Value>) -> Option<usize> {
    let length = config
        .get("model_max_length")
        .or_else(|| config.get("max_len"))?
        .as_f64()?;
    (1. ..NO_LIMIT).contains(&length).then_some(length as usize)
}

fn side(config: &Map<String, Value>, name: &str) -> Result<Option<Side>, String> {
    match config.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(side)) if side == "left" => Ok(Some(Side::Left)),
        Some(Value::String(side)) if side == "right" => Ok(Some(Side::Right)),
        Some(other) => Err(format!("{name} is {other}, expected \"left\" or \"right\"")),
    }
}

fn flag(table: &Map<String, Value>, name: &str) -> Option<bool> {
    table.get(name)?.as_bool()
}

fn names(config: &Map<String, Value>) -> Option<Vec<String>> {
    let names = config.get("model_input_names")?.as_array()?;
    names.iter().map(|n| n.as_str().map(String::from)).collect()
}
