//! Speech to text by Whisper (arXiv 2212.04356): recordings of any length, in windows of 30 seconds.
//!
//! Windows follow each other as in the reference (`WhisperGenerationMixin.generate` of transformers, release 5):
//! where a window's last words have times, the next one begins there.

mod alignment;
mod join;
mod quality;
mod segments;
mod times;
mod timestamps;
mod tokens;
mod transcript;
mod windows;
mod words;

use sensorium_blocks::Params;
use sensorium_blocks::seq2seq::Decoder;
use sensorium_generation::{DecoderSession, GenerationConfig, Options, Prompt, generate};
use sensorium_hub::Model;
use sensorium_tokenizer::{DecodeOptions, Tokenizer};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::audio::Audio;
use crate::error::Error;
use crate::features::{Extractor, Samples, SpectrogramParts, WhisperFeatures, WholeSpectrogram};
use crate::models::whisper::Whisper;

pub use quality::Checks;
pub use segments::Segment;
pub use tokens::{Task, Tokens};
pub use transcript::{Chunk, Transcript};

use times::Part;
use timestamps::Timestamps;

/// Seconds of a step between timestamps.
pub const STEP: f64 = 0.02;

/// Whisper with what it needs besides the network.
#[derive(Debug)]
pub struct WhisperRecognizer {
    model: Whisper,
    features: WhisperFeatures,
    tokenizer: Tokenizer,
    tokens: Tokens,
    published: GenerationConfig,
    /// The token for silence.
    no_speech: Option<i64>,
    /// Heads that follow the speech, by layer and number.
    alignment: Vec<(usize, i64)>,
    /// Neighbours over which their attention is smoothed.
    median: i64,
    device: Device,
}

/// How a recording is heard.
#[derive(Debug, Clone, Default)]
pub struct WhisperOptions {
    /// The language that is spoken, as a code (`en`); found by the model if none is named.
    pub language: Option<String>,
    /// To write what is said, or its translation into English.
    pub task: Option<Task>,
    /// The model also tells when things are said. It must where the recording is longer than a window.
    pub timestamps: bool,
    /// When each token is said is found, too.
    pub words: bool,
    /// Tokens before the first ones: what was said before, or words to expect.
    pub prompt: Vec<i64>,
    /// Tokens of words to expect, which are put before those of what was said in each window.
    pub hot_words: Vec<i64>,
    /// How tokens are chosen; what is left out comes from the model's own settings.
    pub generation: GenerationConfig,
    /// What windows must pass, else they are written again or left out.
    pub checks: Option<Checks>,
}

