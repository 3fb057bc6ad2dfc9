//! The speech crate's pipelines as tasks.

use sensorium_speech::subtitles::Caption;
use sensorium_speech::{
    self as speech, Audio, AudioClassifier, Function, Piece, SpeakOptions, SpeechToText, SpeechToTextOptions,
    TextToSpeech,
};

use crate::task::BoxError;
use crate::{
    BuildRequest, Chunk, Content, Input, Label, Output, Pipeline, PipelineError, Speech, Transcription, Word,
    run_decoded,
};

/// Builds the pipeline of `automatic-speech-recognition`.
pub(crate) fn speech_recognition(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let options = request.options;
    let wanted = SpeechToTextOptions {
        generation: options.speech.generation.clone().merge(&options.generation),
        ..options.speech.clone()
    };
    let kind = options.dtype.map(crate::DType::kind);
    let model = SpeechToText::open(request.required_model()?, options.device.resolve()?, kind, wanted)?;
    Ok(Box::new(SpeechRecognition(model)))
}

struct SpeechRecognition(SpeechToText);

impl SpeechRecognition {
    fn transcribe(&self, audio: &Audio) -> Result<Transcription, speech::Error> {
        let spoken = self.0.transcribe(audio)?;
        let word = |word: Piece| Word {
            timestamp: (word.start, word.end),
            text: word.text,
        };
        let chunk = |caption: Caption| Chunk {
            timestamp: (caption.start, caption.end),
            text: caption.text,
            words: caption.words.into_iter().map(word).collect(),
        };
        Ok(Transcription {
            text: spoken.text,
            chunks: spoken.captions.into_iter().map(chunk).collect(),
        })
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

/// Builds the pipeline of `text-to-speech`.
pub(crate) fn text_to_speech(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let options = request.options;
    let kind = options.dtype.map(crate::DType::kind);
    let wanted = SpeakOptions {
        seed: options.seed,
        ..SpeakOptions::default()
    };
    let voice = TextToSpeech::open(request.required_model()?, options.device.resolve()?, kind, wanted)?;
    Ok(Box::new(Speaking(voice)))
}

struct Speaking(TextToSpeech);

impl Pipeline for Speaking {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        run_decoded(inputs, decode_texts, |texts| {
            let one = |text: &String| {
                let uttered = self.0.say(text)?;
                let rate = self.0.rate();
                Ok(Output::Speech(Speech {
                    path: None,
                    sampling_rate: rate,
                    seconds: uttered.samples.len() as f64 / f64::from(rate),
                    samples: uttered.samples,
                }))
            };
            texts.iter().map(one).collect()
        })
    }
}

/// The texts in `inputs`, or what is wrong with each.
fn decode_texts(inputs: &[Input]) -> Vec<Result<String, PipelineError>> {
    let one = |input: &Input| match &input.content {
        Content::Text(text) => Ok(text.clone()),
        _ => Err(PipelineError::unsupported(input, "text")),
    };
    inputs.iter().map(one).collect()
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
