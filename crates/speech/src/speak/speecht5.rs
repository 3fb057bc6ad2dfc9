//! SpeechT5 as a voice: frames are written like tokens, until one says that it is the last.

use sensorium_blocks::{KvCache, Params};
use sensorium_generation::{GenerationConfig, Options, Prompt, Session, generate};
use sensorium_hub::Model;
use sensorium_tokenizer::{EncodeOptions, Tokenizer};
use tch::{Device, Kind, Tensor};

use super::times::times;
use super::{GriffinLim, Said, SpeakOptions, Vocoder, Voice, samples_of};
use crate::error::Error;
use crate::features::MelShape;
use crate::models::speecht5::SpeechT5;
use crate::warp::warp;

/// What its voices cannot do.
pub(super) const FASTER: &str = "speak faster or slower";

/// Says text with a [`SpeechT5Voice`] and a vocoder.
#[derive(Debug)]
pub(super) struct Reader {
    voice: SpeechT5Voice,
    vocoder: Box<dyn Vocoder>,
    speaker: Tensor,
}

impl Reader {
    pub fn open(
        model: &Model,
        device: Device,
        kind: Option<Kind>,
        options: &SpeakOptions,
    ) -> Result<Self, Error> {
        let voice = SpeechT5Voice::open(model, device, kind)?;
        let vocoder: Box<dyn Vocoder> = match options.vocoder.clone().or_else(|| model.part("vocoder")) {
            Some(vocoder) => super::vocoder::open(&vocoder, device, kind)?,
            None => Box::new(GriffinLim::new(MelShape::SPEECHT5)),
        };
        if vocoder.bands() != voice.network().mels() {
            return Err(Error::Vocoder {
                bands: vocoder.bands(),
                expected: voice.network().mels(),
            });
        }
        let speaker = options.speaker.features(voice.network().speaker_size())?;
        Ok(Self {
            voice,
            vocoder,
            speaker,
        })
    }
}

impl Voice for Reader {
    fn rate(&self) -> u32 {
        self.vocoder.rate()
    }

    fn most_characters(&self) -> usize {
        // Longer texts are beyond what it learned.
        usize::try_from(self.voice.network().max_tokens() - 2)
            .unwrap_or(1)
            .clamp(1, 200)
    }

    fn say(&self, text: &str, rate: f64, _options: &SpeakOptions) -> Result<Said, Error> {
        if rate != 1.0 {
            return Err(Error::VoiceCannot { what: FASTER });
        }
        let mut unknown = Vec::new();
        for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
            if !unknown.contains(&letter) && !self.voice.knows(letter)? {
                unknown.push(letter);
            }
        }
        let kept = |letter: &char| !unknown.contains(letter);
        let known: String = text.chars().filter(kept).collect();
        if !known.chars().any(char::is_alphanumeric) {
            return Ok(Said {
                unknown,
                ..Said::default()
            });
        }
        let spelled = self.voice.tokenizer().encode(&known, &EncodeOptions::plain())?;
        let spoken = self.voice.speak(&spelled.ids, &self.speaker, Ending::default())?;
        let samples = samples_of(&self.vocoder.samples(&spoken.spectrogram))?;
        let count = text.chars().count();
        // Where each known letter is in the text.
        let letters: Vec<usize> = std::iter::zip(0.., text.chars())
            .filter_map(|(place, letter)| kept(&letter).then_some(place))
            .collect();
        let places: Vec<Option<usize>> = std::iter::zip(&spelled.offsets, &spelled.special_tokens_mask)
            .map(|(&(start, _), &special)| match special {
                // The end of the text has its own time, which is no letter's.
                1 => Some(count),
                _ => letters.get(start).copied(),
            })
            .collect();
        let second =
            samples.len() as f64 / f64::from(self.rate()) / spoken.spectrogram.size()[0].max(1) as f64;
        let frames = spoken.frames_of_tokens();
        Ok(Said {
            samples,
            times: Some(times(&places, &frames, second, count)),
            unknown,
            ..Said::default()
        })
    }
}

/// The model with its tokenizer, without a vocoder.
#[derive(Debug)]
pub struct SpeechT5Voice {
    network: SpeechT5,
    tokenizer: Tokenizer,
}

/// When a spectrogram ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ending {
    /// The sum of a step's probabilities that ends it.
    pub threshold: f64,
    /// Frames for each token, at least.
    pub least: f64,
    /// Frames for each token, at most.
    pub most: f64,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            least: 0.0,
            most: 20.0,
        }
    }
}

