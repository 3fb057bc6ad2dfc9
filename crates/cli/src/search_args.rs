//! The flags by which recognisers search, with what is known of the words beforehand.

use std::path::PathBuf;

use anyhow::Result;
use sensorium::SpeechToTextOptions;
use sensorium::speech::{BeamSearch, NGrams};

use crate::numbers::finite;

/// How texts are searched.
#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    /// Words that may be said, such as names, to be spelt like this
    #[arg(long, value_name = "TEXT")]
    hot_words: Option<String>,

    /// Texts that are followed at once [default: 5 where the model writes, 1 where it spells]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    beams: Option<u16>,

    /// An n-gram language model for models that spell, in ARPA's format (KenLM, SRILM) or one of KenLM's binary formats
    #[arg(long, value_name = "FILE")]
    language_model: Option<PathBuf>,

    /// How much the language model counts
    #[arg(
        long,
        value_name = "FACTOR",
        value_parser = finite,
        allow_negative_numbers = true,
        default_value_t = 0.5,
        requires = "language_model"
    )]
    lm_weight: f64,

    /// Added to the language model's logarithms for each word
    #[arg(
        long,
        value_name = "BONUS",
        value_parser = finite,
        allow_negative_numbers = true,
        default_value_t = 1.5,
        requires = "language_model"
    )]
    word_bonus: f64,
}

impl SearchArgs {
    /// `options` with what is asked for.
    pub fn add_to(&self, options: SpeechToTextOptions) -> Result<SpeechToTextOptions> {
        let mut options = SpeechToTextOptions {
            hot_words: self.hot_words.clone(),
            beam_search: self.beam_search()?,
            ..options
        };
        options.generation.num_beams = self.beams.map(usize::from);
        Ok(options)
    }

    /// How models that spell search; none if nothing asks for it.
    fn beam_search(&self) -> Result<Option<BeamSearch>> {
        if self.language_model.is_none() && self.beams.is_none_or(|beams| beams < 2) {
            return Ok(None);
        }
        let plain = BeamSearch::default();
        Ok(Some(BeamSearch {
            beams: self.beams.map_or(plain.beams, usize::from),
            language_model: self.language_model.as_deref().map(NGrams::open).transpose()?,
            weight: self.lm_weight,
            word_bonus: self.word_bonus,
            ..plain
        }))
    }
}
