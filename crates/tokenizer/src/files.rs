//! From a model's files to the tokenizer inside: vocabulary, rules and special tokens.
//!
//! Each kind of source gives the text of a `tokenizer.json`; another kind is one more function here.

use std::collections::BTreeMap;

use sensorium_hub::Model;
use serde_json::{Map, Value, json};
use tokenizers::{AddedToken, PostProcessorWrapper, Tokenizer as Backend};

use super::TokenizerError;
use super::classes::{Build, Class};
use super::sentencepiece;
use super::settings::{Settings, Sources};

pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const CONFIG: &str = "tokenizer_config.json";
const SPECIAL: &str = "special_tokens_map.json";
const ADDED: &str = "added_tokens.json";
pub(super) const VOCAB: &str = "vocab.json";
const MERGES: &str = "merges.txt";
const WORDS: &str = "vocab.txt";

/// The tokenizer of a model with its special tokens, and the settings that come with it.
pub(super) fn open(model: &Model) -> Result<(Backend, Settings), TokenizerError> {
    let sources = Sources {
        config: table(model, CONFIG)?,
        special: table(model, SPECIAL)?,
        added: table(model, ADDED)?,
    };
    let class = class_of(model, &sources.config)?;
    let settings = Settings::new(sources, class).map_err(|problem| fault(model, CONFIG, problem))?;
    let (mut backend, file) = match model.read(TOKENIZER)? {
        Some(bytes) => (parse(model, TOKENIZER, &bytes)?, TOKENIZER),
        None => from_vocabulary(model, class, &settings)?,
    };
    add_tokens(&mut backend, &settings).map_err(|problem| fault(model, file, problem))?;
    // Cutting and padding are asked for with each text.
    let _ = backend.with_truncation(None);
    backend.with_padding(None);
    backend.set_encode_special_tokens(settings.split_special_tokens);
    if file != TOKENIZER {
        surround(&mut backend, &settings, class.build).map_err(|problem| fault(model, file, problem))?;
    }
    Ok((backend, settings))
}

/// The class that the configuration names, or the one that the model's type implies.
fn class_of(model: &Model, config: &Map<String, Value>) -> Result<&'static Class, TokenizerError> {
    let model_config = table(model, "config.json")?;
    let text = |table: &Map<String, Value>, name| table.get(name).and_then(Value::as_str).map(String::from);
    let name = text(config, "tokenizer_class").or_else(|| text(&model_config, "tokenizer_class"));
    let model_type = text(&model_config, "model_type");
    Ok(Class::find(name.as_deref(), model_type.as_deref()))
}

/// A JSON file of the model, empty if it is not there.
fn table(model: &Model, file: &str) -> Result<Map<String, Value>, TokenizerError> {
    let Some(bytes) = model.read(file)? else {
        return Ok(Map::new());
    };
    serde_json::from_slice(&bytes).map_err(|e| fault(model, file, e))
}

fn parse(model: &Model, file: &str, json: &[u8]) -> Result<Backend, TokenizerError> {
    Backend::from_bytes(json).map_err(|e| fault(model, file, e))
}

pub(super) fn fault(model: &Model, file: &str, problem: impl ToString) -> TokenizerError {
    TokenizerError::File {
        model: model.to_string(),
        file: file.to_string(),
        problem: problem.to_string(),
    }
}

/// Builds the tokenizer from `vocab.json` and `merges.txt`, or from `vocab.txt`.
fn from_vocabulary(
    model: &Model,
    class: &Class,
    settings: &Settings,
) -> Result<(Backend, &'static str), TokenizerError> {
    if let (Some(vocab), Some(merges)) = (model.read(VOCAB)?, model.read(MERGES)?) {
        if !matches!(class.build, Build::Gpt2 | Build::Roberta) {
            return Err(TokenizerError::Class {
                model: model.to_string(),
                files: "vocab.json and merges.txt",
                class: class.name.to_string(),
            });
        }
        let vocab: BTreeMap<String, u32> =
            serde_json::from_slice(&vocab).map_err(|e| fault(model, VOCAB, e))?;
        let json = byte_level_json(&vocab, &String::from_utf8_lossy(&merges), settings);
        return Ok((parse(model, MERGES, json.to_string().as_bytes())?, MERGES));
    }
    if let Some(words) = model.read(WORDS)? {
        if !matches!(class.build, Build::Bert) && !class.name.is_empty() {
            return Err(TokenizerError::Class {
                model: model.to_string(),
                files: WORDS,
                class: class.name.to_string(),
            });
        }
        let words = std::str::from_utf8(&words).map_err(|e| fault(model, WORDS, e))?;
        let json = word_piece_json(words, settings);
        return Ok((parse(model, WORDS, json.to_string().as_bytes())?, WORDS));
    }
    if let Some(converted) = sentencepiece::convert(model, class.build, settings)? {
        let json = converted.tokenizer.to_string();
        return Ok((parse(model, converted.file, json.as_bytes())?, converted.file));
    }
    let mut found = model.files()?;
    found.retain(|f| [".spm", ".model"].iter().any(|ext| f.ends_with(ext)) || f == VOCAB);
    Err(TokenizerError::Missing {
        model: model.to_string(),
        looked: "tokenizer.json, vocab.json with merges.txt, vocab.txt, a SentencePiece model of a known class",
        found,
    })
}

