//! Checks of sounds: files, features, recognisers that spell, classifiers.

use anyhow::{Context, Result, bail};
use sensorium_generation::GenerationConfig;
use sensorium_speech::ctc::Chunks;
use sensorium_speech::features::{Extractor, Features};
use sensorium_speech::whisper::{Chunk, Segment, Task};
use sensorium_speech::{
    Audio, AudioClassifier, CtcRecognizer, Function, Piece, WhisperOptions, WhisperRecognizer,
};
use sensorium_tokenizer::DecodeOptions;
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use crate::case::{Case, Check};
use crate::moonshine::MoonshineTools;
use crate::value::{ids, of_tensor};

/// The models of a case, opened when first needed.
pub struct SpeechTools<'a> {
    case: &'a Case,
    recognizer: Option<CtcRecognizer>,
    classifier: Option<AudioClassifier>,
    whisper: Option<WhisperRecognizer>,
    moonshine: Option<MoonshineTools>,
}

impl<'a> SpeechTools<'a> {
    pub fn new(case: &'a Case) -> Self {
        Self {
            case,
            recognizer: None,
            classifier: None,
            whisper: None,
            moonshine: None,
        }
    }

    /// Whether the case's model spells what it hears.
    pub fn spells(&self) -> bool {
        let config = self.case.model().config().unwrap_or_default();
        let architecture = config.pointer("/architectures/0").and_then(Value::as_str);
        architecture.is_some_and(|name| name.ends_with("ForCTC"))
    }

    /// Whether the case's model writes what it hears.
    pub fn writes(&self) -> bool {
        self.is("whisper") || self.is("moonshine")
    }

    fn is(&self, model_type: &str) -> bool {
        let config = self.case.model().config().unwrap_or_default();
        config.get("model_type").and_then(Value::as_str) == Some(model_type)
    }

    /// What `generate()` gives for sounds.
    pub fn generate(&mut self, check: &Check) -> Result<Map<String, Value>> {
        if self.is("moonshine") {
            let rate = self.moonshine()?.rate();
            let recordings = self.recordings(check, rate)?;
            return self.moonshine()?.generate(&recordings, check);
        }
        let options = whisper_options(check.params.as_ref())?;
        let model = self.whisper()?;
        let rate = model.rate();
        let recordings = self.recordings(check, rate)?;
        let model = self.whisper()?;
        let mut all: Vec<Vec<Segment>> = Vec::new();
        for recording in recordings {
            all.push(model.transcribe(&Audio::new(recording, 1, rate)?, &options)?);
        }
        let mut sequences: Vec<Vec<i64>> = all
            .iter()
            .map(|segments| segments.iter().flat_map(|segment| segment.ids.clone()).collect())
            .collect();
        let text = |options: DecodeOptions| -> Result<Value> {
            let texts = sequences
                .iter()
                .map(|ids| model.tokenizer().decode(ids, &options));
            Ok(json!(texts.collect::<Result<Vec<_>, _>>()?))
        };
        let mut result = Map::new();
        result.insert("text".to_string(), text(DecodeOptions::default())?);
        let with_special = DecodeOptions {
            timestamps: false,
            ..DecodeOptions::verbatim()
        };
        result.insert("text_with_special".to_string(), text(with_special)?);
        let timed = sequences.iter().map(|ids| model.text_with_times(ids));
        let timed: Vec<String> = timed.collect::<Result<_, _>>()?;
        result.insert("text_with_timestamps".to_string(), json!(timed));
        let longest = sequences.iter().map(Vec::len).max().unwrap_or(0);
        for ids in &mut sequences {
            ids.resize(longest, model.tokens().end);
        }
        result.insert("sequences".to_string(), json!(sequences));
        if let [segments] = all.as_slice() {
            let segment = |s: &Segment| json!({ "start": s.start, "end": s.end, "tokens": s.ids });
            result.insert("segments".to_string(), segments.iter().map(segment).collect());
        }
        Ok(result)
    }

    fn forward_writing(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let ids = check.input.get("decoder_input_ids");
        let ids = self.case.tensor(ids.context("no decoder_input_ids")?)?;
        if self.is("moonshine") {
            let rate = self.moonshine()?.rate();
            let recordings = self.recordings(check, rate)?;
            return Ok(self.moonshine()?.forward(&recordings, &ids));
        }
        let rate = self.whisper()?.rate();
        let recordings = self.recordings(check, rate)?;
        let model = self.whisper()?;
        let mels = model.features().windows(&recordings).values;
        let encoded = tch::no_grad(|| model.model().encode(&mels));
        let decoder = model.model().decoder();
        let states = tch::no_grad(|| {
            let memory = model.model().remember(&encoded);
            decoder.forward(&ids, Default::default(), &memory, None, false, None)
        });
        Ok(Map::from_iter([
            ("logits".to_string(), of_tensor(&decoder.logits(&states))),
            ("encoder_last_hidden_state".to_string(), of_tensor(&encoded)),
        ]))
    }

