//! The speech crate's pipelines as tasks.

use sensorium_speech::ctc::Chunks;
use sensorium_speech::whisper::Task as Wanted;
use sensorium_speech::{
    self as speech, Audio, AudioClassifier, AudioError, CtcRecognizer, Function, Piece, WhisperOptions,
    WhisperRecognizer,
};
use serde_json::Value;

use crate::task::BoxError;
use crate::{
    BuildRequest, Chunk, Content, Input, Label, Output, Pipeline, PipelineError, Transcription, Word,
    run_decoded,
};

/// How recordings are written down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpeechOptions {
    /// The language that is spoken, as a code (`en`); found by the model if none is named.
    pub language: Option<String>,
    /// Write an English translation, where the model can.
    pub translate: bool,
    /// Also say when things are said.
    pub timestamps: bool,
    /// Also say when each word is said.
    pub words: bool,
    /// What was said before, or words to expect, where the model can make use of it.
    pub prompt: Option<String>,
    /// The channel that is heard, from 0; the mean of all if none is named.
    pub channel: Option<usize>,
    /// Where to begin, in seconds.
    pub start: f64,
    /// Where to end, in seconds.
    pub end: Option<f64>,
}

/// Builds the pipeline of `automatic-speech-recognition`.
pub(crate) fn speech_recognition(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let (model, options) = (request.required_model()?, request.options);
    let (device, kind) = (options.device.resolve()?, options.dtype.map(crate::DType::kind));
    let config = model.config()?;
    let wanted = options.speech.clone();
    let recognizer = match config.get("model_type").and_then(Value::as_str) {
        Some("whisper") => {
            let model = WhisperRecognizer::open(model, device, kind)?;
            // As the model's own program does: five beams.
            let mut generation = options.generation.clone();
            generation.num_beams = generation.num_beams.or(Some(5));
            let prompt = wanted
                .prompt
                .as_deref()
                .map(|text| model.prompt(text))
                .transpose()?;
            let options = WhisperOptions {
                language: wanted.language.clone(),
                task: wanted.translate.then_some(Wanted::Translate),
                timestamps: wanted.timestamps,
                words: wanted.words,
                prompt: prompt.unwrap_or_default(),
                generation,
            };
            Recognizer::Writing {
                model: Box::new(model),
                options: Box::new(options),
            }
        }
        _ if wanted.translate || wanted.prompt.is_some() => {
            let cannot = if wanted.translate {
                "translate"
            } else {
                "take a prompt"
            };
            return Err(format!("{model} spells what it hears: it cannot {cannot}").into());
        }
        _ => Recognizer::Spelling(Box::new(CtcRecognizer::open(model, device, kind)?)),
    };
    Ok(Box::new(SpeechRecognition { recognizer, wanted }))
}

struct SpeechRecognition {
    recognizer: Recognizer,
    wanted: SpeechOptions,
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
        let whole = audio;
        let audio = &match self.wanted.channel {
            Some(channel) => whole.channel(channel)?,
            None => whole.clone(),
        };
        let from = self.wanted.start.clamp(0.0, whole.seconds());
        let audio = &audio.clip(from, self.wanted.end);
        if audio.frames() == 0 {
            return Err(AudioError::Empty.into());
        }
        let length = audio.seconds();
        let place = |start: f64, end: f64| (start + from, end.min(length).max(start) + from);
        let word = |word: Piece| Word {
            timestamp: place(word.start, word.end),
            text: word.text,
        };
        let mut chunks = Vec::new();
        let text = match &self.recognizer {
            Recognizer::Writing { model, options } => {
                let found = model.read(audio, options, None)?;
                let mut latest = 0.0;
                for chunk in found.chunks {
                    let start = chunk.start.unwrap_or(latest).min(length);
                    latest = chunk.end.unwrap_or(length).max(start);
                    chunks.push(Chunk {
                        timestamp: place(start, latest),
                        text: chunk.text,
                        words: chunk.words.into_iter().map(word).collect(),
                    });
                }
                found.text.trim().to_string()
            }
            Recognizer::Spelling(model) => {
                let spelling = model.transcribe(audio, spelling_chunks(length))?;
                for phrase in phrases(spelling.words()) {
                    let (Some(first), Some(last)) = (phrase.first(), phrase.last()) else {
                        continue;
                    };
                    let texts: Vec<&str> = phrase.iter().map(|word| word.text.as_str()).collect();
                    chunks.push(Chunk {
                        timestamp: place(first.start, last.end),
                        text: texts.join(" "),
                        words: phrase.into_iter().map(|piece| word(spaced(piece))).collect(),
                    });
                }
                spelling.text()
            }
        };
        if !self.wanted.words {
            chunks.iter_mut().for_each(|chunk| chunk.words.clear());
        }
        if !self.wanted.timestamps && !self.wanted.words {
            chunks.clear();
        }
        Ok(Transcription { text, chunks })
    }
}

/// Recordings of more than a minute are heard in pieces of half a minute: the cost of attention grows with the square.
fn spelling_chunks(seconds: f64) -> Option<Chunks> {
    (seconds > 60.0).then(|| Chunks::of(30.0))
}

/// Words before and behind a pause, or seven seconds of words, are not shown together.
fn phrases(words: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut phrases: Vec<Vec<Piece>> = Vec::new();
    for word in words {
        match phrases.last_mut() {
            Some(phrase)
                if phrase.last().is_some_and(|last| word.start - last.end < 0.8)
                    && word.end - phrase[0].start < 7.0 =>
            {
                phrase.push(word);
            }
            _ => phrases.push(vec![word]),
        }
    }
    phrases
}

fn spaced(word: Piece) -> Piece {
    Piece {
        text: format!(" {}", word.text),
        ..word
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
