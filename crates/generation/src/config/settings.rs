//! A configuration with its defaults filled in, for one prompt.

use super::{EarlyStopping, GenerationConfig, OneOrMany};
use crate::Error;

/// New tokens if neither `max_length` nor `max_new_tokens` is said, as in the `transformers` library.
const DEFAULT_NEW_TOKENS: usize = 20;

/// What the loops need to know, lengths counted with the prompt.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub max_length: usize,
    pub min_length: usize,
    pub sample: bool,
    pub beams: usize,
    pub groups: usize,
    pub returned: usize,
    pub diversity_penalty: f32,
    pub length_penalty: f32,
    pub early_stopping: EarlyStopping,
    pub eos: Vec<i64>,
    pub pad: Option<i64>,
    pub stop_strings: Vec<String>,
    /// Contrastive search: the weight and the number of candidates.
    pub contrastive: Option<(f32, usize)>,
    /// Prompt lookup: tokens to guess, and the longest run to look up.
    pub lookup: Option<(usize, usize)>,
    pub draft_tokens: usize,
}

impl Settings {
    /// For a prompt of `prompt` tokens and a session that holds at most `limit`.
    ///
    /// # Errors
    /// If a setting means nothing, or the prompt leaves no room.
    pub fn new(config: &GenerationConfig, prompt: usize, limit: Option<usize>) -> Result<Self, Error> {
        config.validate()?;
        let max_length = match (config.max_new_tokens, config.max_length) {
            (Some(new), _) => prompt.saturating_add(new),
            (None, Some(length)) => length,
            (None, None) => prompt + DEFAULT_NEW_TOKENS,
        };
        let max_length = limit.map_or(max_length, |limit| max_length.min(limit));
        if prompt >= max_length {
            return Err(Error::PromptTooLong {
                len: prompt,
                limit: max_length,
            });
        }
        let list = |ids: &Option<OneOrMany<i64>>| ids.as_ref().map_or(Vec::new(), |v| v.as_slice().to_vec());
        let top_k = config.top_k.unwrap_or(50);
        Ok(Self {
            max_length,
            min_length: config
                .min_new_tokens
                .map_or(config.min_length.unwrap_or(0), |new| prompt.saturating_add(new)),
            sample: config.do_sample.unwrap_or(false),
            beams: config.num_beams.unwrap_or(1),
            groups: config.num_beam_groups.unwrap_or(1),
            returned: config.num_return_sequences.unwrap_or(1),
            diversity_penalty: config.diversity_penalty.unwrap_or(0.),
            length_penalty: config.length_penalty.unwrap_or(1.),
            early_stopping: config.early_stopping.unwrap_or_default(),
            eos: list(&config.eos_token_id),
            pad: config.pad_token_id,
            stop_strings: config
                .stop_strings
                .as_ref()
                .map_or(Vec::new(), |v| v.as_slice().to_vec()),
            contrastive: config
                .penalty_alpha
                .filter(|&alpha| alpha > 0. && is_plain(config) && top_k > 1)
                .map(|alpha| (alpha, top_k)),
            lookup: config
                .prompt_lookup_num_tokens
                .filter(|&tokens| tokens > 0)
                .map(|tokens| (tokens, config.max_matching_ngram_size.unwrap_or(2).max(1))),
            draft_tokens: config.num_assistant_tokens.unwrap_or(5).max(1),
        })
    }

    /// What fills up sequences that ended before others.
    pub fn padding(&self) -> i64 {
        self.pad.or(self.eos.first().copied()).unwrap_or(0)
    }

    /// The same in beam search, where `transformers` takes a padding token 0 for none.
    pub fn beam_padding(&self) -> i64 {
        let pad = self.pad.filter(|&pad| pad != 0);
        pad.or(self.eos.first().copied())
            .unwrap_or_else(|| self.padding())
    }
}

/// Neither sampling nor beams.
fn is_plain(config: &GenerationConfig) -> bool {
    !config.do_sample.unwrap_or(false) && config.num_beams.unwrap_or(1) == 1
}

