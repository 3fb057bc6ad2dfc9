//! One token after another: the likeliest, or drawn.

use tch::Tensor;

use super::writer::{Sequence, Writer, row_of};
use crate::output::Finish;
use crate::session::Scores;
use crate::{Error, Flow, Generated};

/// Greedy search or sampling. A sequence that has ended leaves the computation.
pub(super) fn run(mut writer: Writer<'_, '_>) -> Result<Vec<Generated>, Error> {
    let mut sequences = Vec::new();
    for row in 0..writer.prompt.rows().len() {
        for number in 0..writer.settings.returned {
            sequences.push(writer.begin(row, number)?);
        }
    }
    let mut logits = writer.prefill(1);
    if writer.settings.returned > 1 {
        let rows: Vec<i64> = sequences.iter().map(|sequence| sequence.row as i64).collect();
        writer.select(&rows);
        logits = logits.index_select(0, &Tensor::from_slice(&rows).to_device(logits.device()));
    }

    let mut scores = Scores::Logits(logits);

    // Which sequence each of the session's rows belongs to.
    let mut active: Vec<usize> = (0..sequences.len()).collect();
    loop {
        let tokens = step(&mut writer, &mut sequences, &active, scores)?;
        let mut stop = false;
        for (&i, &token) in active.iter().zip(&tokens) {
            let sequence = &mut sequences[i];
            writer.append(sequence, token);
            match writer.tell(i, &[token]) {
                Flow::Continue => {}
                Flow::StopRow => sequence.finish = sequence.finish.take().or(Some(Finish::Stopped)),
                Flow::Stop => stop = true,
            }
        }
        let left: Vec<usize> = (0..active.len())
            .filter(|&at| sequences[active[at]].finish.is_none())
            .collect();
        if stop || left.is_empty() {
            return Ok(writer.finish(sequences));
        }
        if left.len() < active.len() {
            let rows: Vec<i64> = left.iter().map(|&at| at as i64).collect();
            writer.select(&rows);
            active = left.iter().map(|&at| active[at]).collect();
        }
        let next: Vec<i64> = left.iter().map(|&at| tokens[at]).collect();
        scores = writer.feed_one(&next);
    }
}

/// Chooses a token for each of the active sequences.
fn step<'o>(
    writer: &mut Writer<'_, 'o>,
    sequences: &mut [Sequence<'o>],
    active: &[usize],
    scores: Scores,
) -> Result<Vec<i64>, Error> {
    let logits = match scores {
        Scores::Logits(logits) => logits,
        Scores::Guess(guess) => return Ok(vec![writer.choose_greatest(&sequences[active[0]], guess)?]),
    };
    for (at, &i) in active.iter().enumerate() {
        if writer.step_logits {
            writer.keep(&mut sequences[i], &row_of(&logits, at));
        }
    }
    if writer.is_bare() {
        return Ok(writer.likeliest(&logits));
    }
    let vocabulary = writer.load(&logits);
    let mut buffer = std::mem::take(&mut writer.buffer);
    let rows = buffer.chunks_mut(vocabulary).zip(active);
    let tokens = rows
        .map(|(scores, &i)| writer.choose(&mut sequences[i], scores))
        .collect();
    writer.buffer = buffer;
    tokens
}
