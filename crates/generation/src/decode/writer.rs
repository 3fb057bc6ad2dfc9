//! What all ways of choosing tokens share.

use rand_pcg::Pcg64;
use sensorium_blocks::Guess;
use tch::{Device, IndexOp, Kind, Tensor};

use crate::config::Settings;
use crate::constraint::State;
use crate::output::{Finish, Generated, TokenLogProb};
use crate::processors::{Chain, Needs, Row, argmax, log_sum_exp, top};
use crate::sampling::{draw, generator};
use crate::session::Scores;
use crate::{Constraint, Detokenize, Error, Flow, Prompt, Session, TextStream, TokenSink};

/// A generation under way, sequences aside.
pub(super) struct Writer<'a, 'o> {
    pub session: &'a mut dyn Session,
    pub prompt: &'a Prompt,
    pub settings: Settings,
    pub chain: Chain<'o>,
    pub constraint: Option<&'o mut dyn Constraint>,
    pub sink: Option<&'o mut dyn TokenSink>,
    pub detokenizer: Option<&'o dyn Detokenize>,
    pub log_probs: Option<usize>,
    pub step_logits: bool,
    /// One for each row of the prompt.
    pub seeds: Vec<u64>,
    /// Logits outside libtorch, `[rows, vocabulary]`.
    pub buffer: Vec<f32>,
}

/// A sequence under way.
#[derive(Debug)]
pub(super) struct Sequence<'o> {
    /// The prompt's row that it continues.
    pub row: usize,
    /// The prompt, then the new tokens.
    pub ids: Vec<i64>,
    pub rng: Pcg64,
    /// Where stop strings are looked for, if there are any.
    pub text: Option<Text<'o>>,
    pub state: Option<State>,
    pub log_probs: Vec<TokenLogProb>,
    pub logits: Vec<Tensor>,
    pub finish: Option<Finish>,
}

/// A text under way.
#[derive(Clone)]
pub(super) struct Text<'o>(pub TextStream<'o>);

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0.text())
    }
}

