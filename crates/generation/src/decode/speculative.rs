//! Guessing several tokens and checking them in one pass: Leviathan et al., *Fast inference from
//! transformers via speculative decoding* (2022).
//!
//! Each token is chosen as without guesses, drawn ones with the same random numbers; a guess only saves the
//! pass that would have given the logits behind it. So the output does not depend on the guesses.

use tch::{IndexOp, Tensor};

use super::writer::{Sequence, Writer};
use crate::output::Finish;
use crate::{Error, Flow, Generated, Session};

/// Where guesses come from.
pub(super) enum Guesser<'o> {
    /// What followed the same tokens before: Saxena, *Prompt lookup decoding* (2023).
    Lookup {
        /// Tokens to guess.
        tokens: usize,
        /// The longest run of tokens that is looked up.
        longest: usize,
    },
    /// A smaller model.
    Draft {
        session: &'o mut dyn Session,
        /// Tokens to guess.
        tokens: usize,
        /// What it was fed.
        fed: Vec<i64>,
    },
}

pub(super) fn run(mut writer: Writer<'_, '_>, mut guesser: Guesser<'_>) -> Result<Vec<Generated>, Error> {
    let mut sequence = writer.begin(0, 0)?;
    let mut logits = writer.prefill(1);
    let mut guesses = Vec::new();
    let vocabulary = logits.size().last().copied().unwrap_or(0);
    loop {
        let old = sequence.ids.len();
        check(&mut writer, &mut sequence, &guesses, &logits)?;
        let flow = writer.tell(0, &sequence.ids[old..]);
        if sequence.finish.is_some() || flow != Flow::Continue {
            sequence.finish = sequence.finish.or(Some(Finish::Stopped));
            return Ok(writer.finish(vec![sequence]));
        }
        let len = sequence.ids.len();
        if writer.session.len() > len as i64 - 1 {
            writer.session.truncate(len as i64 - 1);
        }
        guesses = guesser.guess(
            &sequence.ids[writer.prompt.padding()[0]..],
            writer.settings.max_length - len - 1,
        );
        let known = guesses
            .iter()
            .take_while(|&&token| (0..vocabulary).contains(&token))
            .count();
        guesses.truncate(known);
        let next: Vec<i64> = sequence.ids[len - 1..].iter().chain(&guesses).copied().collect();
        logits = writer.feed(&next, 1, next.len());
    }
}

/// Appends tokens chosen by `logits` `[1, guesses + 1, vocabulary]` as long as the guesses hold, and the one
/// after.
fn check<'o>(
    writer: &mut Writer<'_, 'o>,
    sequence: &mut Sequence<'o>,
    guesses: &[i64],
    logits: &Tensor,
) -> Result<(), Error> {
    let likeliest = if writer.is_bare() {
        writer.likeliest(logits)
    } else {
        Vec::new()
    };
    let vocabulary = if likeliest.is_empty() {
        writer.load(logits)
    } else {
        0
    };
    for i in 0..=guesses.len() {
        writer.keep(sequence, &logits.i((0, i as i64)));
        let token = match likeliest.get(i) {
            Some(&token) => token,
            None => {
                let mut buffer = std::mem::take(&mut writer.buffer);
                let token = writer.choose(sequence, &mut buffer[i * vocabulary..][..vocabulary]);
                writer.buffer = buffer;
                token?
            }
        };
        writer.append(sequence, token);
        if sequence.finish.is_some() || guesses.get(i) != Some(&token) {
            break;
        }
    }
    Ok(())
}

impl Guesser<'_> {
    /// At most `most` tokens that may follow `ids`, which have no padding.
    fn guess(&mut self, ids: &[i64], most: usize) -> Vec<i64> {
        match self {
            Self::Lookup { tokens, longest } => look_up(ids, *longest, most.min(*tokens)),
            Self::Draft { session, tokens, fed } => {
                let room = session.limit().map_or(most, |limit| {
                    usize::try_from(limit).unwrap_or(0).saturating_sub(ids.len())
                });
                draft(*session, fed, ids, most.min(*tokens).min(room))
            }
        }
    }
}

/// What followed the first occurrence of the last tokens, at most `longest` of them.
fn look_up(ids: &[i64], longest: usize, most: usize) -> Vec<i64> {
    for size in (1..=longest.min(ids.len().saturating_sub(1))).rev() {
        let last = &ids[ids.len() - size..];
        // Not the last tokens themselves, which nothing follows.
        let found = ids[..ids.len() - 1].windows(size).position(|run| run == last);
        if let Some(at) = found {
            return ids[at + size..].iter().take(most).copied().collect();
        }
    }
    Vec::new()
}

/// The tokens that a smaller model holds likeliest.
fn draft(session: &mut dyn Session, fed: &mut Vec<i64>, ids: &[i64], most: usize) -> Vec<i64> {
    let mut guesses = Vec::new();
    if most == 0 {
        return guesses;
    }
    let same = fed
        .iter()
        .zip(ids)
        .take_while(|(a, b)| a == b)
        .count()
        .min(ids.len() - 1);
    if session.len() > same as i64 {
        session.truncate(same as i64);
    }
    fed.truncate(same);
    let mut next = ids[same..].to_vec();
    loop {
        let input = Tensor::from_slice(&next).unsqueeze(0).to_device(session.device());
        let token = session
            .feed(&input, 1)
            .i((0, -1))
            .argmax(-1, false)
            .int64_value(&[]);
        fed.append(&mut next);
        guesses.push(token);
        if guesses.len() == most {
            return guesses;
        }
        next.push(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_run_is_looked_up_first() {
        assert_eq!(look_up(&[1, 2, 3, 4, 2, 5, 1, 2], 2, 3), [3, 4, 2]);
        assert_eq!(look_up(&[1, 2, 3, 9, 2], 2, 9), [3, 9, 2]);
        assert_eq!(look_up(&[7, 7], 2, 9), [7]);
        assert!(look_up(&[1, 2, 3], 2, 3).is_empty());
        assert!(look_up(&[1], 2, 3).is_empty());
    }
}
