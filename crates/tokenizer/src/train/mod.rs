//! New tokenizers, learned from text.
//!
//! The same texts and settings give the same tokenizer, on any machine: where the library's sums depend on
//! the order of a hash table or the number of threads, an order is given here.

mod options;

use std::collections::{BTreeMap, BTreeSet};

use rayon::ThreadPoolBuilder;
use serde_json::{Map, Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Tokenizer as Backend,
};

use super::classes::Class;
use super::settings::{Settings, Sources};
use super::{BoxError, ChatTemplates, Tokenizer, TokenizerError};

pub use options::{Algorithm, TrainOptions};

impl Tokenizer {
    /// Learns a tokenizer from `texts`: lines, documents or any other pieces.
    ///
    /// # Errors
    /// If the settings make no sense, or the texts have too many different characters for the vocabulary.
    pub fn train<S: AsRef<str> + Send>(
        texts: impl Iterator<Item = S> + Send,
        options: &TrainOptions,
    ) -> Result<Self, TokenizerError> {
        options.check()?;
        let backend = match options.algorithm {
            Algorithm::ByteLevelBpe => byte_level(texts, options),
            Algorithm::Unigram => unigram(texts, options),
            Algorithm::WordPiece => word_piece(texts, options),
            Algorithm::Characters => characters(texts, options),
        };
        let mut backend = backend.map_err(TokenizerError::Train)?;
        backend
            .add_tokens(options.specials())
            .map_err(TokenizerError::Train)?;
        if options.algorithm == Algorithm::WordPiece {
            around(&mut backend, options).map_err(TokenizerError::Train)?;
        } else if options.append_eos {
            let last = token_of(&backend, options, "eos_token");
            process(&mut backend, super::files::template(None, last, false))
                .map_err(TokenizerError::Train)?;
        }
        let sources = Sources {
            config: options.config(),
            special: Map::new(),
            added: Map::new(),
        };
        let class = Class::find(Some("PreTrainedTokenizerFast"), None);
        let settings = Settings::new(sources, class).map_err(TokenizerError::TrainSettings)?;
        Ok(Self::from_parts(backend, settings, ChatTemplates::default()))
    }
}

/// A tokenizer with these parts and no vocabulary.
fn empty(parts: Value) -> Result<Backend, BoxError> {
    let mut whole = json!({"version": "1.0", "added_tokens": []});
    if let (Value::Object(whole), Value::Object(parts)) = (&mut whole, parts) {
        whole.extend(parts);
    }
    Backend::from_bytes(whole.to_string())
}

fn byte_level<S: AsRef<str> + Send>(
    texts: impl Iterator<Item = S> + Send,
    options: &TrainOptions,
) -> Result<Backend, BoxError> {
    let bytes = |trim: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": trim, "use_regex": true});
    let mut backend = empty(json!({
        "pre_tokenizer": bytes(true),
        "post_processor": bytes(false),
        "decoder": bytes(true),
        "model": {"type": "BPE", "vocab": {}, "merges": []},
    }))?;
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(options.vocab_size)
        .min_frequency(options.min_frequency)
        .special_tokens(options.specials())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    backend.train::<tokenizers::models::TrainerWrapper, _, _>(&mut trainer, texts)?;
    Ok(backend)
}

fn word_piece<S: AsRef<str>>(
    texts: impl Iterator<Item = S>,
    options: &TrainOptions,
) -> Result<Backend, BoxError> {
    const CONTINUING: &str = "##";
    let parts = |vocab: Value| {
        empty(json!({
            "normalizer": {
                "type": "BertNormalizer",
                "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "decoder": {"type": "WordPiece", "prefix": CONTINUING, "cleanup": true},
            "model": {
                "type": "WordPiece",
                "vocab": vocab,
                "unk_token": options.token("unk_token"),
                "continuing_subword_prefix": CONTINUING,
                "max_input_chars_per_word": 100,
            },
        }))
    };
    let words = words(&parts(json!({}))?, texts)?;
    // Left to itself, the library numbers the characters within words in the order of a hash table.
    let within: BTreeSet<char> = words.keys().flat_map(|word| word.chars().skip(1)).collect();
    let within = within
        .into_iter()
        .map(|c| AddedToken::from(format!("{CONTINUING}{c}"), false));
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(options.vocab_size)
        .min_frequency(options.min_frequency)
        .special_tokens(options.specials().into_iter().chain(within).collect())
        .continuing_subword_prefix(CONTINUING.to_string())
        .build();
    let counts = words
        .into_iter()
        .map(|(word, count)| (word.into(), u64::from(count)))
        .collect();
    let mut pairs = BPE::default();
    trainer.do_train(&counts, &mut pairs)?;
    let vocab: BTreeMap<String, u32> = pairs.get_vocab().into_iter().collect();
    parts(json!(vocab))
}

/// Puts `[CLS]` and `[SEP]` around texts.
fn around(backend: &mut Backend, options: &TrainOptions) -> Result<(), BoxError> {
    let [first, last] = ["cls_token", "sep_token"].map(|role| token_of(backend, options, role));
    process(backend, super::files::template(first, last, true))
}

/// The token of a role and its id.
fn token_of(backend: &Backend, options: &TrainOptions, role: &str) -> Option<(String, u32)> {
    let token = options.token(role)?;
    Some((token.to_string(), backend.token_to_id(token).unwrap_or_default()))
}

fn process(backend: &mut Backend, template: Value) -> Result<(), BoxError> {
    let template: tokenizers::PostProcessorWrapper = serde_json::from_value(template)?;
    backend.with_post_processor(Some(template));
    Ok(())
}

fn unigram<S: AsRef<str> + Send>(
    texts: impl Iterator<Item = S> + Send,
    options: &TrainOptions,
) -> Result<Backend, BoxError> {
    let blank = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let parts = |model: Value| empty(json!({"pre_tokenizer": blank, "decoder": blank, "model": model}));
    let backend = parts(json!({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]]}))?;
    // In an order of their own, so that sums come out the same each time.
    let words: Vec<(String, u32)> = words(&backend, texts)?.into_iter().collect();
    if words.is_empty() {
        return Err("there is no text to learn from".into());
    }
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size(u32::try_from(options.vocab_size).unwrap_or(u32::MAX))
        .special_tokens(options.specials())
        .unk_token(options.token("unk_token").map(String::from))
        .build()?;
    let mut model = Unigram::default();
    // One thread: several would add up in an order that changes.
    let pool = ThreadPoolBuilder::new().num_threads(1).build()?;
    pool.install(|| trainer.do_train(words, &mut model))?;
    let mut json = serde_json::to_value(&model)?;
    if let Some(vocab) = json["vocab"].as_array().cloned() {
        json["vocab"] = in_order(vocab, options.specials().len()).into();
    }
    parts(json)
}