    fn whisper(&mut self) -> Result<&WhisperRecognizer> {
        if self.whisper.is_none() {
            self.whisper = Some(WhisperRecognizer::open(&self.case.model(), Device::Cpu, None)?);
        }
        self.whisper.as_ref().context("just opened")
    }

    fn moonshine(&mut self) -> Result<&MoonshineTools> {
        if self.moonshine.is_none() {
            self.moonshine = Some(MoonshineTools::open(&self.case.model())?);
        }
        self.moonshine.as_ref().context("just opened")
    }

    /// Samples of a file.
    pub fn decode_wav(&self, check: &Check) -> Result<Map<String, Value>> {
        let audio = self.open(check.input.get("audio").context("no audio")?)?;
        let shape = [audio.frames() as i64, audio.channels() as i64];
        let samples = Tensor::from_slice(audio.samples()).view(shape);
        Ok(Map::from_iter([
            ("sampling_rate".to_string(), json!(audio.rate())),
            ("channels".to_string(), json!(audio.channels())),
            ("frames".to_string(), json!(audio.frames())),
            ("samples".to_string(), of_tensor(&samples)),
            ("mono".to_string(), of_tensor(&Tensor::from_slice(&audio.mono()))),
        ]))
    }

    /// What a model is given.
    pub fn preprocess(&self, check: &Check) -> Result<Map<String, Value>> {
        let extractor = Extractor::open(&self.case.model())?;
        let recordings = self.recordings(check, extractor.rate())?;
        let whole = check.param("truncation") == Some(&json!(false));
        let Features { values, mask } = match &extractor {
            Extractor::Whisper(features) if whole => features.whole(&recordings),
            extractor => extractor.features(&recordings),
        };
        let name = match extractor {
            Extractor::Whisper(_) | Extractor::FilterBank(_) => "input_features",
            _ => "input_values",
        };
        let mut result = Map::from_iter([(name.to_string(), of_tensor(&values))]);
        if let Some(mask) = mask {
            result.insert("attention_mask".to_string(), of_tensor(&mask));
        }
        Ok(result)
    }

    /// Logits and hidden states.
    pub fn forward(&mut self, check: &Check) -> Result<Map<String, Value>> {
        if self.writes() {
            return self.forward_writing(check);
        }
        let all = check.param("output_hidden_states").is_some();
        let mut states = Vec::new();
        let logits = if self.spells() {
            let model = self.recognizer()?;
            let rate = model.rate();
            let recordings = self.recordings(check, rate)?;
            let (logits, found) = self.recognizer()?.logits(&recordings, all)?;
            states = found.all;
            logits
        } else {
            let rate = self.classifier()?.extractor().rate();
            let recordings = self.recordings(check, rate)?;
            self.classifier()?
                .logits(&recordings, all.then_some(&mut states))?
        };
        let mut result = Map::from_iter([("logits".to_string(), of_tensor(&logits))]);
        for (i, states) in states.iter().enumerate() {
            result.insert(format!("hidden_states.{i}"), of_tensor(states));
        }
        Ok(result)
    }

    /// What is said between the times of token ids.
    pub fn offsets(&mut self, check: &Check) -> Result<Value> {
        let ids = ids(check.input.get("ids").context("no ids")?);
        let spans = self.whisper()?.spans(&ids)?.into_iter();
        Ok(spans
            .map(|(start, end, text)| json!({ "text": text, "timestamp": [start, end] }))
            .collect())
    }

    /// Texts of token ids.
    pub fn decode(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let ids = ids(check.input.get("ids").context("no ids")?);
        let ids: Vec<usize> = ids
            .into_iter()
            .filter_map(|id| usize::try_from(id).ok())
            .collect();
        let model = self.recognizer()?;
        Ok(Map::from_iter([
            ("text".to_string(), json!(model.spell(&ids).text())),
            ("text_skip_special".to_string(), json!(model.plain_text(&ids))),
            ("text_ungrouped".to_string(), json!(model.ungrouped_text(&ids))),
        ]))
    }

