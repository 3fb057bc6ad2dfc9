//! The speech crate's pipelines as tasks.

use sensorium_speech::subtitles::Caption;
use sensorium_speech::{
    self as speech, Audio, AudioClassifier, Function, Piece, SpeechToText, SpeechToTextOptions,
};

use crate::task::BoxError;
use crate::{
    BuildRequest, Chunk, Content, Input, Label, Output, Pipeline, PipelineError, Transcription, Word,
    run_decoded,
};

/// Builds the pipeline of `automatic-speech-recognition`.
pub(crate) fn speech_recognition(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let options = request.options;
    let wanted = SpeechToTextOptions {
        generation: options.generation.clone(),
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
