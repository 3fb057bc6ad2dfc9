//! Words for windows, several at once: written again until they pass the checks.

use std::cell::RefCell;
use std::collections::BTreeMap;

use sensorium_blocks::in_f32;
use sensorium_blocks::seq2seq::Memory;
use sensorium_generation::{
    DecoderSession, Error as GenerationError, GenerationConfig, LogitsProcessor, Options, Prompt, Session,
    generate, log_probs,
};
use tch::{Device, Kind, Tensor};

use super::log_probs::{LogProbs, Watch};
use super::quality::{Quality, Verdict};
use super::timestamps::Timestamps;
use super::{WhisperOptions, WhisperRecognizer, alignment};
use crate::error::Error;

/// What a window's words are to follow.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// What was said before, then what is wanted.
    pub prompt: Vec<i64>,
    /// How many of them say what is wanted.
    pub wanted: usize,
    /// Whether times are wanted.
    pub timestamps: bool,
    /// Of random draws.
    pub seed: u64,
}

/// What the decoder wrote for a window.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Without what came before and without the end.
    pub ids: Vec<i64>,
    /// Whether the end was written.
    pub ended: bool,
    /// The logarithm of the probability of each, and of the end; empty without checks.
    pub log_probs: Vec<f32>,
}

/// What is to be taken for a window's words.
#[derive(Debug)]
pub(super) struct Answer {
    /// Nothing if nobody speaks.
    pub written: Option<Written>,
    /// What it was drawn with.
    pub temperature: f64,
    /// How good it is, with checks.
    pub quality: Option<Quality>,
}

impl WhisperRecognizer {
    /// An answer to each request, whose window is the one of the same number in `memory`.
    pub(super) fn answers(
        &self,
        memory: &Memory,
        requests: &[Request],
        options: &WhisperOptions,
    ) -> Vec<Result<Answer, Error>> {
        let temperatures = match &options.checks {
            Some(checks) if !checks.temperatures.is_empty() => checks.temperatures.as_slice(),
            _ => &[0.0],
        };
        let mut answers: BTreeMap<usize, Result<Answer, Error>> = BTreeMap::new();
        let mut left: Vec<usize> = (0..requests.len()).collect();
        for (attempt, &temperature) in temperatures.iter().enumerate() {
            let mut again = Vec::new();
            for rows in alike(requests, &left) {
                let attempt = Attempt {
                    temperature,
                    number: attempt as u64,
                };
                let written = self.write(memory, requests, &rows, options, attempt);
                for (row, written) in rows.into_iter().zip(written) {
                    let judged = written.and_then(|written| self.judged(written, temperature, options));
                    if matches!(&judged, Ok((_, Verdict::Again))) {
                        again.push(row);
                    }
                    answers.insert(row, judged.map(|(answer, _)| answer));
                }
            }
            again.sort_unstable();
            left = again;
        }
        answers.into_values().collect()
    }

    fn judged(
        &self,
        (written, no_speech): (Written, f64),
        temperature: f64,
        options: &WhisperOptions,
    ) -> Result<(Answer, Verdict), Error> {
        let mut answer = Answer {
            written: Some(written),
            temperature,
            quality: None,
        };
        let (Some(checks), Some(written)) = (&options.checks, &answer.written) else {
            return Ok((answer, Verdict::Good));
        };
        let quality = Quality::new(self.text(&written.ids)?.trim(), written, no_speech);
        answer.quality = Some(quality);
        let verdict = checks.of(&quality);
        if verdict == Verdict::Silence {
            answer.written = None;
        }
        Ok((answer, verdict))
    }

    /// Tokens for the windows `rows`, whose prompts are equally long, and the probability that nobody speaks in each.
    fn write(
        &self,
        memory: &Memory,
        requests: &[Request],
        rows: &[usize],
        options: &WhisperOptions,
        attempt: Attempt,
    ) -> Vec<Result<(Written, f64), Error>> {
        match self.write_together(memory, requests, rows, options, attempt) {
            Ok(written) => written.into_iter().map(Ok).collect(),
            Err(error) if rows.len() == 1 => vec![Err(error)],
            // One of them cannot be written: the others must not suffer.
            Err(_) => rows
                .iter()
                .flat_map(|&row| self.write(memory, requests, &[row], options, attempt))
                .collect(),
        }
    }

