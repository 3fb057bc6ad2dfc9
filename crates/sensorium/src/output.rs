//! What a pipeline gives, with the JSON field names of the Hugging Face pipelines.

use std::path::PathBuf;

use serde::Serialize;

/// The result for one input. It serialises to the JSON that the reference pipelines return.
///
/// ```
/// use sensorium::{Label, Output};
///
/// let output = Output::Classification(vec![Label { label: "7".into(), score: 0.5 }]);
/// assert_eq!(serde_json::to_string(&output)?, r#"[{"label":"7","score":0.5}]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Output {
    /// Classes, best first.
    Classification(Vec<Label>),
    /// Text that continues or answers a prompt.
    Generation {
        /// The text.
        generated_text: String,
    },
    /// Text in another language.
    Translation {
        /// The text.
        translation_text: String,
    },
    /// A shorter text.
    Summary {
        /// The text.
        summary_text: String,
    },
    /// A span of a text that answers a question.
    Answer(Answer),
    /// Spans of a text, with the class of each.
    Tokens(Vec<Entity>),
    /// Words for a masked place, best first.
    FillMask(Vec<Fill>),
    /// A vector.
    Embedding {
        /// Its elements.
        embedding: Vec<f32>,
    },
    /// Objects in an image, best first.
    Detection(Vec<Detection>),
    /// A sentence about an image.
    Caption {
        /// The sentence.
        generated_text: String,
    },
    /// Words that were spoken.
    Transcription(Transcription),
    /// Spoken words.
    Speech(Speech),
    /// What a program's own task gives.
    Other(serde_json::Value),
}

/// The kinds of [`Output`] that tasks give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OutputKind {
    /// [`Output::Classification`].
    Classification,
    /// [`Output::Generation`].
    Generation,
    /// [`Output::Translation`].
    Translation,
    /// [`Output::Summary`].
    Summary,
    /// [`Output::Answer`].
    Answer,
    /// [`Output::Tokens`].
    Tokens,
    /// [`Output::FillMask`].
    FillMask,
    /// [`Output::Embedding`].
    Embedding,
    /// [`Output::Detection`].
    Detection,
    /// [`Output::Caption`].
    Caption,
    /// [`Output::Transcription`].
    Transcription,
    /// [`Output::Speech`].
    Speech,
    /// [`Output::Other`].
    Other,
}

impl OutputKind {
    /// The kind's name, for sentences and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Generation => "generation",
            Self::Translation => "translation",
            Self::Summary => "summary",
            Self::Answer => "answer",
            Self::Tokens => "tokens",
            Self::FillMask => "fill-mask",
            Self::Embedding => "embedding",
            Self::Detection => "detection",
            Self::Caption => "caption",
            Self::Transcription => "transcription",
            Self::Speech => "speech",
            Self::Other => "other",
        }
    }
}

/// A class and its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    /// The class name.
    pub label: String,
    /// Its probability, in `[0, 1]`.
    pub score: f64,
}

/// A span of a text that answers a question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The span.
    pub answer: String,
    /// Its probability, in `[0, 1]`.
    pub score: f64,
    /// Where it starts, in characters.
    pub start: usize,
    /// Where it ends, in characters, exclusive.
    pub end: usize,
}

/// A named span of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// The class, e.g. `PER`.
    pub entity_group: String,
    /// Its probability, in `[0, 1]`.
    pub score: f64,
    /// The span.
    pub word: String,
    /// Where it starts, in characters.
    pub start: usize,
    /// Where it ends, in characters, exclusive.
    pub end: usize,
}

/// A word for a masked place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fill {
    /// Its probability, in `[0, 1]`.
    pub score: f64,
    /// The token's id.
    pub token: i64,
    /// The token as text.
    pub token_str: String,
    /// The whole text with the token in place.
    pub sequence: String,
}

/// An object in an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detection {
    /// Its score, in `[0, 1]`.
    pub score: f64,
    /// The class name.
    pub label: String,
    /// Where it is.
    #[serde(rename = "box")]
    pub bounds: Bounds,
}