    /// What the pipeline of the task gives.
    pub fn pipeline(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let audio = self.open(check.input.get("audio").context("no audio")?)?;
        let output = match check.pipeline.as_deref() {
            Some("audio-classification") => {
                let most = check.param("top_k").and_then(Value::as_u64).unwrap_or(5);
                let function = match check.param("function_to_apply").and_then(Value::as_str) {
                    Some("sigmoid") => Function::Sigmoid,
                    Some("none") => Function::None,
                    _ => Function::Softmax,
                };
                let labels = self
                    .classifier()?
                    .classify(&audio, Some(most as usize), function)?;
                labels
                    .into_iter()
                    .map(|label| json!({ "score": label.score, "label": label.label }))
                    .collect()
            }
            Some("automatic-speech-recognition") if self.spells() => {
                let spelling = self.recognizer()?.transcribe(&audio, chunks(check)?)?;
                let chunk =
                    |piece: &Piece| json!({ "text": piece.text, "timestamp": [piece.start, piece.end] });
                let mut output = json!({ "text": spelling.text() });
                match check.param("return_timestamps").and_then(Value::as_str) {
                    Some("char") => output["chunks"] = spelling.letters.iter().map(chunk).collect(),
                    Some("word") => output["chunks"] = spelling.words().iter().map(chunk).collect(),
                    _ => {}
                }
                output
            }
            Some("automatic-speech-recognition") if self.is("moonshine") => {
                let model = self.moonshine()?;
                model.pipeline(&audio.mono_at(model.rate())?, check)?
            }
            Some("automatic-speech-recognition") if self.writes() => {
                let params = check.param("generate_kwargs").and_then(Value::as_object);
                // The reference's pipeline searches five beams unless told otherwise.
                let mut options = whisper_options(params)?;
                options.generation.num_beams = options.generation.num_beams.or(Some(5));
                options.generation.max_new_tokens = options.generation.max_new_tokens.or(Some(256));
                let times = check.param("return_timestamps");
                options.words = times == Some(&json!("word"));
                options.timestamps = options.words || times == Some(&json!(true));
                let found = self.whisper()?.read(&audio, &options, chunks(check)?)?;
                let mut output = json!({ "text": found.text });
                let words = |chunk: &Chunk| chunk.words.clone();
                if options.words {
                    let chunk =
                        |piece: Piece| json!({ "text": piece.text, "timestamp": [piece.start, piece.end] });
                    output["chunks"] = found.chunks.iter().flat_map(words).map(chunk).collect();
                } else if options.timestamps {
                    let chunk =
                        |chunk: &Chunk| json!({ "text": chunk.text, "timestamp": [chunk.start, chunk.end] });
                    output["chunks"] = found.chunks.iter().map(chunk).collect();
                }
                output
            }
            other => bail!("the pipeline `{}` cannot be run yet", other.unwrap_or_default()),
        };
        Ok(Map::from_iter([("output".to_string(), output)]))
    }

    fn open(&self, name: &Value) -> Result<Audio> {
        let name = name.as_str().context("no path")?;
        Audio::open(&self.case.folder.join(name)).with_context(|| name.to_string())
    }

    /// The recordings of a check, of one channel at `rate` Hz.
    fn recordings(&self, check: &Check, rate: u32) -> Result<Vec<Vec<f32>>> {
        let names = match (check.input.get("audios"), check.input.get("audio")) {
            (Some(Value::Array(names)), _) => names.clone(),
            (_, Some(name)) => vec![name.clone()],
            _ => bail!("no audio"),
        };
        let one = |name: &Value| Ok(self.open(name)?.mono_at(rate)?);
        names.iter().map(one).collect()
    }

    fn recognizer(&mut self) -> Result<&CtcRecognizer> {
        if self.recognizer.is_none() {
            self.recognizer = Some(CtcRecognizer::open(&self.case.model(), Device::Cpu, None)?);
        }
        self.recognizer.as_ref().context("just opened")
    }

    fn classifier(&mut self) -> Result<&AudioClassifier> {
        if self.classifier.is_none() {
            self.classifier = Some(AudioClassifier::open(&self.case.model(), Device::Cpu, None)?);
        }
        self.classifier.as_ref().context("just opened")
    }
}

/// `chunk_length_s` and `stride_length_s`.
fn chunks(check: &Check) -> Result<Option<Chunks>> {
    let seconds = |value: &Value| value.as_f64().context("no number of seconds");
    Ok(match check.param("chunk_length_s").map(seconds).transpose()? {
        None => None,
        Some(length) => Some(match check.param("stride_length_s") {
            None => Chunks::of(length),
            Some(Value::Array(sides)) => Chunks {
                length,
                left: seconds(sides.first().context("no left stride")?)?,
                right: seconds(sides.get(1).context("no right stride")?)?,
            },
            Some(side) => Chunks {
                length,
                left: seconds(side)?,
                right: seconds(side)?,
            },
        }),
    })
}

/// `language`, `task`, `return_timestamps` and `prompt_ids`, and settings of the generation.
fn whisper_options(params: Option<&Map<String, Value>>) -> Result<WhisperOptions> {
    let mut params = params.cloned().unwrap_or_default();
    let mut take = |name: &str| params.remove(name).unwrap_or(Value::Null);
    let (language, task) = (take("language"), take("task"));
    let (timestamps, prompt) = (take("return_timestamps"), take("prompt_ids"));
    Ok(WhisperOptions {
        language: language.as_str().map(str::to_string),
        task: match task.as_str() {
            Some("transcribe") => Some(Task::Transcribe),
            Some("translate") => Some(Task::Translate),
            Some(other) => bail!("no task `{other}`"),
            None => None,
        },
        timestamps: timestamps == json!(true),
        words: false,
        hot_words: Vec::new(),
        checks: None,
        prompt: match prompt {
            Value::Null => Vec::new(),
            prompt => ids(&prompt),
        },
        generation: GenerationConfig::default().with_json(&params)?,
    })
}
