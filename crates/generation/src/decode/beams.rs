//! Beam search, also with sampling and in groups that differ.
//!
//! Scores, the order of things and the conditions of stopping are those of `GenerationMixin._beam_search`
//! of `transformers`, release 5. Groups: Vijayakumar et al., *Diverse beam search* (2016).

use rand_pcg::Pcg64;
use tch::{Kind, Tensor};

use super::writer::{Text, Writer, likely};
use crate::config::EarlyStopping;
use crate::constraint::State;
use crate::output::{Finish, Generated, TokenLogProb};
use crate::processors::{Top, top};
use crate::sampling::{generator, gumbel};
use crate::{Error, Flow};

/// As good as minus infinity, yet ordered: what a beam costs that must not be taken.
const NEVER: f32 = -1e9;

/// A sequence under way.
#[derive(Clone)]
struct Beam<'o> {
    ids: Vec<i64>,
    /// The sum of the scores of its tokens.
    score: f32,
    /// The session's row that has been fed its tokens.
    row: usize,
    state: Option<State>,
    text: Option<Text<'o>>,
    log_probs: Vec<TokenLogProb>,
}

/// A sequence that has ended, its score divided by the power of its length.
struct Ended<'o> {
    beam: Beam<'o>,
    finish: Finish,
}

/// Beams that compete with each other; without groups all those of a row of the prompt.
struct Group<'o> {
    /// The row of the prompt.
    prompt: usize,
    running: Vec<Beam<'o>>,
    ended: Vec<Ended<'o>>,
    improvable: bool,
    done: bool,
}

/// A beam and a token to append to it.
struct Candidate<'o> {
    score: f32,
    beam: usize,
    token: i64,
    finish: Option<Finish>,
    state: Option<State>,
    text: Option<Text<'o>>,
}

pub(super) fn run(mut writer: Writer<'_, '_>) -> Result<Vec<Generated>, Error> {
    let size = writer.settings.beams / writer.settings.groups;
    let mut groups = Vec::new();
    let mut rngs = Vec::new();
    for prompt in 0..writer.prompt.rows().len() {
        let start = writer.begin(prompt, 0)?;
        let beam = |i: usize| Beam {
            ids: start.ids.clone(),
            // All beams are the same at first: only one may choose.
            score: if i == 0 { 0. } else { NEVER },
            row: prompt,
            state: start.state,
            text: start.text.clone(),
            log_probs: Vec::new(),
        };
        groups.extend((0..writer.settings.groups).map(|_| Group {
            prompt,
            running: (0..size).map(beam).collect(),
            ended: Vec::new(),
            improvable: true,
            done: false,
        }));
        rngs.push(generator(writer.seeds[prompt], 0));
    }

    // From the first step on each beam has a row of its own.
    let logits = writer.prefill(1);
    let beams = groups.iter().flat_map(|group| &group.running);
    let rows: Vec<i64> = beams.map(|beam| beam.row as i64).collect();
    let mut logits = logits.index_select(0, &Tensor::from_slice(&rows).to_device(logits.device()));
    loop {
        let vocabulary = writer.load(&logits.log_softmax(-1, Kind::Float));
        let mut scores = std::mem::take(&mut writer.buffer);
        let mut parts = scores.chunks_exact_mut(size * vocabulary);
        let mut chosen: Vec<i64> = Vec::new();
        for (i, group) in groups.iter_mut().enumerate() {
            if i % writer.settings.groups == 0 {
                chosen.clear();
            }
            if group.done {
                continue;
            }
            if let Some(scores) = parts.next() {
                group.step(&mut writer, scores, &chosen, &mut rngs[group.prompt])?;
                chosen.extend(group.running.iter().filter_map(|beam| beam.ids.last()));
            }
        }
        writer.buffer = scores;

        let running = groups.iter_mut().filter(|group| !group.done);
        let mut beams: Vec<&mut Beam<'_>> = running.flat_map(|group| &mut group.running).collect();
        if beams.is_empty() || writer.tell(0, &[]) != Flow::Continue {
            return Ok(finish(&writer, groups));
        }
        let rows: Vec<i64> = beams.iter().map(|beam| beam.row as i64).collect();
        let last: Vec<i64> = beams.iter().filter_map(|beam| beam.ids.last()).copied().collect();
        for (row, beam) in beams.iter_mut().enumerate() {
            beam.row = row;
        }
        writer.select(&rows);
        logits = writer.feed(&last, last.len(), 1);
    }
}

