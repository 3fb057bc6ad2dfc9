//! SpeechT5 as a voice: frames are written like tokens, until one says that it is the last.

use sensorium_blocks::{KvCache, Params};
use sensorium_generation::{GenerationConfig, Options, Prompt, Session, generate};
use sensorium_hub::Model;
use sensorium_tokenizer::Tokenizer;
use tch::{Device, Kind, Tensor};

use super::{GriffinLim, Said, SpeakOptions, Vocoder, Voice, samples_of};
use crate::error::Error;
use crate::features::MelShape;
use crate::models::speecht5::SpeechT5;

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

    fn tells_times(&self) -> bool {
        false
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
        let text: String = text.chars().filter(|letter| !unknown.contains(letter)).collect();
        let samples = match text.chars().any(char::is_alphanumeric) {
            true => {
                let ids = self.voice.tokenizer().ids(&text, true)?;
                let spectrogram = self.voice.spectrogram(&ids, &self.speaker, Ending::default())?;
                samples_of(&self.vocoder.samples(&spectrogram))?
            }
            false => Vec::new(),
        };
        Ok(Said {
            samples,
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

    /// The spectrogram `[frames, bands]` of the tokens `ids`, said by `speaker` `[1, features]`.
    ///
    /// # Errors
    /// If there are more tokens than the model takes, or the speaker has another number of features than its speakers.
    pub fn spectrogram(&self, ids: &[i64], speaker: &Tensor, ending: Ending) -> Result<Tensor, Error> {
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
        let frames = Tensor::cat(&speech.frames, 1);
        Ok(tch::no_grad(|| network.refine(&frames)).squeeze_dim(0))
    }
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
