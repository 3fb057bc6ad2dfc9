//! Checks of voices: what they read, spectrograms, samples.

use anyhow::{Context, Result, bail};
use sensorium_speech::models::{fastspeech2, vits::Manner};
use sensorium_speech::speak::{Ending, FastSpeech2Voice, HifiGanVocoder, SpeechT5Voice, VitsVoice, Vocoder};
use sensorium_tokenizer::{Characters, Spelled};
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use crate::case::{Case, Check};
use crate::value::{ids, of_tensor};

/// The voice of a case, opened when needed.
pub struct VoiceTools<'a> {
    case: &'a Case,
}

impl<'a> VoiceTools<'a> {
    pub fn new(case: &'a Case) -> Self {
        Self { case }
    }

    fn is(&self, model_type: &str) -> bool {
        let config = self.case.model().config().unwrap_or_default();
        config.get("model_type").and_then(Value::as_str) == Some(model_type)
    }

    /// Whether the case's model reads characters with blanks in between.
    pub fn reads_characters(&self) -> bool {
        self.is("vits")
    }

    /// Whether the check is of a speaker's spectrogram.
    pub fn has_speaker(&self, check: &Check) -> bool {
        check.input.contains_key("speaker_embeddings")
    }

    /// Ids and tokens of texts.
    pub fn tokenize(&self, check: &Check) -> Result<Map<String, Value>> {
        let characters = Characters::open(&self.case.model())?;
        let most = check
            .input
            .get("max_length")
            .and_then(Value::as_u64)
            .map(|most| most as usize);
        let mut result = Map::new();
        if let Some(texts) = check.input.get("texts") {
            let texts: Vec<String> = serde_json::from_value(texts.clone())?;
            let mut rows: Vec<Vec<i64>> = texts.iter().map(|text| characters.encode(text).ids).collect();
            rows.iter_mut()
                .for_each(|row| row.truncate(most.unwrap_or(usize::MAX)));
            let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
            if rows.iter().any(|row| row.len() < longest) {
                bail!("rows of different lengths are not padded");
            }
            let mask: Vec<Vec<i64>> = rows.iter().map(|row| vec![1; row.len()]).collect();
            result.insert("input_ids".to_string(), json!(rows));
            result.insert("attention_mask".to_string(), json!(mask));
            return Ok(result);
        }
        let text = check.input["text"].as_str().context("no text")?;
        let Spelled { ids, tokens, .. } = characters.encode(text);
        result.insert("attention_mask".to_string(), json!(vec![1; ids.len()]));
        result.insert("input_ids".to_string(), json!(ids));
        result.insert("tokens".to_string(), json!(tokens));
        result.insert("input_ids_no_special".to_string(), json!(ids));
        Ok(result)
    }

    fn tensor(&self, check: &Check, name: &str) -> Result<Tensor> {
        self.case
            .tensor(check.input.get(name).with_context(|| format!("no {name}"))?)
    }

    /// A vocoder's samples.
    pub fn vocoder(&self, check: &Check) -> Result<Map<String, Value>> {
        let samples = self.open_vocoder()?.samples(&self.tensor(check, "spectrogram")?);
        Ok(Map::from_iter([("waveform".to_string(), of_tensor(&samples))]))
    }

    fn open_vocoder(&self) -> Result<HifiGanVocoder> {
        let model = self.case.model().part("vocoder").context("no vocoder")?;
        Ok(HifiGanVocoder::open(&model, Device::Cpu, None)?)
    }

    /// The decoder's spectrogram for given frames.
    pub fn forward(&self, check: &Check) -> Result<Map<String, Value>> {
        let voice = SpeechT5Voice::open(&self.case.model(), Device::Cpu, None)?;
        let network = voice.network();
        let ids = self.tensor(check, "input_ids")?;
        let (frames, speaker) = (
            self.tensor(check, "decoder_input_values")?,
            self.tensor(check, "speaker_embeddings")?,
        );
        let _guard = tch::no_grad_guard();
        let states = network.encode(&ids);
        let memory = network.remember(&states);
        let decoded = network.decode(&frames, &speaker, &memory, 0, None);
        let spectrogram = network.refine(&network.read(&decoded).0);
        Ok(Map::from_iter([
            ("spectrogram".to_string(), of_tensor(&spectrogram)),
            ("encoder_last_hidden_state".to_string(), of_tensor(&states)),
        ]))
    }