    fn write_together(
        &self,
        memory: &Memory,
        requests: &[Request],
        rows: &[usize],
        options: &WhisperOptions,
        attempt: Attempt,
    ) -> Result<Vec<(Written, f64)>, Error> {
        let Some(first) = rows.first().map(|&row| &requests[row]) else {
            return Ok(Vec::new());
        };
        let begin = first.prompt.len();
        let config = self.settings(options, attempt, begin)?;
        let prompts: Vec<Vec<i64>> = rows.iter().map(|&row| requests[row].prompt.clone()).collect();
        let mut session = DecoderSession::new(self.model.decoder(), part(memory, rows), 0, self.device);
        let mut silences = vec![0.0; rows.len()];
        let watched = RefCell::new(LogProbs::new(begin, self.tokens.end));
        let mut generation = Options {
            seeds: rows.iter().map(|&row| attempt.seed(requests[row].seed)).collect(),
            ..Options::default()
        };
        let rules = || -> Option<Box<dyn LogitsProcessor>> {
            let rules = Timestamps::new(&self.tokens, begin);
            first.timestamps.then(|| Box::new(rules) as _)
        };
        generation.processors.extend(rules());
        // One greedy row need not know all scores on its way; then it is quicker to compute them in the end.
        let later = rows.len() == 1 && is_greedy(&config);
        if options.checks.is_some() {
            if !later {
                generation.processors.push(Box::new(Watch(&watched)));
            }
            if let Some(id) = self.no_speech {
                silences = self.silences(&mut session, &prompts, begin - first.wanted, id);
            }
        }
        let prompt = Prompt::new(prompts)?;
        let mut found = generate(&mut session, &prompt, &config, generation)?;
        if let ([generated], true, Some(_)) = (found.as_mut_slice(), later, &options.checks) {
            let ids = std::mem::take(&mut generated.ids);
            let logits = self.logits(&part(memory, rows), &first.prompt, &ids);
            let log_probs = log_probs(&prompt, &ids, &logits, &config, rules().into_iter().collect())?;
            return Ok(vec![(self.without_end(ids, log_probs), silences[0])]);
        }
        let watched = watched.into_inner();
        let mut best: Vec<Option<(f64, Written)>> = rows.iter().map(|_| None).collect();
        for generated in found {
            let row = generated.row;
            let log_probs = watched.of(row, &generated.ids);
            let written = self.without_end(generated.ids, log_probs);
            let rank = written.rank();
            if best[row].as_ref().is_none_or(|(other, _)| rank > *other) {
                best[row] = Some((rank, written));
            }
        }
        let best = best.into_iter().map(|best| best.unwrap_or_default().1);
        Ok(best.zip(silences).collect())
    }

    /// The probability of silence in each window, which the model tells where what is wanted begins: at `place`.
    fn silences(
        &self,
        session: &mut DecoderSession<'_>,
        prompts: &[Vec<i64>],
        place: usize,
        no_speech: i64,
    ) -> Vec<f64> {
        let first: Vec<i64> = prompts
            .iter()
            .flat_map(|prompt| &prompt[..=place])
            .copied()
            .collect();
        let ids = Tensor::from_slice(&first).view([prompts.len() as i64, -1]);
        let logits = session.feed(&ids.to_device(self.device), 1).select(1, -1);
        let likely = logits.softmax(-1, Kind::Float).select(1, no_speech);
        let rows = 0..prompts.len() as i64;
        rows.map(|row| likely.double_value(&[row])).collect()
    }

    fn settings(
        &self,
        options: &WhisperOptions,
        attempt: Attempt,
        prompt: usize,
    ) -> Result<GenerationConfig, Error> {
        let asked = &options.generation;
        let mut config = asked.clone().merge(&self.published);
        config.seed = config.seed.or(Some(0));
        let most = usize::try_from(self.model.max_tokens()).unwrap_or(usize::MAX);
        if config.max_new_tokens.is_none() {
            let first = prompt.min((most / 2).saturating_sub(1));
            let length = config.max_length.unwrap_or(most).saturating_add(first);
            config.max_length = Some(length.min(most));
        }
        let Some(checks) = &options.checks else {
            return Ok(config);
        };
        if asked.max_new_tokens.is_none() && asked.max_length.is_none() {
            // As in the reference program: a window has no more words than fit into half of the decoder.
            config.max_length = config.max_length.map(|length| length.min(prompt + most / 2));
        }
        for (setting, asked) in [
            (
                "prompt_lookup_num_tokens",
                config.prompt_lookup_num_tokens.is_some(),
            ),
            ("penalty_alpha", config.penalty_alpha.is_some()),
        ] {
            if asked {
                let other = "checks of what Whisper writes";
                return Err(GenerationError::Clash { setting, other }.into());
            }
        }
        if attempt.temperature > 0.0 {
            config.num_beams = None;
            config.num_beam_groups = None;
            config.do_sample = Some(true);
            config.temperature = Some(attempt.temperature as _);
            config.top_k = config.top_k.or(Some(0));
            config.num_return_sequences = Some(checks.best_of.max(1));
        }
        Ok(config)
    }