impl<'o> Group<'o> {
    /// Appends a token to each beam, by the log probabilities `scores` `[beams, vocabulary]`, which are processed
    /// on the way; `others` are the tokens that earlier groups have just chosen.
    fn step(
        &mut self,
        writer: &mut Writer<'_, 'o>,
        scores: &mut [f32],
        others: &[i64],
        rng: &mut Pcg64,
    ) -> Result<(), Error> {
        let vocabulary = scores.len() / self.running.len();
        let raw = writer.log_probs.map_or(Vec::new(), |_| scores.to_vec());
        for (beam, scores) in self.running.iter().zip(scores.chunks_exact_mut(vocabulary)) {
            for &token in others {
                scores[token as usize] -= writer.settings.diversity_penalty;
            }
            writer.process(&beam.ids, self.prompt, beam.state, scores);
        }
        let candidates = self.candidates(writer, scores, rng);
        if candidates
            .iter()
            .all(|candidate| candidate.score == f32::NEG_INFINITY)
        {
            return Err(Error::NothingAllowed {
                row: self.prompt,
                len: self.running[0].ids.len(),
            });
        }

        // What an unfinished candidate is worth; the list is sorted by score, or by the draw.
        let open =
            |candidate: &Candidate<'_>| candidate.score + if candidate.finish.is_some() { NEVER } else { 0. };
        let next = top(candidates.iter().map(open).zip(0..), self.running.len());
        let extend = |score, candidate: &Candidate<'o>| {
            let old = &self.running[candidate.beam];
            let mut log_probs = old.log_probs.clone();
            if let Some(count) = writer.log_probs {
                let row = &raw[candidate.beam * vocabulary..][..vocabulary];
                log_probs.push(TokenLogProb {
                    id: candidate.token,
                    log_prob: row[candidate.token as usize],
                    top: likely(row, count).1,
                });
            }
            Beam {
                ids: old.ids.iter().copied().chain([candidate.token]).collect(),
                score,
                row: old.row,
                state: candidate.state,
                text: candidate.text.clone(),
                log_probs,
            }
        };
        let running: Vec<Beam<'o>> = next
            .iter()
            .map(|&(score, i)| extend(score, &candidates[i]))
            .collect();

