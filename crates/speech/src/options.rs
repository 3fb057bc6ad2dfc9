//! How recordings are heard, and what of that a model cannot do.

use std::path::PathBuf;

use sensorium_generation::GenerationConfig;

use crate::ctc::BeamSearch;
use crate::error::Error;
use crate::voice::VoiceActivity;
use crate::whisper::Checks;

/// How recordings are heard.
#[derive(Debug, Clone)]
pub struct SpeechToTextOptions {
    /// The language that is spoken, as a code (`en`) or a name (`English`); found by the model if none is named.
    pub language: Option<String>,
    /// Write an English translation, where the model can.
    pub translate: bool,
    /// Find when things are said.
    pub timestamps: bool,
    /// Find when each word is said.
    pub words: bool,
    /// Find when each word and each of its letters is said, where the model spells by letters.
    pub letters: bool,
    /// What was said before, or words to expect, where the model can make use of it.
    pub prompt: Option<String>,
    /// Words that may be said, such as names, of which the model is reminded in each part of the recording.
    pub hot_words: Option<String>,
    /// How a model that spells searches; the likeliest token of each step if there is none. Hot words need it.
    pub beam_search: Option<BeamSearch>,
    /// Where nobody speaks nothing is heard, or everywhere if there is none.
    pub voice_activity: Option<VoiceActivity>,
    /// The file of Silero's network, or its folder, by which voices are found; by what is built in if none is named.
    pub voice_detector: Option<PathBuf>,
    /// The channel that is heard, from 0; the mean of all if none is named.
    pub channel: Option<usize>,
    /// Where to begin, in seconds.
    pub start: f64,
    /// Where to end, in seconds.
    pub end: Option<f64>,
    /// Recordings, or parts of them, that are heard at once, where the model can.
    pub batch_size: usize,
    /// Each recording is cut at its pauses into parts of at most 30 seconds, which are heard on their own, so many at once,
    /// where the model hears window after window. Else a window is told what was said before it, and begins where that
    /// ends.
    pub in_parts: bool,
    /// What Whisper's windows must pass, else they are written again or left out.
    pub checks: Checks,
    /// How tokens are chosen, where the model writes; what is left out comes from the model's own settings.
    pub generation: GenerationConfig,
}

impl Default for SpeechToTextOptions {
    fn default() -> Self {
        Self {
            language: None,
            translate: false,
            timestamps: false,
            words: false,
            letters: false,
            prompt: None,
            hot_words: None,
            beam_search: None,
            voice_activity: Some(VoiceActivity::default()),
            voice_detector: None,
            channel: None,
            start: 0.0,
            end: None,
            batch_size: 1,
            in_parts: false,
            checks: Checks::default(),
            generation: GenerationConfig::default(),
        }
    }
}

impl SpeechToTextOptions {
    /// What a model can do that spells.
    pub(crate) fn refuse_all_but_letters(&self) -> Result<(), Error> {
        let asked = [
            (self.translate, "translate"),
            (self.prompt.is_some(), "take a prompt"),
            (self.language.is_some(), "be told the language"),
            (self.in_parts, "hear a recording in parts"),
            (self.checks != Checks::default(), "check what it heard"),
        ];
        match asked.iter().find(|(asked, _)| *asked) {
            Some(&(_, cannot)) => Err(Error::OnlySpells { cannot }),
            None => Ok(()),
        }
    }

    /// What a model can do that writes text and no more.
    pub(crate) fn refuse_all_but_text(&self) -> Result<(), Error> {
        if self.words {
            return Err(Error::NoTimesOfWords);
        }
        let asked = [
            (self.translate, "translate"),
            (self.letters, "tell when characters are said"),
            (self.prompt.is_some(), "take a prompt"),
            (self.hot_words.is_some(), "take hot words"),
            (self.language.is_some(), "be told the language"),
            (self.names_letters(), "take an n-gram language model"),
            (self.in_parts, "hear a recording in parts"),
            (self.checks != Checks::default(), "check what it heard"),
        ];
        match asked.iter().find(|(asked, _)| *asked) {
            Some(&(_, cannot)) => Err(Error::OnlyWrites { cannot }),
            None => Ok(()),
        }
    }

    /// Whether there is a language model for spelling.
    pub(crate) fn names_letters(&self) -> bool {
        let search = self.beam_search.as_ref();
        search.is_some_and(|search| search.language_model.is_some())
    }
}