    /// The logits `[ids, vocabulary]` of the places of `ids` behind a prompt.
    fn logits(&self, memory: &Memory, prompt: &[i64], ids: &[i64]) -> Tensor {
        let fed: Vec<i64> = prompt.iter().chain(ids).copied().collect();
        let decoder = self.model.decoder();
        tch::no_grad(|| {
            // Nothing follows the last one.
            let fed = Tensor::from_slice(&fed[..fed.len() - 1])
                .view([1, -1])
                .to_device(self.device);
            let states = decoder.forward(&fed, Default::default(), memory, None, false, None);
            let states = states.narrow(1, prompt.len() as i64 - 1, ids.len() as i64);
            in_f32(&decoder.logits(&states))
                .squeeze_dim(0)
                .to_device(Device::Cpu)
        })
    }

    fn without_end(&self, mut ids: Vec<i64>, log_probs: Vec<f32>) -> Written {
        let ended = ids.last() == Some(&self.tokens.end);
        while ids.last() == Some(&self.tokens.end) {
            ids.pop();
        }
        Written {
            ids,
            ended,
            log_probs,
        }
    }

    /// When each token of what was written for window `row` is said, in seconds since the window's beginning. Of the
    /// window the first `steps` steps are no padding.
    pub(super) fn token_times(
        &self,
        memory: &Memory,
        row: usize,
        prompt: &[i64],
        written: &Written,
        steps: i64,
    ) -> Vec<f64> {
        let Written { ids, ended, .. } = written;
        let all: Vec<i64> = prompt.iter().chain(ids).copied().collect();
        // As in the reference a last token that is not the end was never attended from.
        let attended = if *ended {
            ids.len()
        } else {
            ids.len().saturating_sub(1)
        };
        let weights = tch::no_grad(|| {
            let memory = part(memory, &[row]);
            let all = Tensor::from_slice(&all).view([1, -1]).to_device(self.device);
            let weights = self.model.decoder().cross_weights(&all, &memory, &self.alignment);
            weights.get(0).narrow(1, prompt.len() as i64, attended as i64)
        });
        let mut times = alignment::token_times(&weights.to_device(Device::Cpu), steps, self.median);
        times.resize(ids.len(), times.last().copied().unwrap_or(0.0));
        times
    }
}

impl Written {
    /// The sum of the logarithms of the tokens' probabilities, the end's among them.
    pub fn log_prob(&self) -> f64 {
        self.log_probs.iter().copied().map(f64::from).sum()
    }

    /// What the best of several is chosen by.
    fn rank(&self) -> f64 {
        self.log_prob() / self.ids.len().max(1) as f64
    }
}

/// How often windows were written before, and with what they are drawn now.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    temperature: f64,
    number: u64,
}

impl Attempt {
    fn seed(self, seed: u64) -> u64 {
        seed.wrapping_add(self.number << 40)
    }
}

/// Whether the likeliest token is taken each time.
fn is_greedy(config: &GenerationConfig) -> bool {
    config.do_sample != Some(true)
        && config.num_beams.is_none_or(|beams| beams == 1)
        && config.num_return_sequences.is_none_or(|count| count == 1)
}

/// Those of `rows` whose prompts can stand side by side.
fn alike(requests: &[Request], rows: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(usize, usize, bool), Vec<usize>> = BTreeMap::new();
    for &row in rows {
        let Request {
            prompt,
            wanted,
            timestamps,
            ..
        } = &requests[row];
        let key = (prompt.len(), *wanted, *timestamps);
        groups.entry(key).or_default().push(row);
    }
    groups.into_values().collect()
}

/// The windows `rows` of `memory`, which are not copied if they are neighbours.
pub(super) fn part(memory: &Memory, rows: &[usize]) -> Memory {
    let first = rows.first().copied().unwrap_or(0);
    let neighbours = rows.iter().copied().eq(first..first + rows.len());
    let take = |tensor: &Tensor| {
        if neighbours {
            return tensor.narrow(0, first as i64, rows.len() as i64);
        }
        let index: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        tensor.index_select(0, &Tensor::from_slice(&index).to_device(tensor.device()))
    };
    Memory {
        layers: memory
            .layers
            .iter()
            .map(|pair| pair.each_ref().map(take))
            .collect(),
        keep: memory.keep.as_ref().map(take),
    }
}