fn byte_level_json(vocab: &BTreeMap<String, u32>, merges: &str, settings: &Settings) -> Value {
    let merges: Vec<[&str; 2]> = merges
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut parts = line.split_whitespace();
            match (parts.next(), parts.next(), parts.next()) {
                (Some(left), Some(right), None) => Some([left, right]),
                _ => None,
            }
        })
        .collect();
    let add_prefix_space = flag(settings, "add_prefix_space").unwrap_or(false);
    json!({
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": true,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges},
    })
}

fn word_piece_json(words: &str, settings: &Settings) -> Value {
    // Like Python's lines: only `\n` ends one, and the last line counts if it is not empty.
    let vocab: BTreeMap<&str, usize> = words
        .strip_suffix('\n')
        .unwrap_or(words)
        .split('\n')
        .map(|word| word.strip_suffix('\r').unwrap_or(word))
        .enumerate()
        .map(|(id, word)| (word, id))
        .collect();
    json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": flag(settings, "tokenize_chinese_chars").unwrap_or(true),
            "strip_accents": flag(settings, "strip_accents"),
            "lowercase": flag(settings, "do_lower_case").unwrap_or(true),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece",
            "vocab": vocab,
            "unk_token": settings.named("unk_token").unwrap_or("[UNK]"),
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        },
    })
}

pub(super) fn flag(settings: &Settings, name: &str) -> Option<bool> {
    settings.config.get(name)?.as_bool()
}

/// Adds the tokens of the settings that the tokenizer does not have yet.
fn add_tokens(backend: &mut Backend, settings: &Settings) -> Result<(), String> {
    let own = backend.get_added_tokens_decoder();
    let mut known: Vec<String> = own.values().map(|t| t.content.clone()).collect();
    let mut tokens: Vec<AddedToken> = Vec::new();
    for (_, token) in &settings.added {
        if !own.values().any(|t| t == token) {
            known.push(token.content.clone());
            tokens.push(token.clone());
        }
    }
    for token in settings.special_tokens() {
        if !known.contains(&token.content) {
            known.push(token.content.clone());
            tokens.push(token.clone());
        }
    }
    for token in &mut tokens {
        token.special |= settings.named.iter().any(|(_, t)| t.content == token.content);
    }
    backend.add_tokens(tokens).map_err(|e| e.to_string())?;
    Ok(())
}

/// Puts what a class adds around a text; a `tokenizer.json` says so itself.
fn surround(backend: &mut Backend, settings: &Settings, build: Build) -> Result<(), String> {
    let id = |name: &str| -> Result<(String, u32), String> {
        let token = settings
            .named(name)
            .ok_or_else(|| format!("there is no {name}"))?;
        let id = backend
            .token_to_id(token)
            .ok_or_else(|| format!("{name} `{token}` has no id"))?;
        Ok((token.to_string(), id))
    };
    let json = match build {
        Build::Roberta => json!({
            "type": "RobertaProcessing",
            "sep": id("sep_token")?,
            "cls": id("cls_token")?,
            "trim_offsets": flag(settings, "trim_offsets").unwrap_or(true),
            "add_prefix_space": flag(settings, "add_prefix_space").unwrap_or(false),
        }),
        Build::T5 | Build::Plain | Build::Marian | Build::M2m100 => {
            let id = |token: &str| match backend.token_to_id(token) {
                Some(id) => Ok((token.to_string(), id)),
                None => Err(format!("`{token}` has no id")),
            };
            sentencepiece::around(build, settings, id)?
        }
        Build::Gpt2 | Build::Llama => {
            let (bos, eos) = settings.add_bos_eos;
            let token = |name, on: Option<bool>| on.unwrap_or(false).then(|| id(name)).transpose();
            template(token("bos_token", bos)?, token("eos_token", eos)?, false)
        }
        Build::Bert | Build::No => template(Some(id("cls_token")?), Some(id("sep_token")?), true),
    };
    let processor: PostProcessorWrapper = serde_json::from_value(json).map_err(|e| e.to_string())?;
    backend.with_post_processor(Some(processor));
    Ok(())
}

/// `first A last` and `first A last [first] B last`; BERT's second part has no `first` of its own.
pub(super) fn template(first: Option<(String, u32)>, last: Option<(String, u32)>, bert: bool) -> Value {
    let piece = |token: &Option<(String, u32)>, type_id: u32| {
        token
            .as_ref()
            .map(|(token, _)| json!({"SpecialToken": {"id": token, "type_id": type_id}}))
    };
    let part = |name: &str, type_id: u32, first: Option<Value>| -> Vec<Value> {
        let text = json!({"Sequence": {"id": name, "type_id": type_id}});
        first
            .into_iter()
            .chain([text])
            .chain(piece(&last, type_id))
            .collect()
    };
    let a = part("A", 0, piece(&first, 0));
    let b = part("B", 1, if bert { None } else { piece(&first, 1) });
    let tokens: Map<String, Value> = [&first, &last]
        .into_iter()
        .flatten()
        .map(|(token, id)| {
            (
                token.clone(),
                json!({"id": token, "ids": [id], "tokens": [token]}),
            )
        })
        .collect();
    json!({
        "type": "TemplateProcessing",
        "single": a,
        "pair": a.iter().chain(&b).collect::<Vec<_>>(),
        "special_tokens": tokens,
    })
}
