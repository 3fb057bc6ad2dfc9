//! From SentencePiece's models to a `tokenizer.json`, as transformers' converters do.
//!
//! T5, SpeechT5 and Llama number tokens as their model does. Marian and M2M-100 have a `vocab.json` with
//! numbers of their own; the model gives the scores. Where a `vocab.json` has pieces that the model lacks
//! (Marian's target language), these count as unlikely as unknown text, so that they are taken only where
//! the model knows nothing better.

use std::collections::{BTreeMap, HashMap};

use sensorium_hub::Model;
use serde_json::{Value, json};

use super::TokenizerError;
use super::classes::Build;
use super::files::{VOCAB, fault, flag, template};
use super::settings::Settings;
use super::spm::{self, Spm};

/// The files that hold a model, most telling first.
const FILES: [&str; 5] = [
    "source.spm",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm_char.model",
    "tokenizer.model",
];

/// SentencePiece's penalty for unknown text, below the least likely piece.
const UNKNOWN: f64 = 10.;

/// The languages of M2M-100, in the order of their ids.
const LANGUAGES: &str = "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga \
    gd gl gu ha he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my \
    ne nl no ns oc or pa pl ps pt ro ru sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi \
    yo zh zu";

/// A tokenizer without what goes around texts, and what does (a post-processor).
pub(super) struct Converted {
    pub file: &'static str,
    pub tokenizer: Value,
}

/// Converts the model's SentencePiece file, if it has one and its class is known.
///
/// # Errors
/// If the file is damaged, or contradicts `vocab.json`.
pub(super) fn convert(
    model: &Model,
    build: Build,
    settings: &Settings,
) -> Result<Option<Converted>, TokenizerError> {
    if !matches!(
        build,
        Build::T5 | Build::Plain | Build::Llama | Build::Marian | Build::M2m100
    ) {
        return Ok(None);
    }
    for file in FILES {
        if let Some(bytes) = model.read(file)? {
            let spm = spm::read(&bytes).map_err(|e| fault(model, file, e))?;
            let vocab = match build {
                Build::Marian | Build::M2m100 => Some(model.json_as(VOCAB)?),
                _ => None,
            };
            let tokenizer = tokenizer(&spm, vocab, build, settings).map_err(|e| fault(model, file, e))?;
            return Ok(Some(Converted { file, tokenizer }));
        }
    }
    Ok(None)
}

fn tokenizer(
    spm: &Spm,
    vocab: Option<BTreeMap<String, usize>>,
    build: Build,
    settings: &Settings,
) -> Result<Value, String> {
    if spm.algorithm == spm::WORD {
        return Err("models of whole words are not supported".to_string());
    }
    if spm.algorithm == spm::BPE || build == Build::Llama {
        return pairs(spm, settings);
    }
    let mut pieces: Vec<(String, f64)> = match vocab {
        Some(vocab) => numbered(spm, vocab)?,
        None => spm
            .pieces
            .iter()
            .map(|p| (p.text.clone(), f64::from(p.score)))
            .collect(),
    };
    let mut added = Vec::new();
    match build {
        Build::T5 => {
            let extra = settings
                .extra
                .iter()
                .filter(|t| t.content.starts_with("<extra_id_"))
                .count();
            let asked = settings
                .config
                .get("extra_ids")
                .and_then(Value::as_u64)
                .unwrap_or(100);
            let extra = if extra > 0 {
                extra as u64
            } else {
                asked.min(10_000)
            };
            // The last ones come first.
            added.extend((0..extra).rev().map(|i| format!("<extra_id_{i}>")));
        }
        Build::M2m100 => added.extend(LANGUAGES.split_whitespace().map(|code| format!("__{code}__"))),
        _ => {}
    }
    pieces.extend(added.iter().map(|token| (token.clone(), 0.)));
    let unk = settings.named("unk_token").unwrap_or("<unk>");
    let unk_id = pieces.iter().position(|(text, _)| text == unk);
    let unk_id = unk_id.ok_or_else(|| format!("unk_token `{unk}` is not in the vocabulary"))?;
    let blank = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let specials = specials(spm, settings, &added);
    Ok(json!({
        "version": "1.0",
        "added_tokens": added_tokens(&specials, |token| pieces.iter().position(|(text, _)| text == token)),
        "normalizer": normalizer(spm),
        "pre_tokenizer": blank,
        "decoder": blank,
        "model": {"type": "Unigram", "unk_id": unk_id, "byte_fallback": spm.byte_fallback, "vocab": pieces},
    }))
}

/// The pieces in the order of `vocab.json`.
fn numbered(spm: &Spm, vocab: BTreeMap<String, usize>) -> Result<Vec<(String, f64)>, String> {
    let scores: HashMap<&str, f32> = spm.pieces.iter().map(|p| (p.text.as_str(), p.score)).collect();
    let lowest = spm.pieces.iter().map(|p| f64::from(p.score)).fold(0., f64::min);
    let mut pieces = vec![None; vocab.len()];
    for (text, id) in vocab {
        let score = scores
            .get(text.as_str())
            .map_or(lowest - UNKNOWN, |score| f64::from(*score));
        let place = pieces
            .get_mut(id)
            .ok_or_else(|| format!("vocab.json: id {id} leaves a gap"))?;
        *place = Some((text, score));
    }
    let pieces: Option<Vec<_>> = pieces.into_iter().collect();
    pieces.ok_or_else(|| "vocab.json: two tokens have one id".to_string())
}

