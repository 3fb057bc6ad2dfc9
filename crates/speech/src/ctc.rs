//! Speech to text by connectionist temporal classification (Graves et al., 2006): a letter, or none, each 20 ms.

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

/// A recogniser that spells: wav2vec2, HuBERT, wav2vec2-BERT.
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
        let samples = audio.mono_at(self.rate())?;
        let ids = match chunks {
            None => self.heard(samples)?,
            Some(chunks) => self.in_chunks(&samples, chunks)?,
        };
        Ok(self.spell(&ids))
    }

    fn heard(&self, samples: Vec<f32>) -> Result<Vec<usize>, Error> {
        let (logits, _) = self.logits(&[samples], false)?;
        if bool::try_from(logits.isnan().any()).unwrap_or(true) {
            return Err(Error::NotNumbers);
        }
        let ids = Vec::<i64>::try_from(logits.argmax(-1, false).view([-1])).unwrap_or_default();
        Ok(ids.into_iter().map(|id| id as usize).collect())
    }

    /// Cut as the reference's pipeline cuts.
    fn in_chunks(&self, samples: &[f32], chunks: Chunks) -> Result<Vec<usize>, Error> {
        let stride = self.network.encoder().stride() as f64;
        let aligned =
            |seconds: f64| ((seconds * f64::from(self.rate()) / stride).round_ties_even() * stride) as usize;
        let (length, left, right) = (
            aligned(chunks.length),
            aligned(chunks.left),
            aligned(chunks.right),
        );
        let step = length.saturating_sub(left + right).max(stride as usize);
        let mut ids = Vec::new();
        for begin in (0..samples.len()).step_by(step) {
            let end = (begin + length).min(samples.len());
            let (first, last) = (begin == 0, begin + length >= samples.len());
            let count = end - begin;
            let left = if first { 0 } else { left };
            let right = if last { 0 } else { right };
            if count > left && count >= self.network.encoder().least_samples() {
                let part = self.heard(samples[begin..end].to_vec())?;
                let steps = (count as f64 / stride).round_ties_even();
                let share =
                    |samples: usize| (samples as f64 / count as f64 * steps).round_ties_even() as usize;
                let to = (steps as usize).saturating_sub(share(right)).min(part.len());
                ids.extend_from_slice(&part[share(left).min(to)..to]);
            }
            if last {
                break;
            }
        }
        Ok(ids)
    }

    /// What the tokens `ids` of neighbouring states spell.
    pub fn spell(&self, ids: &[usize]) -> Spelling {
        let seconds = self.network.encoder().stride() as f64 / f64::from(self.rate());
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
