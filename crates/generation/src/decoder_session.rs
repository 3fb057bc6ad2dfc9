//! An encoder–decoder model in the middle of writing.

use sensorium_blocks::seq2seq::{Decoder, Memory, Past};
use sensorium_blocks::{KvCache, in_f32};
use tch::{Device, Tensor};

use crate::{Scores, Session};

/// A [`Session`] of a decoder: its caches, and the encoder's states that its rows attend to.
///
/// Rows of one source stand together and share its keys and values, which are never copied while rows
/// only change places within their source.
#[derive(Debug)]
pub struct DecoderSession<'a> {
    decoder: &'a Decoder,
    memory: Memory,
    caches: Vec<KvCache>,
    /// The source of each row, as a place in `memory`.
    sources: Vec<i64>,
    len: i64,
    hidden: Option<Tensor>,
    device: Device,
}

impl<'a> DecoderSession<'a> {
    /// One row for each source of `memory`, with room for `reserve` tokens.
    pub fn new(decoder: &'a Decoder, memory: Memory, reserve: i64, device: Device) -> Self {
        let count = memory.layers.first().map_or(0, |[keys, _]| keys.size()[0]);
        Self {
            decoder,
            memory,
            caches: decoder.layers.iter().map(|_| KvCache::new(reserve)).collect(),
            sources: (0..count).collect(),
            len: 0,
            hidden: None,
            device,
        }
    }

    fn sources_in_memory(&self) -> i64 {
        self.memory.layers.first().map_or(0, |[keys, _]| keys.size()[0])
    }

    /// Feeds `ids` `[rows, n]`; the states at the last `last` of them, which are kept.
    fn states(&mut self, ids: &Tensor, last: i64) -> Tensor {
        let count = ids.size()[1];
        let past = Past {
            len: self.len,
            caches: Some(self.caches.as_mut_slice()),
        };
        let states = self.decoder.forward(ids, past, &self.memory, None, false, None);
        self.len += count;
        let states = states.narrow(1, count - last, last);
        self.hidden = Some(states.shallow_clone());
        states
    }
}

impl Session for DecoderSession<'_> {
    fn rows(&self) -> i64 {
        self.sources.len() as i64
    }

    fn len(&self) -> i64 {
        self.len
    }

    fn limit(&self) -> Option<i64> {
        self.decoder.max_positions
    }

    fn device(&self) -> Device {
        self.device
    }

    fn feed(&mut self, ids: &Tensor, last: i64) -> Tensor {
        tch::no_grad(|| {
            let states = self.states(ids, last);
            in_f32(&self.decoder.logits(&states))
        })
    }

    fn feed_greedily(&mut self, ids: &Tensor) -> Scores {
        tch::no_grad(|| {
            let states = self.states(ids, 1);
            match self.decoder.guess(&states) {
                Some(guess) => Scores::Guess(guess),
                None => Scores::Logits(in_f32(&self.decoder.logits(&states))),
            }
        })
    }

    fn hidden(&self) -> Option<Tensor> {
        self.hidden.as_ref().map(Tensor::shallow_clone)
    }

    fn select(&mut self, rows: &[i64]) {
        for cache in &mut self.caches {
            cache.select(rows);
        }
        self.hidden = None;
        let wanted: Vec<i64> = rows.iter().map(|&row| self.sources[row as usize]).collect();
        let (order, sources) = grouped(&wanted);
        if order.iter().copied().ne(0..self.sources_in_memory()) {
            let index = Tensor::from_slice(&order).to_device(self.device);
            self.memory.select(&index);
        }
        self.sources = sources;
    }

    fn truncate(&mut self, len: i64) {
        for cache in &mut self.caches {
            cache.truncate(len);
        }
        self.len = self.len.min(len);
        self.hidden = None;
    }
}

/// Which sources must be kept, in which order, so that equally many neighbouring rows attend to each, and each
/// row's place among them.
fn grouped(sources: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let mut groups: Vec<(i64, usize)> = Vec::new();
    for &source in sources {
        match groups.last_mut() {
            Some((last, count)) if *last == source => *count += 1,
            _ => groups.push((source, 1)),
        }
    }
    let even = groups.windows(2).all(|pair| pair[0].1 == pair[1].1);
    if !even {
        // A row each; what came apart stays apart.
        return (sources.to_vec(), (0..sources.len() as i64).collect());
    }
    let order = groups.iter().map(|(source, _)| *source).collect();
    let places = groups
        .iter()
        .enumerate()
        .flat_map(|(place, (_, count))| std::iter::repeat_n(place as i64, *count))
        .collect();
    (order, places)
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn rows_of_a_source_share_it() {
        assert_eq!(grouped(&[0, 0, 1, 1]), (vec![0, 1], vec![0, 0, 1, 1]));
        assert_eq!(grouped(&[2, 2, 2]), (vec![2], vec![0, 0, 0]));
        assert_eq!(grouped(&[0, 1, 1]), (vec![0, 1, 1], vec![0, 1, 2]));
        assert_eq!(grouped(&[1, 0, 1, 0]), (vec![1, 0, 1, 0], vec![0, 1, 2, 3]));
    }
}