impl<'o> Writer<'_, 'o> {
    /// The sequence `number` of those that continue the prompt's `row`.
    ///
    /// # Errors
    /// If the constraint cannot be met.
    pub fn begin(&mut self, row: usize, number: usize) -> Result<Sequence<'o>, Error> {
        let state = match &mut self.constraint {
            Some(constraint) => Some(constraint.start()?),
            None => None,
        };
        let stops = &self.settings.stop_strings;
        let text = self.detokenizer.filter(|_| !stops.is_empty());
        Ok(Sequence {
            row,
            ids: self.prompt.rows()[row].clone(),
            rng: generator(self.seeds[row], number as u64),
            text: text.map(|detokenizer| Text(TextStream::new(detokenizer, stops))),
            state,
            log_probs: Vec::new(),
            logits: Vec::new(),
            finish: None,
        })
    }

    /// Feeds the prompt, or what the session has not been fed of it; logits at the last `last` positions,
    /// `[rows, last, vocabulary]`.
    pub fn prefill(&mut self, last: usize) -> Tensor {
        let len = self.prompt.len();
        let mut fed = usize::try_from(self.session.len()).unwrap_or(0);
        if fed > len - last {
            fed = len - last;
            self.session.truncate(fed as i64);
        }
        let rest: Vec<i64> = self
            .prompt
            .rows()
            .iter()
            .flat_map(|row| &row[fed..])
            .copied()
            .collect();
        self.feed(&rest, self.prompt.rows().len(), last)
    }

    /// Feeds `ids` `[rows, n]`; logits at the last `last` positions.
    pub fn feed(&mut self, ids: &[i64], rows: usize, last: usize) -> Tensor {
        let ids = Tensor::from_slice(ids).view([rows as i64, -1]);
        self.session
            .feed(&ids.to_device(self.session.device()), last as i64)
    }

    /// Feeds a token of each row, `ids`; what the model says of the next ones.
    pub fn feed_one(&mut self, ids: &[i64]) -> Scores {
        let greatest = ids.len() == 1
            && self.constraint.is_none()
            && !self.settings.sample
            && self.log_probs.is_none()
            && !self.step_logits
            && self.chain.iter().all(|processor| processor.needs() != Needs::All);
        if !greatest {
            return Scores::Logits(self.feed(ids, ids.len(), 1));
        }
        let ids = Tensor::from_slice(ids).view([1, 1]);
        self.session.feed_greedily(&ids.to_device(self.session.device()))
    }

    /// The token with the greatest score, of those that the processors allow.
    ///
    /// # Errors
    /// If no token is allowed.
    pub fn choose_greatest(&mut self, sequence: &Sequence<'o>, mut guess: Guess) -> Result<i64, Error> {
        let vocabulary = guess.scores().len();
        let row = Row {
            ids: &sequence.ids,
            padding: self.prompt.padding()[sequence.row],
            prompt: sequence.row,
        };
        for processor in &mut self.chain {
            if let Needs::From(first) = processor.needs() {
                let first = first.min(vocabulary);
                guess.learn(first..vocabulary);
                guess.greatest(0..first);
            }
            processor.process(&row, guess.scores());
        }
        let chosen = guess.greatest(0..vocabulary).ok_or(Error::NothingAllowed {
            row: sequence.row,
            len: sequence.ids.len(),
        })?;
        Ok(chosen as i64)
    }

    /// Makes the session's rows `rows`, unless nothing moves.
    pub fn select(&mut self, rows: &[i64]) {
        let same = rows.len() as i64 == self.session.rows() && rows.iter().zip(0..).all(|(&row, i)| row == i);
        if !same {
            self.session.select(rows);
        }
    }

    /// Whether the likeliest token by the model's own logits is all that matters.
    pub fn is_bare(&self) -> bool {
        self.chain.is_empty()
            && self.constraint.is_none()
            && !self.settings.sample
            && self.log_probs.is_none()
    }

    /// The likeliest tokens of `logits` `[.., vocabulary]`, one after another.
    ///
    /// On a CPU, copying the logits into the buffer and looking there is faster than libtorch's argmax.
    pub fn likeliest(&mut self, logits: &Tensor) -> Vec<i64> {
        if logits.device() == Device::Cpu {
            let vocabulary = self.load(logits);
            return self
                .buffer
                .chunks(vocabulary)
                .map(|scores| argmax(scores) as i64)
                .collect();
        }
        let ids = logits.argmax(-1, false).view([-1]);
        let mut tokens = vec![0; ids.numel()];
        let len = tokens.len();
        ids.copy_data(&mut tokens, len);
        tokens
    }

    /// Copies `logits` `[.., vocabulary]` into the buffer; the size of the vocabulary.
    pub fn load(&mut self, logits: &Tensor) -> usize {
        let logits = logits.to_kind(Kind::Float);
        let count = logits.numel();
        self.buffer.resize(count, 0.);
        logits.copy_data(&mut self.buffer, count);
        logits.size().last().map_or(0, |&size| size as usize)
    }

    /// Chooses the next token of `sequence` by `scores`, the model's logits `[vocabulary]`, which are
    /// processed on the way.
    ///
    /// # Errors
    /// If no token is allowed.
    pub fn choose(&mut self, sequence: &mut Sequence<'o>, scores: &mut [f32]) -> Result<i64, Error> {
        let likely = self.log_probs.map(|count| likely(scores, count));
        let raw = if likely.is_some() {
            scores.to_vec()
        } else {
            Vec::new()
        };
        self.process(&sequence.ids, sequence.row, sequence.state, scores);
        let chosen = if self.settings.sample {
            draw(scores, &mut sequence.rng)
        } else {
            Some(argmax(scores)).filter(|&best| scores[best] != f32::NEG_INFINITY)
        };
        let chosen = chosen.ok_or(Error::NothingAllowed {
            row: sequence.row,
            len: sequence.ids.len(),
        })?;
        if let Some((total, top)) = likely {
            sequence.log_probs.push(TokenLogProb {
                id: chosen as i64,
                log_prob: raw[chosen] - total,
                top,
            });
        }
        Ok(chosen as i64)
    }

    /// Applies the constraint and the processors to the scores of the token after `ids`.
    pub fn process(&mut self, ids: &[i64], row: usize, state: Option<State>, scores: &mut [f32]) {
        if let (Some(constraint), Some(state)) = (&mut self.constraint, state) {
            let ends: &[i64] = if constraint.is_accepting(state) {
                &self.settings.eos
            } else {
                &[]
            };
            constraint.allowed(state).restrict(scores, ends);
        }
        let row = Row {
            ids,
            padding: self.prompt.padding()[row],
            prompt: row,
        };
        for processor in &mut self.chain {
            processor.process(&row, scores);
        }
    }

    /// Appends a token and finds out whether the sequence ends there.
    pub fn append(&mut self, sequence: &mut Sequence<'o>, token: i64) {
        sequence.ids.push(token);
        let len = sequence.ids.len();
        let text = sequence.text.as_mut();
        sequence.finish = self.ends(len, token, &mut sequence.state, text);
    }

    /// Why a sequence, now of `len` tokens, ends with `token`, if it does.
    pub fn ends(
        &mut self,
        len: usize,
        token: i64,
        state: &mut Option<State>,
        text: Option<&mut Text<'o>>,
    ) -> Option<Finish> {
        if self.settings.eos.contains(&token) {
            return Some(Finish::Eos(token));
        }
        if let Some(Text(text)) = text {
            text.push(token);
            if let Some(stop) = text.stopped_by() {
                return Some(Finish::StopString(stop.to_string()));
            }
        }
        if let (Some(constraint), Some(before)) = (&mut self.constraint, *state) {
            // A forced token may lie outside the constraint, which then has no more say.
            *state = constraint.advance(before, token);
            let met = |state| constraint.is_accepting(state) && constraint.allowed(state).is_empty();
            if state.is_some_and(met) {
                return Some(Finish::Constraint);
            }
        }
        (len >= self.settings.max_length).then_some(Finish::Length)
    }

    /// Tells the sink about new tokens.
    pub fn tell(&mut self, row: usize, ids: &[i64]) -> Flow {
        match &mut self.sink {
            Some(sink) => sink.tokens(row, ids),
            None => Flow::Continue,
        }
    }

    /// Keeps the logits `[vocabulary]` of a step, if they are asked for.
    pub fn keep(&self, sequence: &mut Sequence<'o>, logits: &Tensor) {
        if self.step_logits {
            sequence.logits.push(logits.copy());
        }
    }

    /// The sequences as they are returned.
    pub fn finish(&self, sequences: Vec<Sequence<'o>>) -> Vec<Generated> {
        let longest = sequences
            .iter()
            .map(|sequence| sequence.ids.len())
            .max()
            .unwrap_or(0);
        let give = |mut sequence: Sequence<'o>| {
            let ids = sequence.ids[self.prompt.len()..].to_vec();
            let finish = sequence.finish.take().unwrap_or(Finish::Stopped);
            let text = self.text(&ids, &finish, sequence.text.take());
            sequence.ids.resize(longest, self.settings.padding());
            Generated {
                row: sequence.row,
                sequence: sequence.ids,
                ids,
                text,
                finish,
                score: None,
                log_probs: sequence.log_probs,
                step_logits: (self.step_logits && !sequence.logits.is_empty())
                    .then(|| Tensor::stack(&sequence.logits, 0)),
            }
        };
        sequences.into_iter().map(give).collect()
    }

    /// The text of the new tokens `ids`.
    pub fn text(&self, ids: &[i64], finish: &Finish, text: Option<Text<'o>>) -> Option<String> {
        if let Some(Text(mut text)) = text {
            text.finish();
            return Some(text.text().to_string());
        }
        let end = ids.len() - usize::from(matches!(finish, Finish::Eos(_)));
        self.detokenizer
            .map(|detokenizer| detokenizer.decode(&ids[..end]))
    }
}

/// The logarithm of the sum of exponentials of `scores`, and the `count` likeliest tokens.
pub(super) fn likely(scores: &[f32], count: usize) -> (f32, Vec<(i64, f32)>) {
    let total = log_sum_exp(scores);
    let top = top(scores.iter().copied().zip(0..), count);
    (
        total,
        top.into_iter()
            .map(|(score, id)| (id as i64, score - total))
            .collect(),
    )
}

/// Row `row` of `logits` `[rows, 1, vocabulary]`.
pub(super) fn row_of(logits: &Tensor, row: usize) -> Tensor {
    logits.i((row as i64, -1))
}
