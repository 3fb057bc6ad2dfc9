//! Speech to text by connectionist temporal classification (Graves et al., 2006): a letter, or none, each 20 ms.

mod align;
mod beam;
mod ngram;

use sensorium_blocks::Params;
use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::audio::Audio;
use crate::error::Error;
use crate::features::Extractor;
use crate::models::ctc::CtcNetwork;
use crate::models::{MODEL_TYPES, States};
use crate::vocabulary::Vocabulary;

pub use align::Aligned;
pub use beam::BeamSearch;
pub use ngram::NGrams;

/// A recogniser that spells: wav2vec2, HuBERT, WavLM, wav2vec2-BERT.
#[derive(Debug)]
pub struct CtcRecognizer {
    network: CtcNetwork,
    vocabulary: Vocabulary,
}

/// A letter or a word of a transcript, with its place in the recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// What is said.
    pub text: String,
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
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

/// What was heard in a recording.
#[derive(Debug, Clone)]
pub struct Spelling {
    /// The likeliest token of each state.
    ids: Vec<usize>,
    /// Letters, blanks between words included.
    pub letters: Vec<Piece>,
}

impl Spelling {
    /// The text.
    pub fn text(&self) -> String {
        let text: String = self.letters.iter().map(|letter| letter.text.as_str()).collect();
        text.trim().to_string()
    }

    /// The words.
    pub fn words(&self) -> Vec<Piece> {
        let mut words: Vec<Piece> = Vec::new();
        let mut open = false;
        for letter in &self.letters {
            if letter.text == " " {
                open = false;
            } else if let (true, Some(word)) = (open, words.last_mut()) {
                word.text += &letter.text;
                word.end = letter.end;
            } else {
                words.push(letter.clone());
                open = true;
            }
        }
        words
    }

    /// The likeliest token of each state, of 20 ms each.
    pub fn ids(&self) -> &[usize] {
        &self.ids
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
        let scores = self.heard(audio.mono_at(self.rate())?, chunks)?;
        let ids = Vec::<i64>::try_from(scores.argmax(-1, false)).unwrap_or_default();
        Ok(self.spell(&ids.into_iter().map(|id| id as usize).collect::<Vec<_>>()))
    }

    /// The likeliest text of `audio` by a beam search, and when each of its words is said.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe).
    pub fn search(&self, audio: &Audio, search: &BeamSearch) -> Result<(String, Vec<Piece>), Error> {
        let steps = self.steps(audio)?;
        let ids = search.search(&steps, &self.vocabulary);
        let letters: Vec<String> = ids.iter().map(|&id| self.vocabulary.letter(id)).collect();
        let text = letters.join(if self.vocabulary.is_of_words() { " " } else { "" });
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let words = match text.is_empty() {
            true => Vec::new(),
            false => self.place(&steps, audio.seconds(), &text)?,
        };
        Ok((text, words.into_iter().map(|word| word.piece).collect()))
    }

    /// Log probabilities of the tokens at each step, `[steps, vocabulary]`.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe).
    pub fn scores(&self, audio: &Audio) -> Result<Tensor, Error> {
        let logits = self.heard(audio.mono_at(self.rate())?, Chunks::for_length(audio.seconds()))?;
        Ok(logits.log_softmax(-1, Kind::Float).to_device(Device::Cpu))
    }

    /// Seconds of a step.
    pub fn step_seconds(&self) -> f64 {
        self.network.encoder().stride() as f64 / f64::from(self.rate())
    }

    /// Scores, `[steps, vocabulary]`.
    fn heard(&self, samples: Vec<f32>, chunks: Option<Chunks>) -> Result<Tensor, Error> {
        let one = |samples| {
            let (logits, _) = self.logits(&[samples], false)?;
            match bool::try_from(logits.isnan().any()) {
                Ok(false) => Ok(logits.squeeze_dim(0)),
                _ => Err(Error::NotNumbers),
            }
        };
        match chunks {
            None => one(samples),
            Some(chunks) => self.in_chunks(&samples, chunks, one),
        }
    }

    /// Cut as the reference's pipeline cuts.
    fn in_chunks(
        &self,
        samples: &[f32],
        chunks: Chunks,
        one: impl Fn(Vec<f32>) -> Result<Tensor, Error>,
    ) -> Result<Tensor, Error> {
        let stride = self.network.encoder().stride() as f64;
        let aligned =
            |seconds: f64| ((seconds * f64::from(self.rate()) / stride).round_ties_even() * stride) as usize;
        let (length, left, right) = (
            aligned(chunks.length),
            aligned(chunks.left),
            aligned(chunks.right),
        );
        let step = length.saturating_sub(left + right).max(stride as usize);
        let mut scores = Vec::new();
        for begin in (0..samples.len()).step_by(step) {
            let end = (begin + length).min(samples.len());
            let (first, last) = (begin == 0, begin + length >= samples.len());
            let count = end - begin;
            let left = if first { 0 } else { left };
            let right = if last { 0 } else { right };
            if first || count > left && count >= self.network.encoder().least_samples() {
                let part = one(samples[begin..end].to_vec())?;
                let steps = (count as f64 / stride).round_ties_even();
                let share = |samples: usize| (samples as f64 / count as f64 * steps).round_ties_even() as i64;
                let to = (steps as i64 - share(right)).clamp(0, part.size()[0]);
                let from = share(left).min(to);
                scores.push(part.narrow(0, from, to - from));
            }
            if last {
                break;
            }
        }
        Ok(Tensor::cat(&scores, 0))
    }

    /// What the tokens `ids` of neighbouring states spell.
    pub fn spell(&self, ids: &[usize]) -> Spelling {
        let seconds = self.step_seconds();
        let apart = self.vocabulary.is_of_words();
        let mut letters: Vec<Piece> = Vec::new();
        let mut at = 0;
        for run in ids.chunk_by(|a, b| a == b) {
            if run[0] != self.vocabulary.blank {
                let text = self.vocabulary.letter(run[0]);
                if let Some(last) = letters
                    .last()
                    .filter(|last| apart && last.text != " " && text != " ")
                {
                    letters.push(Piece {
                        text: " ".to_string(),
                        start: last.end,
                        end: last.end,
                    });
                }
                letters.push(Piece {
                    text,
                    start: at as f64 * seconds,
                    end: (at + run.len()) as f64 * seconds,
                });
            }
            at += run.len();
        }
        Spelling {
            ids: ids.to_vec(),
            letters,
        }
    }

    /// The network says each letter once and is silent while it lasts: a word goes on until the next one, but not for
    /// long.
    pub fn lasting(&self, words: Vec<Piece>) -> Vec<Piece> {
        lasting(words, if self.vocabulary.is_of_words() { 0.5 } else { 0.1 })
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

fn lasting(mut words: Vec<Piece>, longest: f64) -> Vec<Piece> {
    let starts: Vec<f64> = words.iter().skip(1).map(|word| word.start).collect();
    let next = starts.into_iter().chain([f64::INFINITY]);
    for (word, next) in words.iter_mut().zip(next) {
        word.end = (word.end + longest).min(next.max(word.end));
    }
    words
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_last_until_the_next_one() {
        let word = |start: f64| Piece {
            text: "a".to_string(),
            start,
            end: start + 0.5,
        };
        let words = lasting([0.0, 0.6, 3.0].map(word).to_vec(), 0.5);
        let ends: Vec<f64> = words.iter().map(|word| word.end).collect();
        assert_eq!(ends, [0.6, 1.6, 3.5 + 0.5]);
    }
}
