//! The entry: one call for every way of choosing tokens.

use crate::config::Settings;
use crate::decode;
use crate::{
    Constraint, Detokenize, Error, Generated, GenerationConfig, LogitsProcessor, Prompt, Session, TokenSink,
};

/// What a generation can be given besides its settings.
#[derive(Default)]
pub struct Options<'a> {
    /// Is told tokens as they come, and may stop.
    pub sink: Option<&'a mut dyn TokenSink>,
    /// Decodes tokens: needed for stop strings, and gives [`Generated::text`].
    pub detokenizer: Option<&'a dyn Detokenize>,
    /// What the output must look like.
    pub constraint: Option<&'a mut dyn Constraint>,
    /// Further processors; they come after those of the settings, but before temperature and the like.
    pub processors: Vec<Box<dyn LogitsProcessor + 'a>>,
    /// A smaller model with the same vocabulary that guesses ahead: Leviathan et al., *Fast inference from
    /// transformers via speculative decoding* (2022). The output is the same as without. Used for a single
    /// sequence without beams.
    pub draft: Option<&'a mut dyn Session>,
    /// Return each new token's log probability, and those of so many of the likeliest tokens.
    pub log_probs: Option<usize>,
    /// Return the logits that each new token was chosen by.
    pub step_logits: bool,
    /// A seed for each row of the prompt, in place of the settings' one.
    pub seeds: Vec<u64>,
}

/// Continues each row of `prompt` and returns, for each, as many sequences as are asked for.
///
/// The settings say how: greedily, by drawing (`do_sample`), by beam search (`num_beams`), in groups that
/// differ (`num_beam_groups`), by contrastive search (`penalty_alpha` and `top_k`), or greedily with guesses
/// (`prompt_lookup_num_tokens`).
///
/// `session` has as many rows as the prompt. If it has been fed already, that must have been the first
/// tokens of the prompt, and only the rest is fed. Which rows it has afterwards is not said.
///
/// Row `r` of the prompt is drawn for with the seed `seed + r`, unless [`Options::seeds`] says otherwise: a
/// batch gives what its rows give one by one.
///
/// # Errors
/// If a setting means nothing, the prompt leaves no room, or no token is allowed.
pub fn generate(
    session: &mut dyn Session,
    prompt: &Prompt,
    config: &GenerationConfig,
    options: Options<'_>,
) -> Result<Vec<Generated>, Error> {
    let limit = session.limit().map(|limit| usize::try_from(limit).unwrap_or(0));
    let settings = Settings::new(config, prompt.len(), limit)?;
    let rows = prompt.rows().len();
    let count = |what, found| match found == rows {
        true => Ok(()),
        false => Err(Error::Shape {
            what,
            expected: rows,
            found,
        }),
    };
    count(
        "rows of the session",
        usize::try_from(session.rows()).unwrap_or(0),
    )?;
    if !options.seeds.is_empty() {
        count("seeds", options.seeds.len())?;
    }
    if !settings.stop_strings.is_empty() && options.detokenizer.is_none() {
        return Err(Error::NoDetokenizer);
    }
    tch::no_grad(|| decode::run(session, prompt, config, settings, options))
}
