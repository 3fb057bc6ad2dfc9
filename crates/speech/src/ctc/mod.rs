//! Speech to text by connectionist temporal classification (Graves et al., 2006): a letter, or none, each 20 ms.

mod align;
mod beam;
mod ngram;
mod spelling;

use sensorium_blocks::Params;
use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::audio::{Audio, Spool};
use crate::error::Error;
use crate::features::{Extractor, Samples as _};
use crate::models::ctc::CtcNetwork;
use crate::models::{MODEL_TYPES, States};
use crate::vocabulary::Vocabulary;

pub use align::Aligned;
pub use beam::BeamSearch;
pub use ngram::NGrams;
pub(crate) use spelling::Speller;
pub use spelling::Spelling;

/// A recogniser that spells: wav2vec2, HuBERT, WavLM, wav2vec2-BERT.
#[derive(Debug)]
pub struct CtcRecognizer {
    network: CtcNetwork,
    vocabulary: Vocabulary,
}

/// A letter or a word of a transcript, with its place in the recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Piece {
    /// What is said.
    pub text: String,
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
    /// The letters of a word; none if their times are not known.
    pub letters: Vec<Piece>,
}

/// How long recordings are cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chunks {
    /// Length of a piece, in seconds.
    pub length: f64,
    /// What a piece shares with the one before, in seconds.
    pub left: f64,
    /// What a piece shares with the one behind, in seconds.
    pub right: f64,
}

impl Chunks {
    /// Those of a recording of so many seconds: none of a short one, as the cost of attention grows with the square.
    pub fn for_length(seconds: f64) -> Option<Self> {
        (seconds > 60.0).then(|| Self::of(30.0))
    }

    /// Pieces of `length` seconds that share a sixth with each neighbour.
    pub fn of(length: f64) -> Self {
        Self {
            length,
            left: length / 6.0,
            right: length / 6.0,
        }
    }
}