impl SpeechT5Voice {
    /// Opens a checkpoint.
    ///
    /// # Errors
    /// If a file is missing or damaged, the configuration makes no sense, or tensors are missing, misshapen or left
    /// over.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let mut params = Params::stored(model.weights()?).on(device);
        if let Some(kind) = kind {
            params = params.of_kind(kind);
        }
        let network =
            SpeechT5::new(&model.config()?, &params).map_err(|error| Error::building(model, error))?;
        params.check_all_used_but(SpeechT5::is_harmless)?;
        Ok(Self {
            network,
            tokenizer: Tokenizer::open(model)?,
        })
    }

    /// The network.
    pub fn network(&self) -> &SpeechT5 {
        &self.network
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Whether there is a token for `letter`.
    ///
    /// # Errors
    /// If the tokenizer refuses it.
    pub fn knows(&self, letter: char) -> Result<bool, Error> {
        let ids = self.tokenizer.ids(letter.encode_utf8(&mut [0; 4]), false)?;
        let unknown = self.tokenizer.id("<unk>");
        Ok(!ids.iter().any(|&id| Some(id) == unknown))
    }

    /// Says the tokens `ids` as `speaker` `[1, features]` does.
    ///
    /// # Errors
    /// If there are more tokens than the model takes, or the speaker has another number of features than its speakers.
    pub fn speak(&self, ids: &[i64], speaker: &Tensor, ending: Ending) -> Result<Spoken, Error> {
        let network = &self.network;
        let most = network.max_tokens();
        if ids.len() as i64 > most || ids.is_empty() {
            return Err(Error::TextLength {
                tokens: ids.len(),
                most,
            });
        }
        if speaker.size() != [1, network.speaker_size()] {
            return Err(Error::Speaker {
                problem: format!(
                    "it has {} features, the model's have {}",
                    speaker.numel(),
                    network.speaker_size()
                ),
            });
        }
        let steps = |share: f64| (ids.len() as f64 * share / network.reduction() as f64) as usize;
        let longest = steps(ending.most).clamp(1, usize::try_from(network.max_steps()).unwrap_or(1));
        let config = GenerationConfig {
            eos_token_id: Some(STOP.into()),
            min_new_tokens: Some(steps(ending.least).saturating_sub(1).min(longest)),
            max_new_tokens: Some(longest),
            ..GenerationConfig::default()
        };
        let mut speech = Speech::new(network, ids, speaker, ending.threshold);
        generate(
            &mut speech,
            &Prompt::single(&[GO_ON])?,
            &config,
            Options::default(),
        )?;
        Ok(tch::no_grad(|| Spoken {
            spectrogram: network.refine(&Tensor::cat(&speech.frames, 1)).squeeze_dim(0),
            attention: speech.attention(),
            reduction: network.reduction(),
        }))
    }
}

/// What came of a text.
#[derive(Debug)]
pub struct Spoken {
    /// `[frames, bands]`
    pub spectrogram: Tensor,
    /// How much each head attends to each token in each step, `[heads, steps, tokens]`.
    attention: Tensor,
    /// Frames of a step.
    reduction: i64,
}

impl Spoken {
    /// How many frames each token lasts, by dynamic time warping over the attention.
    pub fn frames_of_tokens(&self) -> Vec<i64> {
        steps_of_tokens(&self.attention)
            .into_iter()
            .map(|steps| steps * self.reduction)
            .collect()
    }
}

/// How many steps each token lasts, from attention `[heads, steps, tokens]`: along the path through tokens and steps that
/// the head follows best which follows any such path best. What a head attends to all the time, as to the text's end,
/// does not count.
fn steps_of_tokens(attention: &Tensor) -> Vec<i64> {
    let (steps, tokens) = (attention.size()[1] as usize, attention.size()[2] as usize);
    let news = attention - attention.mean_dim(1i64, true, Kind::Float);
    let costs = (-news).transpose(1, 2).contiguous().to_device(Device::Cpu);
    let best = (0..costs.size()[0])
        .filter_map(|head| {
            let costs: Vec<f32> = Vec::try_from(costs.get(head).contiguous().view([-1])).ok()?;
            let path = warp(&costs, tokens, steps);
            let cost: f64 = path
                .iter()
                .map(|&(token, step)| f64::from(costs[token * steps + step]))
                .sum();
            Some((cost / path.len().max(1) as f64, path))
        })
        .min_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut lengths = vec![0; tokens];
    let mut next = 0;
    for (token, step) in best.map(|(_, path)| path).unwrap_or_default() {
        // A step in which the path passes several tokens is the first one's.
        if step == next {
            lengths[token] += 1;
            next += 1;
        }
    }
    lengths
}