        let length = running[0].ids.len();
        let divisor = power(length - writer.prompt.len(), writer);
        let size = self.running.len();
        let full = self.ended.len() == size && writer.settings.early_stopping == EarlyStopping::First;
        if self.improvable && !full {
            // Candidates beyond the first ones are there to go on with, not to end with.
            for candidate in candidates.iter().take(size) {
                let (Some(finish), true) = (&candidate.finish, candidate.score > f32::NEG_INFINITY) else {
                    continue;
                };
                self.ended.push(Ended {
                    beam: extend(candidate.score / divisor, candidate),
                    finish: finish.clone(),
                });
            }
            self.ended.sort_by(|a, b| b.beam.score.total_cmp(&a.beam.score));
            self.ended.truncate(size);
        }
        let dead = candidates.iter().all(|candidate| candidate.finish.is_some());
        self.running = running;
        self.judge(writer, length, dead);
        Ok(())
    }

    /// The best candidates by `scores` `[beams, vocabulary]`, enough of them to go on if many of them end.
    fn candidates(&self, writer: &mut Writer<'_, 'o>, scores: &[f32], rng: &mut Pcg64) -> Vec<Candidate<'o>> {
        let vocabulary = scores.len() / self.running.len();
        let mut best = Top::new((1 + writer.settings.eos.len()).max(2) * self.running.len());
        for (number, (beam, scores)) in self.running.iter().zip(scores.chunks(vocabulary)).enumerate() {
            let first = number * vocabulary;
            if writer.settings.sample {
                let scores = scores.iter().zip(first..);
                for (&score, i) in scores.filter(|&(&score, _)| score > f32::NEG_INFINITY) {
                    best.offer(score + beam.score + gumbel(rng), i);
                }
            } else {
                best.offer_all(scores, beam.score, first);
            }
        }
        let candidate = |(_, i): (f32, usize)| {
            let beam = &self.running[i / vocabulary];
            let token = (i % vocabulary) as i64;
            let (mut state, mut text) = (beam.state, beam.text.clone());
            let finish = writer.ends(beam.ids.len() + 1, token, &mut state, text.as_mut());
            Candidate {
                score: scores[i] + beam.score,
                beam: i / vocabulary,
                token,
                finish,
                state,
                text,
            }
        };
        best.sorted().into_iter().map(candidate).collect()
    }

    /// Whether going on can improve what has ended, sequences being `length` long.
    fn judge(&mut self, writer: &Writer<'_, '_>, length: usize, dead: bool) {
        let settings = &writer.settings;
        let never = settings.early_stopping == EarlyStopping::Never && settings.length_penalty > 0.;
        let length = if never { settings.max_length } else { length };
        let best = self.running[0].score / power(length - writer.prompt.len(), writer);
        let full = self.ended.len() == self.running.len();
        let worst = self
            .ended
            .last()
            .filter(|_| full)
            .map_or(NEVER, |ended| ended.beam.score);
        self.improvable &= best > worst;
        let content = full && settings.early_stopping == EarlyStopping::First;
        self.done = dead || content || !self.improvable;
    }
}

/// What a score is divided by: the generated length to the power of the length penalty.
fn power(length: usize, writer: &Writer<'_, '_>) -> f32 {
    (length as f64).powf(f64::from(writer.settings.length_penalty)) as f32
}

/// The best sequences of each row of the prompt.
fn finish<'o>(writer: &Writer<'_, 'o>, mut groups: Vec<Group<'o>>) -> Vec<Generated> {
    let prompt = writer.prompt.len();
    let mut all = Vec::new();
    for groups in groups.chunks_mut(writer.settings.groups) {
        let row = groups[0].prompt;
        let mut ended: Vec<Ended<'_>> = groups
            .iter_mut()
            .flat_map(|group| group.ended.drain(..))
            .collect();
        ended.sort_by(|a, b| b.beam.score.total_cmp(&a.beam.score));
        // Stopped from outside, there may be too few that ended.
        let mut open: Vec<Beam<'_>> = groups
            .iter_mut()
            .flat_map(|group| group.running.drain(..))
            .collect();
        open.sort_by(|a, b| b.score.total_cmp(&a.score));
        for mut beam in open {
            beam.score /= power(beam.ids.len() - prompt, writer);
            ended.push(Ended {
                beam,
                finish: Finish::Stopped,
            });
        }
        ended.truncate(writer.settings.returned);
        all.extend(ended.into_iter().map(|Ended { beam, finish }| {
            let ids = beam.ids[prompt..].to_vec();
            Generated {
                row,
                text: writer.text(&ids, &finish, beam.text),
                sequence: beam.ids,
                ids,
                finish,
                score: Some(beam.score),
                log_probs: beam.log_probs,
                step_logits: None,
            }
        }));
    }
    let longest = all.iter().map(|one| one.sequence.len()).max().unwrap_or(0);
    for one in &mut all {
        one.sequence.resize(longest, writer.settings.beam_padding());
    }
    all
}
