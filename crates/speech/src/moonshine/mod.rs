//! Speech to text by Moonshine (arXiv 2410.15608): recordings of any length, cut at pauses.

mod limit;
mod pieces;

use sensorium_blocks::Params;
use sensorium_generation::{
    DecoderSession, Generated, GenerationConfig, OneOrMany, Options, Prompt, generate,
};
use sensorium_hub::Model;
use sensorium_tokenizer::{DecodeOptions, Tokenizer};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::audio::Audio;
use crate::error::Error;
use crate::features::{Extractor, Samples, Waveform};
use crate::models::moonshine::{Heard, Moonshine};

use limit::Limit;
use pieces::pieces;

/// Seconds that the model hears at once, at most: those of the longest recordings it was trained on.
const LONGEST: f64 = 30.0;
/// The same where times are wanted: the model has none, so that they are those of the pieces.
const LONGEST_TIMED: f64 = 8.0;
/// Pieces that are heard together.
const TOGETHER: usize = 4;

/// Moonshine with what it needs besides the network.
#[derive(Debug)]
pub struct MoonshineRecognizer {
    model: Moonshine,
    features: Waveform,
    tokenizer: Tokenizer,
    published: GenerationConfig,
    /// The token that a text begins with.
    start: i64,
    device: Device,
}

/// How a recording is heard.
#[derive(Debug, Clone, Default)]
pub struct MoonshineOptions {
    /// Pieces are short, so that their times tell when things are said.
    pub timestamps: bool,
    /// How tokens are chosen; what is left out comes from the model's own settings. Unless it says how many tokens
    /// there may be, a recording's length does.
    pub generation: GenerationConfig,
}

/// What is said between two pauses.
#[derive(Debug, Clone, PartialEq)]
pub struct Phrase {
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
    /// The text, without blanks around it.
    pub text: String,
}

/// What stands between a phrase and the text before it: a blank, unless there is none in their script.
pub fn between(text: &str, phrase: &str) -> &'static str {
    // Kana and Han.
    let solid =
        |letter: Option<char>| letter.is_some_and(|letter| ('\u{3000}'..='\u{9fff}').contains(&letter));
    match text.is_empty() || solid(text.chars().next_back()) && solid(phrase.chars().next()) {
        true => "",
        false => " ",
    }
}

