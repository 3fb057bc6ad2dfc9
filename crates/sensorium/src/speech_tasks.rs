//! The speech crate's pipelines as tasks.

use sensorium_speech::whisper::Task as Wanted;
use sensorium_speech::{
    self as speech, Audio, AudioClassifier, CtcRecognizer, Function, WhisperOptions, WhisperRecognizer,
};
use serde_json::Value;

use crate::task::BoxError;
use crate::{
    BuildRequest, Chunk, Content, Input, Label, Output, Pipeline, PipelineError, Transcription, run_decoded,
};

/// How recordings are written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpeechOptions {
    /// The language that is spoken, as a code (`en`); found by the model if none is named.
    pub language: Option<String>,
    /// Write an English translation, where the model can.
    pub translate: bool,
    /// Also say when things are said.
    pub timestamps: bool,
}

/// Builds the pipeline of `automatic-speech-recognition`.
pub(crate) fn speech_recognition(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let (model, options) = (request.required_model()?, request.options);
    let (device, kind) = (options.device.resolve()?, options.dtype.map(crate::DType::kind));
    let config = model.config()?;
    let recognizer = match config.get("model_type").and_then(Value::as_str) {
        Some("whisper") => {
            // As the model's own program does: five beams.
            let mut generation = options.generation.clone();
            generation.num_beams = generation.num_beams.or(Some(5));
            Recognizer::Writing {
                model: Box::new(WhisperRecognizer::open(model, device, kind)?),
                options: Box::new(WhisperOptions {
                    language: options.speech.language.clone(),
                    task: options.speech.translate.then_some(Wanted::Translate),
                    timestamps: options.speech.timestamps,
                    prompt: Vec::new(),
                    generation,
                }),
            }
        }
        _ if options.speech.translate => {
            return Err(format!("{model} spells what it hears: it cannot translate").into());
        }
        _ => Recognizer::Spelling(Box::new(CtcRecognizer::open(model, device, kind)?)),
    };
    Ok(Box::new(SpeechRecognition {
        recognizer,
        timestamps: options.speech.timestamps,
    }))
}

struct SpeechRecognition {
    recognizer: Recognizer,
    timestamps: bool,
}

enum Recognizer {
    Writing {
        model: Box<WhisperRecognizer>,
        options: Box<WhisperOptions>,
    },
    Spelling(Box<CtcRecognizer>),
}

impl SpeechRecognition {
    fn transcribe(&self, audio: &Audio) -> Result<Transcription, speech::Error> {
        let mut chunks = Vec::new();
        let text = match &self.recognizer {
            Recognizer::Writing { model, options } => {
                let mut text = String::new();
                for segment in model.transcribe(audio, options)? {
                    let part = model.text(&segment.ids)?;
                    text += &part;
                    chunks.push(Chunk {
                        timestamp: (segment.start, segment.end.min(audio.seconds())),
                        text: part,
                    });
                }
                text.trim().to_string()
            }
            Recognizer::Spelling(model) => {
                let spelling = model.transcribe(audio, None)?;
                chunks.extend(spelling.words().into_iter().map(|word| Chunk {
                    timestamp: (word.start, word.end),
                    text: word.text,
                }));
                spelling.text()
            }
        };
        if !self.timestamps {
            chunks.clear();
        }
        Ok(Transcription { text, chunks })
    }
}

impl Pipeline for SpeechRecognition {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        run_decoded(inputs, decode_sounds, |sounds| {
            let one = |audio| Ok(Output::Transcription(self.transcribe(audio)?));
            sounds.iter().map(one).collect()
        })
    }
}

/// Builds the pipeline of `audio-classification`.
pub(crate) fn audio_classification(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let options = request.options;
    let kind = options.dtype.map(crate::DType::kind);
    let classifier = AudioClassifier::open(request.required_model()?, options.device.resolve()?, kind)?;
    let top_k = options.top_k;
    Ok(Box::new(AudioClassification { classifier, top_k }))
}

struct AudioClassification {
    classifier: AudioClassifier,
    top_k: Option<usize>,
}

impl Pipeline for AudioClassification {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        run_decoded(inputs, decode_sounds, |sounds| {
            let one = |audio| {
                let labels = self.classifier.classify(audio, self.top_k, Function::Softmax)?;
                let labels = labels
                    .into_iter()
                    .map(|speech::Label { label, score }| Label { label, score });
                Ok(Output::Classification(labels.collect()))
            };
            sounds.iter().map(one).collect()
        })
    }
}

/// The recordings in `inputs`, or what is wrong with each.
fn decode_sounds(inputs: &[Input]) -> Vec<Result<Audio, PipelineError>> {
    let one = |input: &Input| match &input.content {
        Content::AudioFile(bytes) => Audio::decode(bytes.clone()).map_err(|source| PipelineError::Input {
            origin: input.origin.clone(),
            source: source.into(),
        }),
        _ => Err(PipelineError::unsupported(input, "audio")),
    };
    inputs.iter().map(one).collect()
}