/// The words of the texts with how often they occur.
fn words<S: AsRef<str>>(
    backend: &Backend,
    texts: impl Iterator<Item = S>,
) -> Result<BTreeMap<String, u32>, BoxError> {
    let mut words = BTreeMap::new();
    for text in texts {
        let mut normal = NormalizedString::from(text.as_ref());
        if let Some(rule) = backend.get_normalizer() {
            rule.normalize(&mut normal)?;
        }
        let mut split = PreTokenizedString::from(normal);
        if let Some(rule) = backend.get_pre_tokenizer() {
            rule.pre_tokenize(&mut split)?;
        }
        for (word, _, _) in split.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            let count: &mut u32 = words.entry(word.to_string()).or_default();
            *count = count.saturating_add(1);
        }
    }
    Ok(words)
}

/// Pieces by falling score, then by text. Characters that the pruning dropped come back with made-up scores
/// in steps from the lowest one, in the order of a hash table: they are dealt out again in theirs.
fn in_order(vocab: Vec<Value>, special: usize) -> Vec<Value> {
    let mut pieces: Vec<(String, f64)> = vocab
        .iter()
        .map(|piece| {
            (
                piece[0].as_str().unwrap_or_default().to_string(),
                piece[1].as_f64().unwrap_or(0.),
            )
        })
        .collect();
    let mut learned = pieces.split_off(special.min(pieces.len()));
    learned.sort_by(|a, b| a.0.cmp(&b.0));
    let lowest = learned
        .iter()
        .map(|(_, score)| *score)
        .fold(f64::INFINITY, f64::min);
    let mut steps: Vec<f64> = Vec::new();
    let mut penalty = 0.;
    let is_char = |piece: &str| piece.chars().count() == 1;
    while learned
        .iter()
        .any(|(piece, score)| is_char(piece) && *score == lowest + penalty)
    {
        steps.push(lowest + penalty);
        penalty += 0.0001;
    }
    let mut scores = steps.clone().into_iter();
    for (piece, score) in &mut learned {
        if is_char(piece) && steps.contains(score) {
            *score = scores.next().unwrap_or(*score);
        }
    }
    learned.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    pieces
        .into_iter()
        .chain(learned)
        .map(|(piece, score)| json!([piece, score]))
        .collect()
}

/// Byte pairs that are never joined: the library's way of having characters as tokens.
fn characters<S: AsRef<str>>(
    texts: impl Iterator<Item = S>,
    options: &TrainOptions,
) -> Result<Backend, BoxError> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for text in texts {
        for c in text.as_ref().chars() {
            *counts.entry(c).or_default() += 1;
        }
    }
    let specials = options.specials();
    let mut chars: Vec<(char, u64)> = counts
        .into_iter()
        .filter(|(_, n)| *n >= options.min_frequency)
        .collect();
    chars.sort_by_key(|(c, n)| (std::cmp::Reverse(*n), *c));
    chars.truncate(options.vocab_size - specials.len());
    chars.sort();
    let tokens = specials.into_iter().map(|t| t.content);
    let mut vocab = Map::new();
    for token in tokens.chain(chars.into_iter().map(|(c, _)| c.to_string())) {
        let id = vocab.len();
        vocab.entry(token).or_insert(id.into());
    }
    empty(json!({
        "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "vocab": vocab, "merges": [], "unk_token": options.token("unk_token")},
    }))
}