impl MoonshineRecognizer {
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
        if found != "moonshine" {
            return Err(Error::ModelType {
                model: model.to_string(),
                found: found.to_string(),
                task: "speech recognition by waveforms",
                known: "moonshine".to_string(),
            });
        }
        let mut params = Params::stored(model.weights()?).on(device);
        if let Some(kind) = kind {
            params = params.of_kind(kind);
        }
        let network = Moonshine::new(&config, &params).map_err(|error| Error::building(model, error))?;
        params.check_all_used_but(|name| name == "proj_out.weight")?;
        let other = |file, problem: &str| {
            let problem = sensorium_blocks::ConfigProblem::Other(problem.to_string());
            Error::in_file(model, file, problem)
        };
        let Extractor::Waveform(features) = Extractor::open(model)? else {
            return Err(other("preprocessor_config.json", "it describes no waveforms"));
        };
        let older: GenerationConfig =
            serde_json::from_value(config).map_err(|error| Error::config(model, error))?;
        let published = match model.read("generation_config.json")? {
            Some(_) => model.json_as("generation_config.json")?,
            None => GenerationConfig::default(),
        }
        .merge(&older);
        let start = published.decoder_start_token_id.or(published.bos_token_id);
        Ok(Self {
            model: network,
            features,
            tokenizer: Tokenizer::open(model)?,
            start: start.ok_or_else(|| other("config.json", "`decoder_start_token_id` is missing"))?,
            published,
            device,
        })
    }

    /// The rate that samples must have, in Hz.
    pub fn rate(&self) -> u32 {
        self.features.sampling_rate
    }

    /// The network.
    pub fn model(&self) -> &Moonshine {
        &self.model
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The text of tokens, without special ones.
    ///
    /// # Errors
    /// If the tokenizer refuses them.
    pub fn text(&self, ids: &[i64]) -> Result<String, Error> {
        Ok(self.tokenizer.decode(ids, &DecodeOptions::default())?)
    }

    /// What is said in `audio`, phrase by phrase; those without a word are left out.
    ///
    /// # Errors
    /// If it is too short to be heard, or a setting makes no sense.
    pub fn transcribe(&self, audio: &Audio, options: &MoonshineOptions) -> Result<Vec<Phrase>, Error> {
        let mut phrases = Vec::new();
        self.listen(audio.mono_at(self.rate())?, options, &mut |phrase| {
            phrases.push(phrase);
            Ok(())
        })?;
        Ok(phrases)
    }

    /// What is said in `samples` at [`rate`](Self::rate): `each` is given a phrase as soon as it is known. Of a long
    /// recording only what is being heard is in memory.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe), if samples cannot be read, or those of `each`.
    pub fn listen(
        &self,
        mut samples: impl Samples,
        options: &MoonshineOptions,
        each: &mut dyn FnMut(Phrase) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let longest = if options.timestamps {
            LONGEST_TIMED
        } else {
            LONGEST
        };
        let found = pieces(&mut samples, self.rate(), longest)?;
        for together in found.chunks(TOGETHER) {
            let mut recordings = Vec::new();
            for piece in together {
                let mut recording = vec![0.0; piece.samples.len()];
                samples.read(piece.samples.start, &mut recording)?;
                recordings.push(recording);
            }
            let recordings: Vec<&[f32]> = recordings.iter().map(Vec::as_slice).collect();
            let written = self.write(&recordings, &options.generation)?;
            for (piece, written) in together.iter().zip(written) {
                let text = self.text(&written.ids)?.trim().to_string();
                if !text.is_empty() {
                    let (start, end) = piece.voice;
                    each(Phrase { start, end, text })?;
                }
            }
        }
        Ok(())
    }

    /// Writes what is said in each of `recordings`, of one channel at [`rate`](Self::rate), together: the likeliest
    /// tokens of each, as it would be heard alone.
    ///
    /// # Errors
    /// If one is too short to be heard, or a setting makes no sense.
    pub fn write(&self, recordings: &[&[f32]], config: &GenerationConfig) -> Result<Vec<Generated>, Error> {
        let least = Moonshine::LEAST_SAMPLES;
        if let Some(short) = recordings.iter().find(|recording| recording.len() < least) {
            return Err(Error::TooShort {
                samples: short.len(),
                rate: self.rate(),
                least,
            });
        }
        let one = |recording: &&[f32]| {
            let values = self.features.features(&[recording.to_vec()]).values;
            values.squeeze_dim(0).to_device(self.device)
        };
        let samples: Vec<Tensor> = recordings.iter().map(one).collect();
        let heard = tch::no_grad(|| self.model.encode_each(&samples));
        let seconds = |recording: &&[f32]| recording.len() as f64 / f64::from(self.rate());
        let seconds = recordings.iter().map(seconds).collect();
        let written = self.continue_from(&heard, config, seconds, Options::default())?;
        // Where several were asked for, the best comes first.
        let mut best: Vec<Option<Generated>> = recordings.iter().map(|_| None).collect();
        for generated in written {
            let row = generated.row;
            best[row].get_or_insert(generated);
        }
        Ok(best.into_iter().flatten().collect())
    }

    /// Writes for recordings that the encoder has heard, which last so many `seconds`.
    ///
    /// # Errors
    /// If a setting makes no sense.
    pub fn continue_from<'a>(
        &'a self,
        heard: &Heard,
        config: &GenerationConfig,
        seconds: Vec<f64>,
        mut options: Options<'a>,
    ) -> Result<Vec<Generated>, Error> {
        let said = config.max_new_tokens.is_some() || config.max_length.is_some();
        let mut config = config.clone().merge(&self.published);
        if !said {
            let ends = config.eos_token_id.as_ref().map(OneOrMany::as_slice);
            let limit = Limit::new(&self.tokenizer, seconds, ends.unwrap_or_default());
            config.max_new_tokens = Some(limit.most());
            options.processors.push(Box::new(limit));
        }
        let memory = tch::no_grad(|| self.model.remember(heard));
        let rows = usize::try_from(heard.states.size()[0]).unwrap_or(0);
        let mut session = DecoderSession::new(self.model.decoder(), memory, 0, self.device);
        let prompt = Prompt::start(rows, &[self.start])?;
        Ok(generate(&mut session, &prompt, &config, options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_where_the_script_has_them() {
        let join = |texts: &[&str]| {
            texts.iter().fold(String::new(), |text, phrase| {
                format!("{text}{}{phrase}", between(&text, phrase))
            })
        };
        assert_eq!(join(&[]), "");
        assert_eq!(join(&["Good evening.", "Is it?"]), "Good evening. Is it?");
        assert_eq!(join(&["今日は。", "雨です。"]), "今日は。雨です。");
        assert_eq!(join(&["今日は", "OK"]), "今日は OK");
    }
}