/// A box in an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// Left edge.
    pub xmin: i64,
    /// Top edge.
    pub ymin: i64,
    /// Right edge.
    pub xmax: i64,
    /// Bottom edge.
    pub ymax: i64,
}

/// Words that were spoken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transcription {
    /// All of them.
    pub text: String,
    /// The same in pieces, with times; empty unless they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Chunk>,
    /// Why they may not be all of what was said, in sentences about the recording.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A piece of a transcription.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chunk {
    /// Start and end, in seconds.
    pub timestamp: (f64, f64),
    /// The words.
    pub text: String,
    /// Each word by itself; empty unless they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
}

/// A word of a transcription.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Word {
    /// Start and end, in seconds.
    pub timestamp: (f64, f64),
    /// The word, with the blank before it.
    pub text: String,
    /// Its characters; empty unless they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chars: Vec<Char>,
}

/// A character of a word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Char {
    /// The character; several where the model spells several at once.
    #[serde(rename = "char")]
    pub text: String,
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
}

/// Spoken words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Speech {
    /// The WAV file that holds them, once written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Samples a second, in Hz.
    pub sampling_rate: u32,
    /// How long they last, in seconds.
    pub seconds: f64,
    /// The samples, one channel, in `[-1, 1]`.
    #[serde(skip)]
    pub samples: Vec<f32>,
    /// What the voice left out or spelled, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_field_names_are_those_of_the_reference_pipelines() {
        let check = |output: Output, expected: serde_json::Value| {
            assert_eq!(serde_json::to_value(&output).unwrap(), expected);
        };
        let (score, start, end) = (0.5, 3, 9);
        check(
            Output::Classification(vec![Label {
                label: "7".into(),
                score,
            }]),
            json!([{"label": "7", "score": 0.5}]),
        );
        check(
            Output::Generation {
                generated_text: "a".into(),
            },
            json!({"generated_text": "a"}),
        );
        check(
            Output::Translation {
                translation_text: "a".into(),
            },
            json!({"translation_text": "a"}),
        );
        check(
            Output::Summary {
                summary_text: "a".into(),
            },
            json!({"summary_text": "a"}),
        );
        check(
            Output::Answer(Answer {
                answer: "a".into(),
                score,
                start,
                end,
            }),
            json!({"answer": "a", "score": 0.5, "start": 3, "end": 9}),
        );
        check(
            Output::Tokens(vec![Entity {
                entity_group: "PER".into(),
                score,
                word: "a".into(),
                start,
                end,
            }]),
            json!([{"entity_group": "PER", "score": 0.5, "word": "a", "start": 3, "end": 9}]),
        );
        check(
            Output::FillMask(vec![Fill {
                score,
                token: 17,
                token_str: "a".into(),
                sequence: "b".into(),
            }]),
            json!([{"score": 0.5, "token": 17, "token_str": "a", "sequence": "b"}]),
        );
        check(
            Output::Embedding { embedding: vec![0.5] },
            json!({"embedding": [0.5]}),
        );
        let bounds = Bounds {
            xmin: 1,
            ymin: 2,
            xmax: 3,
            ymax: 4,
        };
        check(
            Output::Detection(vec![Detection {
                score,
                label: "cat".into(),
                bounds,
            }]),
            json!([{"score": 0.5, "label": "cat", "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}}]),
        );
        check(
            Output::Caption {
                generated_text: "a".into(),
            },
            json!({"generated_text": "a"}),
        );
        let chunks = vec![Chunk {
            timestamp: (0.0, 1.5),
            text: "a".into(),
            words: Vec::new(),
        }];
        check(
            Output::Transcription(Transcription {
                text: "a".into(),
                chunks,
                notes: Vec::new(),
            }),
            json!({"text": "a", "chunks": [{"timestamp": [0.0, 1.5], "text": "a"}]}),
        );
        check(
            Output::Speech(Speech {
                path: Some("out.wav".into()),
                sampling_rate: 16000,
                seconds: 2.0,
                samples: vec![0.0],
                notes: Vec::new(),
            }),
            json!({"path": "out.wav", "sampling_rate": 16000, "seconds": 2.0}),
        );
    }
}
