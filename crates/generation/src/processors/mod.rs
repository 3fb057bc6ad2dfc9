//! Changing a model's scores before a token is chosen.
//!
//! Semantics and order are those of the `transformers` library, release 5
//! (`generation/logits_process.py` and `GenerationMixin._get_logits_processor`).

mod ngrams;
mod penalties;
mod scores;
mod tokens;
mod warpers;

pub use ngrams::{EncoderNoRepeatNGram, NoBadWords, NoRepeatNGram, SequenceBias};
pub use penalties::{EncoderRepetitionPenalty, ExponentialDecay, OccurrencePenalty, RepetitionPenalty};
pub use scores::{Normalize, RemoveInvalid, log_softmax, log_sum_exp, softmax};
pub use tokens::{ForcedBos, ForcedEos, ForcedTokens, MinLength, Suppress, SuppressAtBegin};
pub use warpers::{EpsilonCutoff, EtaCutoff, MinP, Temperature, TopK, TopP, Typical};

pub(crate) use scores::{Top, argmax, top};

use crate::config::Settings;
use crate::{GenerationConfig, Prompt};

/// A sequence whose next token is about to be chosen.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The ids so far: the prompt with its padding, then what was generated.
    pub ids: &'a [i64],
    /// How many of the first ids are padding.
    pub padding: usize,
    /// Which row of the prompt the sequence continues.
    pub prompt: usize,
}

impl<'a> Row<'a> {
    /// A sequence without padding that continues the prompt's first row.
    pub fn new(ids: &'a [i64]) -> Self {
        Self {
            ids,
            padding: 0,
            prompt: 0,
        }
    }
}

/// What a processor must know of the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it forbids tokens whatever their scores are.
    Nothing,
    /// The scores from this token on, and the greatest of those before.
    From(usize),
    /// All of them.
    All,
}

/// Something that changes the scores of a sequence's next token.
pub trait LogitsProcessor {
    /// What [`process`](Self::process) must know of the scores. Unless that is all of them, it forbids tokens and
    /// changes no other score, except that of a token that alone is left; then greedy decoding need not compute all
    /// logits.
    fn needs(&self) -> Needs {
        Needs::All
    }

    /// Changes `scores` `[vocabulary]` of the token that follows `row`; minus infinity forbids one.
    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]);
}

/// A list of processors, applied in order.
pub(crate) type Chain<'a> = Vec<Box<dyn LogitsProcessor + 'a>>;

/// The processors that `config` asks for, in their order; `custom` ones come before those that shape
/// sampling.
pub(crate) fn chain<'a>(
    config: &GenerationConfig,
    settings: &Settings,
    prompt: &Prompt,
    custom: Chain<'a>,
) -> Chain<'a> {
    let mut chain: Chain<'a> = Vec::new();
    let eos = &settings.eos;
    let encoder = prompt.encoder_ids();
    if let Some(bias) = &config.sequence_bias {
        chain.push(Box::new(SequenceBias::new(bias.clone())));
    }
    if let (Some(penalty), Some(ids)) = (unlike(config.encoder_repetition_penalty, 1.), encoder) {
        chain.push(Box::new(EncoderRepetitionPenalty::new(penalty, ids.to_vec())));
    }
    if let Some(penalty) = unlike(config.repetition_penalty, 1.) {
        chain.push(Box::new(RepetitionPenalty::new(penalty)));
    }
    let presence = config.presence_penalty.unwrap_or(0.);
    let frequency = config.frequency_penalty.unwrap_or(0.);
    if presence != 0. || frequency != 0. {
        chain.push(Box::new(OccurrencePenalty::new(
            presence,
            frequency,
            prompt.len(),
        )));
    }
    if let Some(size) = positive(config.no_repeat_ngram_size) {
        chain.push(Box::new(NoRepeatNGram::new(size)));
    }
    if let (Some(size), Some(ids)) = (positive(config.encoder_no_repeat_ngram_size), encoder) {
        chain.push(Box::new(EncoderNoRepeatNGram::new(size, ids)));
    }
    if let Some(words) = &config.bad_words_ids {
        chain.push(Box::new(NoBadWords::new(words, eos)));
    }
    if settings.min_length > 0 && !eos.is_empty() {
        chain.push(Box::new(MinLength::new(settings.min_length, eos.clone())));
    }
    if let Some(token) = config.forced_bos_token_id {
        chain.push(Box::new(ForcedBos::new(token)));
    }
    if let Some(tokens) = &config.forced_eos_token_id {
        let tokens = tokens.as_slice().to_vec();
        chain.push(Box::new(ForcedEos::new(settings.max_length, tokens)));
    }
    if config.remove_invalid_values == Some(true) {
        chain.push(Box::new(RemoveInvalid));
    }
    if let Some((start, factor)) = config.exponential_decay_length_penalty {
        let start = start + prompt.len();
        chain.push(Box::new(ExponentialDecay::new(start, factor, eos.clone())));
    }
    if let Some(tokens) = &config.suppress_tokens {
        chain.push(Box::new(Suppress::new(tokens.clone())));
    }
    if let Some(tokens) = &config.begin_suppress_tokens {
        // A forced first token does not count as the begin.
        let shift = usize::from(prompt.len() == 1 && config.forced_bos_token_id.is_some());
        let begin = prompt.len() + shift;
        chain.push(Box::new(SuppressAtBegin::new(tokens.clone(), begin)));
    }
    if let Some(forced) = &config.forced_decoder_ids {
        let forced = forced.iter().filter_map(|&(at, token)| Some((at, token?)));
        chain.push(Box::new(ForcedTokens::new(forced)));
    }
    chain.extend(custom);
    if settings.sample {
        warp(config, settings, &mut chain);
    }
    if config.renormalize_logits == Some(true) {
        chain.push(Box::new(Normalize));
    }
    chain
}

/// The processors that shape the distribution to draw from.
fn warp(config: &GenerationConfig, settings: &Settings, chain: &mut Chain<'_>) {
    // Beams need a token besides the end-of-sequence ones, to go on with.
    let keep = match (settings.beams, settings.eos.len()) {
        (1, _) => 1,
        (_, 0) => 2,
        (_, ends) => ends + 1,
    };
    if let Some(temperature) = unlike(config.temperature, 1.) {
        chain.push(Box::new(Temperature::new(temperature)));
    }
    let top_k = config.top_k.unwrap_or(50);
    if top_k != 0 {
        chain.push(Box::new(TopK::new(top_k, keep)));
    }
    if let Some(top_p) = config.top_p.filter(|&p| p < 1.) {
        chain.push(Box::new(TopP::new(top_p, keep)));
    }
    if let Some(min_p) = config.min_p {
        chain.push(Box::new(MinP::new(min_p, keep)));
    }
    if let Some(mass) = config.typical_p.filter(|&p| p < 1.) {
        chain.push(Box::new(Typical::new(mass, keep)));
    }
    if let Some(epsilon) = config.epsilon_cutoff.filter(|&e| e > 0.) {
        chain.push(Box::new(EpsilonCutoff::new(epsilon, keep)));
    }
    if let Some(epsilon) = config.eta_cutoff.filter(|&e| e > 0.) {
        chain.push(Box::new(EtaCutoff::new(epsilon, keep)));
    }
}

fn unlike(value: Option<f32>, neutral: f32) -> Option<f32> {
    value.filter(|&v| v != neutral)
}

fn positive(value: Option<usize>) -> Option<usize> {
    value.filter(|&v| v > 0)
}