pub(super) fn validate(config: &GenerationConfig) -> Result<(), Error> {
    let check = |setting, found: Option<f32>, fits: fn(f32) -> bool, expected| match found {
        Some(value) if !fits(value) => Err(Error::Setting {
            setting,
            found: value.to_string(),
            expected,
        }),
        _ => Ok(()),
    };
    let count = |setting, found: Option<usize>| match found {
        Some(0) => Err(Error::Setting {
            setting,
            found: "0".to_string(),
            expected: "at least 1",
        }),
        _ => Ok(()),
    };
    let clash = |is: bool, setting, other| {
        if is {
            Err(Error::Clash { setting, other })
        } else {
            Ok(())
        }
    };

    count("max_new_tokens", config.max_new_tokens)?;
    count("num_beams", config.num_beams)?;
    count("num_beam_groups", config.num_beam_groups)?;
    count("num_return_sequences", config.num_return_sequences)?;

    let positive: fn(f32) -> bool = |x| x > 0. && x.is_finite();
    let share: fn(f32) -> bool = |x| (0. ..=1.).contains(&x);
    let cutoff: fn(f32) -> bool = |x| (0. ..1.).contains(&x);
    let off = "greater than 0; for the likeliest token turn `do_sample` off";
    check("temperature", config.temperature, positive, off)?;
    check("top_p", config.top_p, share, "between 0 and 1")?;
    check("min_p", config.min_p, share, "between 0 and 1")?;
    let typical: fn(f32) -> bool = |x| x > 0. && x <= 1.;
    check(
        "typical_p",
        config.typical_p,
        typical,
        "greater than 0 and at most 1",
    )?;
    check(
        "epsilon_cutoff",
        config.epsilon_cutoff,
        cutoff,
        "at least 0 and less than 1",
    )?;
    check(
        "eta_cutoff",
        config.eta_cutoff,
        cutoff,
        "at least 0 and less than 1",
    )?;
    check(
        "repetition_penalty",
        config.repetition_penalty,
        positive,
        "greater than 0",
    )?;
    let name = "encoder_repetition_penalty";
    check(
        name,
        config.encoder_repetition_penalty,
        positive,
        "greater than 0",
    )?;
    let finite: fn(f32) -> bool = f32::is_finite;
    check("presence_penalty", config.presence_penalty, finite, "a number")?;
    check("frequency_penalty", config.frequency_penalty, finite, "a number")?;
    check("length_penalty", config.length_penalty, finite, "a number")?;
    check(
        "diversity_penalty",
        config.diversity_penalty,
        |x| x >= 0. && x.is_finite(),
        "at least 0",
    )?;
    check("penalty_alpha", config.penalty_alpha, share, "between 0 and 1")?;

    let words = config.bad_words_ids.as_deref().unwrap_or_default();
    let biased = config.sequence_bias.as_deref().unwrap_or_default();
    let empty = |setting| Error::Setting {
        setting,
        found: "a list with an empty sequence".to_string(),
        expected: "a list of sequences of tokens",
    };
    if words.iter().any(Vec::is_empty) {
        return Err(empty("bad_words_ids"));
    }
    if biased.iter().any(|(ids, _)| ids.is_empty()) {
        return Err(empty("sequence_bias"));
    }
    let strings = config.stop_strings.as_ref().map_or(&[][..], OneOrMany::as_slice);
    if strings.iter().any(String::is_empty) {
        return Err(Error::Setting {
            setting: "stop_strings",
            found: "a list with an empty string".to_string(),
            expected: "strings that can occur",
        });
    }

    let (beams, groups) = (config.num_beams.unwrap_or(1), config.num_beam_groups.unwrap_or(1));
    let sample = config.do_sample.unwrap_or(false);
    let returned = config.num_return_sequences.unwrap_or(1);
    if beams % groups != 0 {
        return Err(Error::Setting {
            setting: "num_beam_groups",
            found: groups.to_string(),
            expected: "a divisor of `num_beams`",
        });
    }
    clash(groups > 1 && sample, "num_beam_groups", "`do_sample`")?;
    if !sample && returned > beams {
        return Err(Error::Setting {
            setting: "num_return_sequences",
            found: returned.to_string(),
            expected: "at most `num_beams`, unless `do_sample` is on",
        });
    }
    if sample && beams > 1 && returned > beams {
        return Err(Error::Setting {
            setting: "num_return_sequences",
            found: returned.to_string(),
            expected: "at most `num_beams`",
        });
    }
    Ok(())
}
