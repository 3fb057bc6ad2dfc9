//! What can go wrong with a speech model.

use sensorium_blocks::{BuildError, ConfigProblem, ParamsError};
use sensorium_hub::Model;

use crate::audio::AudioError;

/// Why a speech model cannot be opened or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the model is missing or damaged.
    #[error(transparent)]
    Hub(#[from] sensorium_hub::Error),
    /// The weights do not fit the configuration.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The tokenizer cannot be read, or refuses tokens.
    #[error(transparent)]
    Tokenizer(#[from] sensorium_tokenizer::TokenizerError),
    /// Nothing could be generated.
    #[error(transparent)]
    Generation(#[from] sensorium_generation::Error),
    /// The model does not know a language.
    #[error("the model does not know the language `{asked}`; it knows {known}")]
    Language {
        /// The language.
        asked: String,
        /// What would be right.
        known: String,
    },
    /// The model cannot do what only models that write can.
    #[error("this model spells what it hears: it cannot {cannot}")]
    OnlySpells {
        /// What it cannot do.
        cannot: &'static str,
    },
    /// The model's tokens are words.
    #[error("this model spells whole words: it cannot tell when characters are said")]
    SpellsWords,
    /// The model writes down what is said, and nothing else.
    #[error("this model writes down what it hears and no more: it cannot {cannot}")]
    OnlyWrites {
        /// What it cannot do.
        cannot: &'static str,
    },
    /// The model writes down what is said, and not when.
    #[error("this model writes down what it hears and no more: it cannot tell when words are said")]
    NoTimesOfWords,
    /// The model knows one language alone.
    #[error("this model writes down what is said, in its own language alone: it cannot translate")]
    OnlyTranscribes,
    /// The model takes no text before the recording.
    #[error("the model takes no prompt: its tokenizer has no `<|startofprev|>`")]
    NoPrompt,
    /// The sound cannot be used.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// The configuration makes no sense.
    #[error("{model}: {file}: {problem}")]
    Config {
        /// The model.
        model: String,
        /// The file.
        file: &'static str,
        /// What is wrong.
        problem: ConfigProblem,
    },
    /// The configuration's `model_type` is none that is known here.
    #[error("{model}: model_type `{found}` is not supported for {task}; supported: {known}")]
    ModelType {
        /// The model.
        model: String,
        /// What the configuration says.
        found: String,
        /// What it was to be used for.
        task: &'static str,
        /// What would be right.
        known: String,
    },
    /// Who was told what is found wanted no more.
    #[error("the recording was not heard to its end")]
    Stopped,
    /// The model says that numbers are not numbers.
    #[error(
        "the model's scores are not numbers: its weights are damaged, or this precision is too small for it"
    )]
    NotNumbers,
    /// A text that a voice cannot say in one go.
    #[error("the text has {tokens} tokens, the voice takes 1 to {most}")]
    TextLength {
        /// What there are.
        tokens: usize,
        /// The most.
        most: i64,
    },
    /// A text that a voice would take too long for to say it in one go.
    #[error(
        "a part of the text that cannot be divided would last {frames} frames, the voice says at most {most} in one go"
    )]
    Duration {
        /// How long it would last.
        frames: i64,
        /// The most.
        most: i64,
    },
    /// A speed that no voice is asked for.
    #[error("the speed is {speed}, expected {} to {}", expected.start(), expected.end())]
    Speed {
        /// What was asked for.
        speed: f64,
        /// What would be right.
        expected: std::ops::RangeInclusive<f64>,
    },
    /// A text of letters for a voice that was taught Latin ones.
    #[error(
        "there is nothing in the text that the voice can say: it reads Latin letters alone, whatever the language's own are (romanised, as by uroman)"
    )]
    NeedsRoman,
    /// A text of nothing but what cannot be said.
    #[error("there is nothing in the text that the voice can say")]
    NothingToSay,
    /// A text with tags that cannot be followed.
    #[error("the SSML {problem}")]
    Ssml {
        /// What is wrong.
        problem: String,
    },
    /// Phonemes that cannot be said.
    #[error("the text {problem}")]
    Phonemes {
        /// What is wrong.
        problem: String,
    },
    /// Pronunciations that cannot be used.
    #[error(transparent)]
    Lexicon(#[from] crate::front::english::lexicon::LexiconError),
    /// Letters for a voice that reads sounds.
    #[error(
        "this voice reads phonemes and no letters: give it SSML with `<phoneme ph=\"…\">` around all that is said"
    )]
    NeedsPhonemes,
    /// Something that not all voices can do.
    #[error("this voice cannot {what}")]
    VoiceCannot {
        /// What it cannot do.
        what: &'static str,
    },
    /// A vocoder of other spectrograms.
    #[error("the vocoder takes spectrograms of {bands} bands, the voice makes {expected}")]
    Vocoder {
        /// What the vocoder takes.
        bands: i64,
        /// What the voice makes.
        expected: i64,
    },
    /// A speaker that the voice does not have.
    #[error("the speaker cannot be used: {problem}")]
    Speaker {
        /// What is wrong.
        problem: String,
    },
    /// A language model that cannot be used.
    #[error("the language model {} {problem}", path.display())]
    LanguageModel {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file that is no detector of voices.
    #[error("no detector of voices (expected Silero's silero_vad_16k.safetensors)")]
    Voices {
        /// What is wrong with the file.
        source: Box<Error>,
    },
    /// A text without any letter that the model knows.
    #[error("the model knows no word or letter of the text")]
    NothingToAlign,
    /// A text that cannot be said in so short a time.
    #[error("{seconds:.2} seconds are too short to say the text, which has {tokens} tokens")]
    TooShortForText {
        /// The length of the recording.
        seconds: f64,
        /// Tokens of the text.
        tokens: usize,
    },
    /// The recording is too short for a model.
    #[error("the recording has {samples} samples at {rate} Hz, the model needs at least {least}")]
    TooShort {
        /// What there is.
        samples: usize,
        /// Its rate, in Hz.
        rate: u32,
        /// What is needed.
        least: usize,
    },
}

impl Error {
    /// What is wrong with `config.json` of `model`.
    pub(crate) fn config(model: &Model, problem: impl Into<ConfigProblem>) -> Self {
        Self::in_file(model, "config.json", problem)
    }

    /// What is wrong with `file` of `model`.
    pub(crate) fn in_file(model: &Model, file: &'static str, problem: impl Into<ConfigProblem>) -> Self {
        Self::Config {
            model: model.to_string(),
            file,
            problem: problem.into(),
        }
    }

    /// Why `model` could not be built.
    pub(crate) fn building(model: &Model, error: BuildError) -> Self {
        match error {
            BuildError::Config(problem) => Self::config(model, problem),
            BuildError::Params(error) => Self::Params(error),
        }
    }
}