impl WhisperRecognizer {
    /// Opens a checkpoint; floating-point weights are converted to `kind` if one is named.
    ///
    /// # Errors
    /// If a file is missing or damaged, the configuration makes no sense, or tensors are missing, misshapen or left
    /// over.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let config = model.config()?;
        let found = config
            .get("model_type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if found != "whisper" {
            return Err(Error::ModelType {
                model: model.to_string(),
                found: found.to_string(),
                task: "speech recognition with a decoder",
                known: "whisper".to_string(),
            });
        }
        let mut params = Params::stored(model.weights()?).on(device);
        if let Some(kind) = kind {
            params = params.of_kind(kind);
        }
        let network = Whisper::new(&config, &params).map_err(|error| Error::building(model, error))?;
        params.check_all_used_but(|name| name.ends_with("proj_out.weight"))?;
        let Extractor::Whisper(features) = Extractor::open(model)? else {
            let problem = "it describes no features of Whisper".to_string();
            return Err(Error::in_file(
                model,
                "preprocessor_config.json",
                sensorium_blocks::ConfigProblem::Other(problem),
            ));
        };
        let tokenizer = Tokenizer::open(model)?;
        let settings: Value = match model.read("generation_config.json")? {
            Some(_) => model.json_as("generation_config.json")?,
            None => config.clone(),
        };
        let published = serde_json::from_value(settings.clone())
            .map_err(|error| Error::in_file(model, "generation_config.json", error))?;
        Ok(Self {
            alignment: alignment_heads(model, &settings, network.decoder())?,
            median: config
                .get("median_filter_width")
                .and_then(Value::as_i64)
                .unwrap_or(7),
            no_speech: ["<|nospeech|>", "<|nocaptions|>"]
                .iter()
                .find_map(|token| tokenizer.id(token)),
            tokens: Tokens::new(model, &settings, &tokenizer)?,
            model: network,
            features,
            tokenizer,
            published,
            device,
        })
    }

    /// The rate that samples must have, in Hz.
    pub fn rate(&self) -> u32 {
        self.features.sampling_rate
    }

    /// The network.
    pub fn model(&self) -> &Whisper {
        &self.model
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokens that mean something special.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// What turns samples into spectrograms.
    pub fn features(&self) -> &WhisperFeatures {
        &self.features
    }

    /// What is said in `audio`, segment by segment.
    ///
    /// # Errors
    /// If the language is not known, or a setting makes no sense.
    pub fn transcribe(&self, audio: &Audio, options: &WhisperOptions) -> Result<Vec<Segment>, Error> {
        self.segments(audio.mono_at(self.rate())?, options)
    }

    fn segments(&self, samples: Vec<f32>, options: &WhisperOptions) -> Result<Vec<Segment>, Error> {
        let mut segments = Vec::new();
        self.listen(samples, options, &mut |segment| {
            segments.push(segment);
            Ok(())
        })?;
        Ok(segments)
    }

    /// What is said in `samples` at [`rate`](Self::rate): `each` is given segment after segment, as soon as it is
    /// known. Of a long recording only the window that is being heard is in memory.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe), if samples cannot be read, and those of `each`, which end the hearing.
    pub fn listen(
        &self,
        mut samples: impl Samples,
        options: &WhisperOptions,
        each: &mut dyn FnMut(Segment) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count = samples.count();
        let long = count > self.features.window();
        let options = WhisperOptions {
            timestamps: options.timestamps || options.words || long,
            ..options.clone()
        };
        if long {
            let mut mels = SpectrogramParts::new(&self.features, samples)?;
            return self.hear(&mut mels, &options, each);
        }
        let mut all = vec![0.0; count];
        samples.read(0, &mut all)?;
        let mut mels = WholeSpectrogram {
            mels: self.features.windows(&[all]).values.squeeze_dim(0),
            sound: (count / self.features.hop_length) as i64,
        };
        self.hear(&mut mels, &options, each)
    }

    /// The text of tokens, without special ones and times.
    ///
    /// # Errors
    /// If the tokenizer refuses them.
    pub fn text(&self, ids: &[i64]) -> Result<String, Error> {
        Ok(self.tokenizer.decode(ids, &DecodeOptions::default())?)
    }

    /// The text of tokens of one or more windows, with times since the recording's beginning, as `<|1.42|>`.
    ///
    /// # Errors
    /// If the tokenizer refuses them.
    pub fn text_with_times(&self, ids: &[i64]) -> Result<String, Error> {
        let mut text = String::new();
        for part in times::parts(ids, self.tokens.first_time) {
            match part {
                Part::Time(seconds) => text += &format!("<|{seconds:.2}|>"),
                Part::Words(ids) => text += &self.tokenizer.decode(&ids, &DecodeOptions::verbatim())?,
            }
        }
        Ok(text)
    }

    /// What is said between each two times of tokens of one or more windows: begin and end in seconds, and the text.
    ///
    /// # Errors
    /// If the tokenizer refuses them.
    pub fn spans(&self, ids: &[i64]) -> Result<Vec<(f64, f64, String)>, Error> {
        let spans = times::spans(ids, self.tokens.first_time).into_iter();
        spans
            .map(|(start, end, ids)| Ok((start, end, self.text(&ids)?)))
            .collect()
    }

    fn encode(&self, mels: &Tensor) -> Tensor {
        tch::no_grad(|| self.model.encode(&mels.unsqueeze(0).to_device(self.device)))
    }

    /// Tokens for one window, of which the first `steps` steps are no padding; without what came before and without
    /// the end; above a `temperature` of 0 drawn by chance.
    fn write(
        &self,
        states: &Tensor,
        start: &[i64],
        steps: i64,
        options: &WhisperOptions,
        temperature: f64,
    ) -> Result<Written, Error> {
        let mut config = options.generation.clone().merge(&self.published);
        if temperature > 0.0 {
            config.num_beams = None;
            config.do_sample = Some(true);
            config.temperature = Some(temperature as _);
        }
        let most = usize::try_from(self.model.max_tokens()).unwrap_or(usize::MAX);
        if config.max_new_tokens.is_none() {
            let first = start.len().min((most / 2).saturating_sub(1));
            let length = config.max_length.unwrap_or(most).saturating_add(first);
            config.max_length = Some(length.min(most));
        }
        let memory = tch::no_grad(|| self.model.remember(states));
        let mut session = DecoderSession::new(self.model.decoder(), memory, 0, self.device);
        let mut generation = Options::default();
        if options.timestamps {
            let begin = start.len();
            generation
                .processors
                .push(Box::new(Timestamps::new(&self.tokens, begin)));
        }
        let prompt = Prompt::single(start)?;
        let written = generate(&mut session, &prompt, &config, generation)?;
        let mut ids = written
            .into_iter()
            .next()
            .map_or(Vec::new(), |written| written.ids);
        let ended = ids.last() == Some(&self.tokens.end);
        while ids.last() == Some(&self.tokens.end) {
            ids.pop();
        }
        let times = match options.words {
            true => self.token_times(states, start, &ids, ended, steps),
            false => Vec::new(),
        };
        Ok(Written { ids, times })
    }

    /// When each of `ids` is said, in seconds since the window's beginning.
    fn token_times(&self, states: &Tensor, start: &[i64], ids: &[i64], ended: bool, steps: i64) -> Vec<f64> {
        let all: Vec<i64> = start.iter().chain(ids).copied().collect();
        // As in the reference a last token that is not the end was never attended from.
        let attended = if ended {
            ids.len()
        } else {
            ids.len().saturating_sub(1)
        };
        let weights = tch::no_grad(|| {
            let memory = self.model.remember(states);
            let all = Tensor::from_slice(&all).view([1, -1]).to_device(self.device);
            let weights = self.model.decoder().cross_weights(&all, &memory, &self.alignment);
            weights.get(0).narrow(1, start.len() as i64, attended as i64)
        });
        let mut times = alignment::token_times(&weights.to_device(Device::Cpu), steps, self.median);
        times.resize(ids.len(), times.last().copied().unwrap_or(0.0));
        times
    }
}

/// What the decoder wrote for a window.
struct Written {
    ids: Vec<i64>,
    /// When each is said, in seconds since the window's beginning; empty if nobody asked.
    times: Vec<f64>,
}

/// The heads that follow the speech: those that the model's settings name, or else all of the upper half.
fn alignment_heads(model: &Model, settings: &Value, decoder: &Decoder) -> Result<Vec<(usize, i64)>, Error> {
    let layers = decoder.layers.len();
    let heads = decoder.layers.first().map_or(0, |layer| layer.heads());
    let Some(named) = settings.get("alignment_heads").filter(|named| !named.is_null()) else {
        let upper = (layers / 2..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head)));
        return Ok(upper.collect());
    };
    let named = serde_json::from_value::<Vec<(usize, i64)>>(named.clone()).unwrap_or_default();
    let known = |(layer, head): &(usize, i64)| *layer < layers && (0..heads).contains(head);
    if named.is_empty() || !named.iter().all(known) {
        let problem = format!("`alignment_heads` is no list of pairs below {layers} and {heads}");
        return Err(Error::in_file(
            model,
            "generation_config.json",
            sensorium_blocks::ConfigProblem::Other(problem),
        ));
    }
    Ok(named)
}