impl CtcRecognizer {
    /// Opens a checkpoint; floating-point weights are converted to `kind` if one is named.
    ///
    /// # Errors
    /// If a file is missing or damaged, the family is not supported, the configuration makes no sense, or tensors are
    /// missing, misshapen or left over.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let config = model.config()?;
        check_model_type(model, &config, "speech recognition")?;
        let mut params = Params::stored(model.weights()?).on(device);
        if let Some(kind) = kind {
            params = params.of_kind(kind);
        }
        let network = CtcNetwork::new(&config, &params, Extractor::open(model)?, device)
            .map_err(|error| Error::building(model, error))?;
        params.check_all_used_but(harmless)?;
        Ok(Self {
            network,
            vocabulary: Vocabulary::open(model)?,
        })
    }

    /// Whether it spells letter by letter, so that their times are known, and not whole words.
    pub fn spells_letters(&self) -> bool {
        !self.vocabulary.is_of_words()
    }

    /// The rate that samples must have, in Hz.
    pub fn rate(&self) -> u32 {
        self.extractor().rate()
    }

    /// What turns samples into the model's input.
    pub fn extractor(&self) -> &Extractor {
        self.network.encoder().extractor()
    }

    /// Scores of the tokens of each state, `[batch, steps, vocabulary]` in `f32`, for recordings of one channel at
    /// [`rate`](Self::rate); with `all`, also each layer's states.
    ///
    /// # Errors
    /// If a recording is shorter than a state.
    pub fn logits(&self, recordings: &[Vec<f32>], all: bool) -> Result<(Tensor, States), Error> {
        let least = self.network.encoder().least_samples();
        if let Some(short) = recordings.iter().find(|recording| recording.len() < least) {
            return Err(Error::TooShort {
                samples: short.len(),
                rate: self.rate(),
                least,
            });
        }
        let features = self.extractor().features(recordings);
        Ok(tch::no_grad(|| self.network.forward(&features, all, false)))
    }

    /// What is said in `audio`, heard in one go or in `chunks`.
    ///
    /// # Errors
    /// If it is shorter than a state, or the scores are not numbers.
    pub fn transcribe(&self, audio: &Audio, chunks: Option<Chunks>) -> Result<Spelling, Error> {
        let mut ids = Vec::new();
        self.hear(
            &mut audio.mono_at(self.rate())?.into(),
            chunks,
            &mut |scores, _| {
                ids.extend(likeliest(&scores));
                Ok(())
            },
        )?;
        Ok(self.spell(&ids))
    }

    /// The likeliest text of `audio` by a beam search, and when each of its words is said.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe).
    pub fn search(&self, audio: &Audio, search: &BeamSearch) -> Result<(String, Vec<Piece>), Error> {
        self.search_in(&mut audio.mono_at(self.rate())?.into(), audio.seconds(), search)
    }

    /// The same in samples at [`rate`](Self::rate), of so many `seconds`.
    pub(crate) fn search_in(
        &self,
        samples: &mut Spool,
        seconds: f64,
        search: &BeamSearch,
    ) -> Result<(String, Vec<Piece>), Error> {
        let steps = rows(&self.scores_in(samples, seconds)?);
        let ids = search.search(&steps, &self.vocabulary);
        let letters: Vec<String> = ids.iter().map(|&id| self.vocabulary.letter(id)).collect();
        let text = letters.join(if self.vocabulary.is_of_words() { " " } else { "" });
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let words = match text.is_empty() {
            true => Vec::new(),
            false => self.place(&steps, seconds, &text)?,
        };
        Ok((text, words.into_iter().map(|word| word.piece).collect()))
    }

    /// Log probabilities of the tokens at each step, `[steps, vocabulary]`.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe).
    pub fn scores(&self, audio: &Audio) -> Result<Tensor, Error> {
        self.scores_in(&mut audio.mono_at(self.rate())?.into(), audio.seconds())
    }

    fn scores_in(&self, samples: &mut Spool, seconds: f64) -> Result<Tensor, Error> {
        let mut parts = Vec::new();
        self.hear(samples, Chunks::for_length(seconds), &mut |scores, _| {
            parts.push(scores.log_softmax(-1, Kind::Float).to_device(Device::Cpu));
            Ok(())
        })?;
        Ok(Tensor::cat(&parts, 0))
    }

    /// Seconds of a step.
    pub fn step_seconds(&self) -> f64 {
        self.network.encoder().stride() as f64 / f64::from(self.rate())
    }

    /// Hears `samples` at [`rate`](Self::rate) in one go or in `chunks`, cut as the reference's pipeline cuts. `each` is
    /// given the scores, `[steps, vocabulary]`, part by part, and up to which second they go.
    pub(crate) fn hear(
        &self,
        samples: &mut Spool,
        chunks: Option<Chunks>,
        each: &mut dyn FnMut(Tensor, f64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count = samples.count();
        let mut one = |from: usize, to: usize| {
            let mut part = vec![0.0; to - from];
            samples.read(from, &mut part)?;
            let (logits, _) = self.logits(&[part], false)?;
            match bool::try_from(logits.isnan().any()) {
                Ok(false) => Ok(logits.squeeze_dim(0)),
                _ => Err(Error::NotNumbers),
            }
        };
        let rate = f64::from(self.rate());
        let Some(chunks) = chunks else {
            return each(one(0, count)?, count as f64 / rate);
        };
        let stride = self.network.encoder().stride() as f64;
        let aligned = |seconds: f64| ((seconds * rate / stride).round_ties_even() * stride) as usize;
        let (length, left, right) = (
            aligned(chunks.length),
            aligned(chunks.left),
            aligned(chunks.right),
        );
        let step = length.saturating_sub(left + right).max(stride as usize);
        for begin in (0..count).step_by(step) {
            let end = (begin + length).min(count);
            let (first, last) = (begin == 0, begin + length >= count);
            let count = end - begin;
            let left = if first { 0 } else { left };
            let right = if last { 0 } else { right };
            if first || count > left && count >= self.network.encoder().least_samples() {
                let part = one(begin, end)?;
                let steps = (count as f64 / stride).round_ties_even();
                let share = |samples: usize| (samples as f64 / count as f64 * steps).round_ties_even() as i64;
                let to = (steps as i64 - share(right)).clamp(0, part.size()[0]);
                let from = share(left).min(to);
                each(part.narrow(0, from, to - from), (end - right) as f64 / rate)?;
            }
            if last {
                break;
            }
        }
        Ok(())
    }

    /// What `ids` spell without the tokens that stand for no letter, which are taken out first.
    pub fn plain_text(&self, ids: &[usize]) -> String {
        let plain = ids.iter().copied().filter(|&id| !self.vocabulary.is_special(id));
        self.spell(&plain.collect::<Vec<_>>()).text()
    }

    /// What `ids` spell with every repetition.
    pub fn ungrouped_text(&self, ids: &[usize]) -> String {
        let letters = ids.iter().filter(|&&id| id != self.vocabulary.blank);
        let text: String = letters.map(|&id| self.vocabulary.letter(id)).collect();
        text.trim().to_string()
    }
}

/// The likeliest token of each step.
pub(crate) fn likeliest(scores: &Tensor) -> Vec<usize> {
    let ids = Vec::<i64>::try_from(scores.argmax(-1, false)).unwrap_or_default();
    ids.into_iter().map(|id| id as usize).collect()
}

/// The rows of a matrix.
fn rows(scores: &Tensor) -> Vec<Vec<f32>> {
    Vec::<Vec<f32>>::try_from(scores).unwrap_or_default()
}

/// Says so if `config` names a family that [`SpeechEncoder`](crate::models::SpeechEncoder) does not build.
pub(crate) fn check_model_type(model: &Model, config: &Value, task: &'static str) -> Result<(), Error> {
    let found = config
        .get("model_type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if MODEL_TYPES.contains(&found) {
        return Ok(());
    }
    Err(Error::ModelType {
        model: model.to_string(),
        found: found.to_string(),
        task,
        known: MODEL_TYPES.join(", "),
    })
}

/// What is in a checkpoint for training alone.
pub(crate) fn harmless(name: &str) -> bool {
    ["masked_spec_embed", "layer_weights"]
        .iter()
        .any(|end| name.ends_with(end))
}