/// The two tokens of the generation: another step, or none.
const GO_ON: i64 = 0;
const STOP: i64 = 1;

/// A [`Session`] whose tokens say no more than whether speech goes on; what is said are the frames.
struct Speech<'a> {
    network: &'a SpeechT5,
    speaker: Tensor,
    memory: Vec<[Tensor; 2]>,
    caches: Vec<KvCache>,
    threshold: f64,
    /// Of each step, `[1, reduction, bands]`.
    frames: Vec<Tensor>,
}

impl<'a> Speech<'a> {
    fn new(network: &'a SpeechT5, ids: &[i64], speaker: &Tensor, threshold: f64) -> Self {
        let device = network.device();
        let memory = tch::no_grad(|| {
            let ids = Tensor::from_slice(ids).view([1, -1]).to_device(device);
            network.remember(&network.encode(&ids))
        });
        Self {
            network,
            speaker: speaker.to_device(device),
            memory,
            caches: network.caches(256),
            threshold,
            frames: Vec::new(),
        }
    }

    /// The next step's logits, `[1, 1, 2]`.
    fn step(&mut self) -> Tensor {
        let bands = self.network.mels();
        let last = match self.frames.last() {
            Some(frames) => frames.narrow(1, self.network.reduction() - 1, 1),
            None => Tensor::zeros([1, 1, bands], (Kind::Float, self.network.device())),
        };
        let past = self.frames.len() as i64;
        let caches = Some(self.caches.as_mut_slice());
        let states = self
            .network
            .decode(&last, &self.speaker, &self.memory, past, caches);
        let (frames, stops) = self.network.read(&states);
        self.frames.push(frames);
        let ends = stops.sigmoid().sum(Kind::Float).double_value(&[]) >= self.threshold;
        let logits = if ends { [0f32, 1.0] } else { [1.0, 0.0] };
        Tensor::from_slice(&logits).view([1, 1, 2])
    }

    /// What the steps attended to, `[heads, steps, tokens]`.
    fn attention(&self) -> Tensor {
        let start = Tensor::zeros([1, 1, self.network.mels()], (Kind::Float, self.network.device()));
        let last = self.network.reduction() - 1;
        let before = self.frames.iter().rev().skip(1).rev();
        let seen: Vec<Tensor> = std::iter::once(start)
            .chain(before.map(|frames| frames.narrow(1, last, 1)))
            .collect();
        self.network
            .attention(&Tensor::cat(&seen, 1), &self.speaker, &self.memory)
    }
}

impl Session for Speech<'_> {
    fn rows(&self) -> i64 {
        1
    }

    fn len(&self) -> i64 {
        self.frames.len() as i64
    }

    fn limit(&self) -> Option<i64> {
        None
    }

    fn feed(&mut self, ids: &Tensor, last: i64) -> Tensor {
        let logits: Vec<Tensor> = (0..ids.size()[1]).map(|_| tch::no_grad(|| self.step())).collect();
        let logits = Tensor::cat(&logits, 1);
        logits.narrow(1, ids.size()[1] - last, last)
    }

    fn select(&mut self, _rows: &[i64]) {} // one row, which stays where it is

    fn truncate(&mut self, len: i64) {
        self.frames.truncate(usize::try_from(len).unwrap_or(0));
        for cache in &mut self.caches {
            cache.truncate(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_last_as_long_as_the_head_that_follows_the_text_is_at_them() {
        // Four tokens, of which the last is the end; two, three, one and two steps.
        let lengths = [2, 3, 1, 2];
        let path: Vec<i64> = (0..4)
            .flat_map(|token| vec![token; lengths[token as usize]])
            .collect();
        let attention = Tensor::full([3, 8, 4], 0.1, (Kind::Float, Device::Cpu));
        for (step, &token) in path.iter().enumerate() {
            let at = |head: i64, token: i64, value: f64| {
                let _ = attention.get(head).get(step as i64).get(token).fill_(value);
            };
            at(0, 3, 0.99); // always at the end
            at(1, token, 0.7); // with the text
            at(2, 3 - token, 0.8); // against it
        }
        assert_eq!(steps_of_tokens(&attention), [2, 3, 1, 2]);
    }

    #[test]
    fn more_tokens_than_steps_have_no_time() {
        let attention = Tensor::ones([1, 2, 5], (Kind::Float, Device::Cpu));
        let lengths = steps_of_tokens(&attention);
        assert_eq!((lengths.len(), lengths.iter().sum::<i64>()), (5, 2));
    }
}