/// Llama: pairs that are joined in the order of the vocabulary, bytes for what is not in it.
fn pairs(spm: &Spm, settings: &Settings) -> Result<Value, String> {
    let vocab: HashMap<&str, usize> = spm
        .pieces
        .iter()
        .enumerate()
        .map(|(id, piece)| (piece.text.as_str(), id))
        .collect();
    let mut merges = Vec::new();
    for (id, piece) in spm.pieces.iter().enumerate() {
        for (at, _) in piece.text.char_indices().skip(1) {
            let (left, right) = piece.text.split_at(at);
            if vocab.contains_key(left) && vocab.contains_key(right) {
                merges.push((id, left.chars().count(), [left, right]));
            }
        }
    }
    merges.sort_by_key(|(id, left, _)| (*id, *left));
    let merges: Vec<_> = merges.into_iter().map(|(_, _, pair)| pair).collect();
    let prefix = flag(settings, "add_prefix_space").unwrap_or(true);
    let scheme = match (prefix, flag(settings, "legacy").unwrap_or(false)) {
        (false, _) => "never",
        (true, true) => "always",
        (true, false) => "first",
    };
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let id = |token: &str| vocab.get(token).copied();
    Ok(json!({
        "version": "1.0",
        "added_tokens": added_tokens(&specials(spm, settings, &[]), id),
        "normalizer": null,
        "pre_tokenizer":
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false},
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "vocab": vocab.iter().collect::<BTreeMap<_, _>>(),
            "merges": merges,
            "unk_token": settings.named("unk_token").unwrap_or("<unk>"),
            "fuse_unk": true,
            "byte_fallback": true,
        },
    }))
}

/// The tokens that are not looked for by their score, each with whether it is special.
fn specials(spm: &Spm, settings: &Settings, added: &[String]) -> Vec<(String, bool)> {
    let of_model = spm
        .pieces
        .iter()
        .filter(|p| [spm::CONTROL, spm::USER_DEFINED].contains(&p.kind));
    let of_model = of_model.map(|p| (p.text.clone(), p.kind == spm::CONTROL));
    let named = settings.special_tokens().map(|t| (t.content.clone(), true));
    of_model
        .chain(named)
        .chain(added.iter().map(|token| (token.clone(), true)))
        .collect()
}

fn added_tokens(tokens: &[(String, bool)], id: impl Fn(&str) -> Option<usize>) -> Vec<Value> {
    let mut by_id: BTreeMap<usize, (&str, bool)> = BTreeMap::new();
    for (token, special) in tokens {
        if let Some(id) = id(token) {
            by_id.entry(id).or_insert((token, false)).1 |= special;
        }
    }
    by_id
        .into_iter()
        .map(|(id, (content, special))| {
            json!({
                "id": id, "content": content, "special": special,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            })
        })
        .collect()
}

/// Characters are rewritten as the model says, and runs of blanks become one.
fn normalizer(spm: &Spm) -> Value {
    let mut steps = Vec::new();
    if !spm.charsmap.is_empty() {
        steps.push(json!({"type": "Precompiled", "precompiled_charsmap": base64(&spm.charsmap)}));
    }
    steps.push(json!({"type": "Strip", "strip_left": false, "strip_right": true}));
    steps.push(json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}));
    json!({"type": "Sequence", "normalizers": steps})
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let used = digit <= chunk.len();
            let value = (group >> (18 - 6 * digit)) as usize & 63;
            text.push(if used { char::from(DIGITS[value]) } else { '=' });
        }
    }
    text
}

/// What the class puts around a text.
pub(super) fn around(
    build: Build,
    settings: &Settings,
    id: impl Fn(&str) -> Result<(String, u32), String>,
) -> Result<Value, String> {
    let eos = id(settings.named("eos_token").unwrap_or("</s>"))?;
    match build {
        Build::M2m100 => {
            let language = settings
                .config
                .get("src_lang")
                .and_then(Value::as_str)
                .unwrap_or("en");
            Ok(joined(Some(id(&format!("__{language}__"))?), eos))
        }
        Build::Marian | Build::Plain => Ok(joined(None, eos)),
        _ => Ok(template(None, Some(eos), false)),
    }
}

/// `first A last` and `first A B last`, all of one type.
fn joined(first: Option<(String, u32)>, last: (String, u32)) -> Value {
    let special = |token: &(String, u32)| json!({"SpecialToken": {"id": token.0, "type_id": 0}});
    let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    let around = |texts: &[Value]| {
        let first = first.iter().map(special);
        Value::Array(
            first
                .chain(texts.iter().cloned())
                .chain([special(&last)])
                .collect(),
        )
    };
    let tokens = first.iter().chain([&last]);
    let tokens: serde_json::Map<String, Value> = tokens
        .map(|(token, id)| {
            (
                token.clone(),
                json!({"id": token, "ids": [id], "tokens": [token]}),
            )
        })
        .collect();
    json!({
        "type": "TemplateProcessing",
        "single": around(&[text("A")]),
        "pair": around(&[text("A"), text("B")]),
        "special_tokens": tokens,
    })
}
