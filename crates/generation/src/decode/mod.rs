//! The ways of choosing tokens.

mod beams;
mod contrastive;
mod plain;
mod speculative;
mod writer;

use speculative::Guesser;
use writer::Writer;

use crate::config::Settings;
use crate::processors::chain;
use crate::{Error, Generated, GenerationConfig, Options, Prompt, Session};

/// Generates as `settings` say.
pub(crate) fn run(
    session: &mut dyn Session,
    prompt: &Prompt,
    config: &GenerationConfig,
    settings: Settings,
    options: Options<'_>,
) -> Result<Vec<Generated>, Error> {
    let chain = chain(config, &settings, prompt, options.processors);
    let rows = prompt.rows().len();
    let seeds = if options.seeds.is_empty() {
        let seed = config.seed.unwrap_or_else(rand::random);
        (0..rows as u64).map(|row| seed.wrapping_add(row)).collect()
    } else {
        options.seeds
    };
    let writer = Writer {
        session,
        prompt,
        settings,
        chain,
        constraint: options.constraint,
        sink: options.sink,
        detokenizer: options.detokenizer,
        log_probs: options.log_probs,
        step_logits: options.step_logits,
        seeds,
        buffer: Vec::new(),
    };
    let Settings {
        beams,
        returned,
        contrastive,
        lookup,
        draft_tokens,
        ..
    } = writer.settings;
    if beams > 1 {
        return beams::run(writer);
    }
    if let Some((alpha, width)) = contrastive {
        return contrastive::run(writer, alpha, width);
    }
    let single = rows == 1 && returned == 1;
    match (options.draft.filter(|_| single), lookup.filter(|_| single)) {
        (Some(session), _) => {
            let guesser = Guesser::Draft {
                session,
                tokens: draft_tokens,
                fed: Vec::new(),
            };
            speculative::run(writer, guesser)
        }
        (None, Some((tokens, longest))) => speculative::run(writer, Guesser::Lookup { tokens, longest }),
        (None, None) => plain::run(writer),
    }
}
