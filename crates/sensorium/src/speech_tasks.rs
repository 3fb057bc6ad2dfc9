//! The speech crate's pipelines as tasks.

use std::ops::ControlFlow;

use sensorium_speech::subtitles::Caption;
use sensorium_speech::{
    self as speech, Audio, AudioClassifier, AudioError, Function, News, Piece, SpeakOptions, SpeechToText,
    SpeechToTextOptions, Spoken, TextToSpeech,
};

use crate::task::BoxError;
use crate::{
    BuildRequest, Char, Chunk, Content, Each, Input, Label, Output, Partial, Pipeline, PipelineError,
    Recording, Speech, Transcription, Word, run_decoded,
};

/// The most samples of a recording that is heard as a whole: 1 GiB of them.
const MOST_SAMPLES: usize = 1 << 28;

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
    fn transcribe(
        &self,
        recording: &Recording,
        tell: &mut dyn FnMut(Partial<'_>) -> ControlFlow<()>,
    ) -> Result<Output, speech::Error> {
        let spoken = self
            .0
            .transcribe_stream(recording.open()?, &mut |news| match news {
                News::Read { at, of } => tell(Partial::Read { at, of }),
                News::Heard { at, of } => tell(Partial::Done { at, of }),
                News::Text(text) => tell(Partial::Text(text)),
                News::Caption(caption) => tell(Partial::Chunk(&chunk(caption.clone()))),
            })?;
        Ok(transcription(spoken))
    }
}

fn transcription(spoken: Spoken) -> Output {
    Output::Transcription(Transcription {
        text: spoken.text,
        chunks: spoken.captions.into_iter().map(chunk).collect(),
        notes: spoken.damage.iter().map(ToString::to_string).collect(),
    })
}

fn chunk(caption: Caption) -> Chunk {
    let word = |word: Piece| Word {
        timestamp: (moment(word.start), moment(word.end)),
        chars: word.letters.iter().map(Char::from).collect(),
        text: word.text,
    };
    Chunk {
        timestamp: (moment(caption.start), moment(caption.end)),
        text: caption.text,
        words: caption.words.into_iter().map(word).collect(),
    }
}

/// To microseconds: without what sums of times leave in the last places.
fn moment(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

impl From<&Piece> for Char {
    fn from(letter: &Piece) -> Self {
        Self {
            text: letter.text.clone(),
            start: moment(letter.start),
            end: moment(letter.end),
        }
    }
}

impl Pipeline for SpeechRecognition {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        let mut results: Vec<_> = inputs.iter().map(|_| None).collect();
        self.run_each(inputs, &mut |number, result| {
            results[number] = Some(result);
            ControlFlow::Continue(())
        });
        let pairs = inputs.iter().zip(results);
        let place = |(input, result): (_, Option<_>)| {
            result.unwrap_or_else(|| Err(PipelineError::model(input, "it gave no result")))
        };
        pairs.map(place).collect()
    }

    fn run_each(&mut self, inputs: &[Input], each: Each<'_>) {
        let open = |input: &Input| match &input.content {
            Content::Audio(recording) => recording.open(),
            _ => Err(AudioError::Unknown),
        };
        self.0
            .transcribe_together(inputs.iter().map(open), &mut |number, spoken| {
                let input = &inputs[number];
                let result = match (spoken, &input.content) {
                    (Ok(spoken), _) => Ok(transcription(spoken)),
                    (Err(source), Content::Audio(_)) => Err(PipelineError::input(input, source)),
                    (Err(_), _) => Err(PipelineError::unsupported(input, "audio")),
                };
                each(number, result)
            });
    }

    fn run_telling(
        &mut self,
        input: &Input,
        tell: &mut dyn FnMut(Partial<'_>) -> ControlFlow<()>,
    ) -> Result<Output, PipelineError> {
        let Content::Audio(recording) = &input.content else {
            return Err(PipelineError::unsupported(input, "audio"));
        };
        let result = self.transcribe(recording, tell);
        result.map_err(|source| PipelineError::input(input, source))
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
                    notes: uttered.notes(),
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
        Content::Audio(recording) => recording
            .open()
            .and_then(|mut stream| stream.collect_at_most(MOST_SAMPLES))
            .map_err(|source| PipelineError::input(input, source)),
        _ => Err(PipelineError::unsupported(input, "audio")),
    };
    inputs.iter().map(one).collect()
}
