//! Speech to text by Whisper (arXiv 2212.04356): recordings of any length, in windows of 30 seconds.
//!
//! Windows follow each other as in the reference (`WhisperGenerationMixin.generate` of transformers, release 5):
//! where a window's last words have times, the next one begins there. [`Checks`] are those of the reference program
//! (`openai/whisper`); with them windows begin and words last as there, too.

mod alignment;
mod inventions;
mod join;
mod languages;
mod lengths;
mod log_probs;
mod prompt;
mod quality;
mod recording;
mod segments;
mod teach;
#[cfg(test)]
mod tests;
mod times;
mod timestamps;
mod together;
mod tokens;
mod transcript;
mod windows;
mod words;
mod write;

use sensorium_blocks::Params;
use sensorium_blocks::seq2seq::Decoder;
use sensorium_generation::GenerationConfig;
use sensorium_hub::Model;
use sensorium_tokenizer::{DecodeOptions, Tokenizer};
use serde_json::Value;
use tch::{Device, Kind};

use crate::audio::Audio;
use crate::error::Error;
use crate::features::{Extractor, Samples, Spectrogram, SpectrogramParts, WhisperFeatures, WholeSpectrogram};
use crate::models::whisper::Whisper;

pub use quality::{Checks, Quality};
pub use recording::Recording;
pub use segments::Segment;
pub use together::Said;
pub use tokens::{Task, Tokens};
pub use transcript::{Chunk, Transcript};

use prompt::Named;
use times::Part;

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
    /// What the model's settings name.
    named: Named,
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
    /// The language that is spoken, as a code (`en`) or a name (`English`); if none is named that of the model's settings,
    /// or the one that the model finds.
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

impl WhisperOptions {
    /// Whether words are left out that nobody said.
    fn reviews(&self) -> bool {
        let checks = self.checks.as_ref();
        checks.is_some_and(|checks| checks.hallucination_silence.is_some())
    }
}

impl WhisperRecognizer {
    /// Opens a checkpoint; floating-point weights are converted to `kind` if one is named.
    ///
    /// # Errors
    /// If a file is missing or damaged, the configuration makes no sense, or tensors are missing, misshapen or left
    /// over.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let mut params = Params::stored(model.weights()?).on(device);
        if let Some(kind) = kind {
            params = params.of_kind(kind);
        }
        Self::with_params(model, &model.config()?, &params)
    }

    /// The same with `params` for the weights and `config` for the network: what is to be trained.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_params(model: &Model, config: &Value, params: &Params) -> Result<Self, Error> {
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
        let network = Whisper::new(config, params).map_err(|error| Error::building(model, error))?;
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
        let mut published: GenerationConfig = serde_json::from_value(settings.clone())
            .map_err(|error| Error::in_file(model, "generation_config.json", error))?;
        let tokens = Tokens::new(model, &settings, &tokenizer)?;
        let forced = published.forced_decoder_ids.take();
        Ok(Self {
            named: Named::new(model, &settings, forced, config, &tokens)?,
            alignment: alignment_heads(model, &settings, network.decoder())?,
            median: config
                .get("median_filter_width")
                .and_then(Value::as_i64)
                .unwrap_or(7),
            no_speech: ["<|nospeech|>", "<|nocaptions|>"]
                .iter()
                .find_map(|token| tokenizer.id(token)),
            tokens,
            model: network,
            features,
            tokenizer,
            published,
            device: params.device(),
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
        samples: impl Samples,
        options: &WhisperOptions,
        each: &mut dyn FnMut(Segment) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.alone(self.recording(samples)?, 1, options, each)
    }

    /// What is said in a spectrogram of any length: `each` is given segment after segment, as soon as it is known.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe), and those of `each`, which end the hearing.
    pub fn hear(
        &self,
        mels: &mut dyn Spectrogram,
        options: &WhisperOptions,
        each: &mut dyn FnMut(Segment) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.alone(Recording::new(mels), 1, options, each)
    }

    /// What is said in a recording, of which up to `most` parts are heard at once.
    pub(crate) fn alone(
        &self,
        recording: Recording<'_>,
        most: usize,
        options: &WhisperOptions,
        each: &mut dyn FnMut(Segment) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut result = Ok(());
        self.hear_together([Ok(recording)], most, options, &mut |_, heard| match heard {
            Said::Segment(segment) => each(segment),
            Said::End(ended) => {
                result = ended;
                Ok(())
            }
        });
        result
    }

    /// `samples` at [`rate`](Self::rate) as a recording. Of a long one only windows that are being heard are in memory;
    /// a shorter one than a window is padded.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub fn recording<'a>(&'a self, mut samples: impl Samples + 'a) -> Result<Recording<'a>, Error> {
        let count = samples.count();
        if count > self.features.window() {
            return Ok(Recording::new(SpectrogramParts::new(&self.features, samples)?));
        }
        let mut all = vec![0.0; count];
        samples.read(0, &mut all)?;
        Ok(Recording::new(WholeSpectrogram {
            mels: self.features.windows(&[all]).values.squeeze_dim(0),
            sound: (count / self.features.hop_length) as i64,
        }))
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