    /// What is said.
    pub fn speak(&self, check: &Check) -> Result<Map<String, Value>> {
        if FastSpeech2Voice::MODEL_TYPES.iter().any(|family| self.is(family)) {
            return self.speak_phonemes(check);
        }
        let text = check.input["text"].as_str().context("no text")?;
        let given = ids(&check.input["input_ids"][0]);
        if self.is("vits") {
            let voice = VitsVoice::open(&self.case.model(), Device::Cpu, None)?;
            let found = voice.characters().encode(text).ids;
            if found != given {
                bail!("the text has the ids {found:?}, expected {given:?}");
            }
            let manner = Manner {
                speaker: check.input.get("speaker_id").and_then(Value::as_i64),
                ..voice.manner()
            };
            let said = voice.say(&found, &manner)?;
            let samples = said.samples.unsqueeze(0);
            return Ok(Map::from_iter([
                (
                    "sequence_lengths".to_string(),
                    of_tensor(&Tensor::from_slice(&[samples.size()[1]])),
                ),
                ("waveform".to_string(), of_tensor(&samples)),
                ("spectrogram".to_string(), of_tensor(&said.latents)),
                (
                    "text_encoder_last_hidden_state".to_string(),
                    of_tensor(&said.states),
                ),
            ]));
        }
        let voice = SpeechT5Voice::open(&self.case.model(), Device::Cpu, None)?;
        let found = voice.tokenizer().ids(text, true)?;
        if found != given {
            bail!("the text has the ids {found:?}, expected {given:?}");
        }
        let number = |name: &str| {
            check
                .param(name)
                .and_then(Value::as_f64)
                .with_context(|| format!("no {name}"))
        };
        let ending = Ending {
            threshold: number("threshold")?,
            least: number("minlenratio")?,
            most: number("maxlenratio")?,
        };
        let spoken = voice.speak(&found, &self.tensor(check, "speaker_embeddings")?, ending)?;
        let lengths = spoken.frames_of_tokens();
        let spectrogram = spoken.spectrogram;
        if lengths.len() != found.len() || lengths.iter().sum::<i64>() != spectrogram.size()[0] {
            bail!("the tokens last {lengths:?} frames of {:?}", spectrogram.size());
        }
        let samples = self.open_vocoder()?.samples(&spectrogram);
        Ok(Map::from_iter([
            ("spectrogram".to_string(), of_tensor(&spectrogram)),
            ("waveform".to_string(), of_tensor(&samples)),
        ]))
    }

    /// What FastSpeech 2 says.
    fn speak_phonemes(&self, check: &Check) -> Result<Map<String, Value>> {
        let voice = FastSpeech2Voice::open(&self.case.model(), None, Device::Cpu, None)?;
        let number = |name: &str| check.input.get(name).and_then(Value::as_i64);
        let features = check.input.get("speaker_embedding");
        let manner = fastspeech2::Manner {
            speaker: number("speaker_id"),
            language: number("lang_id"),
            features: features.map(|features| self.case.tensor(features)).transpose()?,
            ..fastspeech2::Manner::default()
        };
        let said = voice.say(&ids(&check.input["input_ids"][0]), &manner)?;
        let samples = voice.vocoder().samples(&said.spectrogram);
        let fields = [
            ("spectrogram", &said.spectrogram),
            ("waveform", &samples),
            ("durations", &Tensor::from_slice(&said.frames)),
            ("pitch", &said.pitch),
            ("energy", &said.energy),
            ("encoder_last_hidden_state", &said.states),
        ];
        let named = fields.map(|(name, tensor)| (name.to_string(), of_tensor(tensor)));
        Ok(Map::from_iter(named))
    }
}
