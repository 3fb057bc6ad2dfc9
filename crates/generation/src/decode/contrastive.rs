//! Contrastive search: Su et al., *A contrastive framework for neural text generation* (2022), section 3.2.
//!
//! Of the likeliest tokens, the one is taken that is likely and whose hidden state is unlike all before.

use tch::{IndexOp, Kind, Tensor};

use super::writer::{Sequence, Writer, likely};
use crate::output::{Finish, TokenLogProb};
use crate::processors::{softmax, top};
use crate::{Error, Flow, Generated};

/// The candidates of one sequence: tokens and their probabilities.
type Candidates = Vec<(i64, f32)>;

/// Weighs `alpha` against the probabilities of the `width` likeliest tokens.
pub(super) fn run(mut writer: Writer<'_, '_>, alpha: f32, width: usize) -> Result<Vec<Generated>, Error> {
    let rows = writer.prompt.rows().len();
    let mut sequences = (0..rows)
        .map(|row| writer.begin(row, 0))
        .collect::<Result<Vec<_>, _>>()?;
    // The hidden states of the whole prompt are needed, so nothing is fed already.
    let mut logits = writer
        .prefill(writer.prompt.len())
        .narrow(1, writer.prompt.len() as i64 - 1, 1);
    let width = width.min(logits.size()[2] as usize);
    let mut context = hidden(&writer)?;
    // Added to the similarity with padding.
    let mut mask = padding_mask(&writer, &context);
    let mut active: Vec<usize> = (0..rows).collect();
    loop {
        let (candidates, raw) = candidates(&mut writer, &sequences, &active, &logits, width)?;
        let copies: Vec<i64> = (0..active.len() * width).map(|i| (i / width) as i64).collect();
        writer.select(&copies);
        let tokens: Vec<i64> = candidates.iter().flatten().map(|&(token, _)| token).collect();
        logits = writer.feed(&tokens, tokens.len(), 1);
        let state = hidden(&writer)?; // [rows · width, 1, hidden]

        let size = state.size()[2];
        let beside = state.view([active.len() as i64, width as i64, size]);
        let similar = context.matmul(&beside.transpose(1, 2)) + &mask; // [rows, tokens, width]
        let similar: Vec<f32> = flat(&similar.amax(1, false));

        let mut left = Vec::new();
        let mut stop = false;
        for (at, &i) in active.iter().enumerate() {
            let similar = &similar[at * width..][..width];
            let rank = |j: usize| (1. - alpha) * candidates[at][j].1 - alpha * similar[j];
            let possible = (0..width).filter(|&j| candidates[at][j].1 >= 0.);
            let best = possible
                .max_by(|&a, &b| rank(a).total_cmp(&rank(b)).then(b.cmp(&a)))
                .unwrap_or(0);
            let token = candidates[at][best].0;
            let sequence = &mut sequences[i];
            if let Some((scores, total, top)) = raw.get(at) {
                sequence.log_probs.push(TokenLogProb {
                    id: token,
                    log_prob: scores[token as usize] - total,
                    top: top.clone(),
                });
            }
            writer.append(sequence, token);
            match writer.tell(i, &[token]) {
                Flow::Continue => {}
                Flow::StopRow => sequence.finish = sequence.finish.take().or(Some(Finish::Stopped)),
                Flow::Stop => stop = true,
            }
            if sequence.finish.is_none() {
                left.push((at as i64, (at * width + best) as i64));
            }
        }
        if stop || left.is_empty() {
            return Ok(writer.finish(sequences));
        }
        let rows: Vec<i64> = left.iter().map(|&(_, row)| row).collect();
        writer.select(&rows);
        let kept: Vec<i64> = left.iter().map(|&(at, _)| at).collect();
        active = kept.iter().map(|&at| active[at as usize]).collect();
        let index = |rows: &[i64]| Tensor::from_slice(rows).to_device(context.device());
        let (kept, rows) = (index(&kept), index(&rows));
        logits = logits.index_select(0, &rows);
        context = Tensor::cat(&[context.index_select(0, &kept), state.index_select(0, &rows)], 1);
        let free = Tensor::zeros([kept.size()[0], 1, 1], (mask.kind(), mask.device()));
        mask = Tensor::cat(&[mask.index_select(0, &kept), free], 1);
    }
}

/// The scores by the model itself, their sum, and the likeliest tokens.
type Raw = (Vec<f32>, f32, Vec<(i64, f32)>);

/// The likeliest tokens of each active sequence; a probability of -1 marks what only fills up.
fn candidates<'o>(
    writer: &mut Writer<'_, 'o>,
    sequences: &[Sequence<'o>],
    active: &[usize],
    logits: &Tensor,
    width: usize,
) -> Result<(Vec<Candidates>, Vec<Raw>), Error> {
    let vocabulary = writer.load(logits);
    let mut buffer = std::mem::take(&mut writer.buffer);
    let (mut all, mut raw) = (Vec::new(), Vec::new());
    for (scores, &i) in buffer.chunks_mut(vocabulary).zip(active) {
        let sequence = &sequences[i];
        if let Some(count) = writer.log_probs {
            let (total, top) = likely(scores, count);
            raw.push((scores.to_vec(), total, top));
        }
        writer.process(&sequence.ids, sequence.row, sequence.state, scores);
        let best = top(scores.iter().copied().zip(0..), width);
        let allowed = best
            .iter()
            .filter(|(score, _)| *score > f32::NEG_INFINITY)
            .count();
        if allowed == 0 {
            return Err(Error::NothingAllowed {
                row: sequence.row,
                len: sequence.ids.len(),
            });
        }
        softmax(scores);
        let mut tokens: Candidates = best[..allowed]
            .iter()
            .map(|&(_, i)| (i as i64, scores[i]))
            .collect();
        tokens.resize(width, (tokens[0].0, -1.));
        all.push(tokens);
    }
    writer.buffer = buffer;
    Ok((all, raw))
}

/// The hidden states behind the last logits, of length 1.
fn hidden(writer: &Writer<'_, '_>) -> Result<Tensor, Error> {
    let hidden = writer
        .session
        .hidden()
        .ok_or(Error::NoHidden)?
        .to_kind(Kind::Float);
    let norm = hidden.square().sum_dim_intlist(-1, true, None).sqrt();
    Ok(hidden / norm.clamp_min(f64::from(f32::MIN_POSITIVE)))
}

/// Minus infinity at padding, `[rows, tokens, 1]`.
fn padding_mask(writer: &Writer<'_, '_>, context: &Tensor) -> Tensor {
    let (rows, tokens, _) = context.size3().expect("hidden states are [rows, tokens, hidden]");
    let mask = Tensor::zeros([rows, tokens, 1], (Kind::Float, context.device()));
    for (&padding, row) in writer.prompt.padding().iter().zip(0..) {
        let _ = mask.i((row, ..padding as i64)).fill_(f64::NEG_INFINITY);
    }
    mask
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    let mut values = vec![0.; tensor.numel()];
    let count = values.len();
    tensor.copy_data(&mut values, count);
    values
}
