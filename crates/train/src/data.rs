//! Data loading: shuffled batches, prepared by worker threads, always in the same order.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::rng::{mix, permutation};

/// A set of examples that can be gathered into batches from any thread.
pub trait Dataset: Send + Sync + 'static {
    /// What one training step takes.
    type Batch: Send + 'static;

    /// The number of examples.
    fn len(&self) -> usize;

    /// Whether there are no examples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batches of an epoch, each a list of examples, drawn from `seed`; `None` for shuffled batches of the
    /// loader's size. Every epoch must have as many.
    fn plan(&self, _seed: u64) -> Option<Vec<Vec<usize>>> {
        None
    }

    /// The examples at `indices` as one batch. `seed` is different for each batch and epoch; random
    /// distortions must follow from it alone.
    fn batch(&self, indices: &[usize], seed: u64) -> Self::Batch;
}

/// Cuts a [`Dataset`] into shuffled batches, epoch by epoch.
#[derive(Debug)]
pub struct Loader<D> {
    dataset: Arc<D>,
    batch_size: usize,
    batches: usize,
    seed: u64,
    workers: usize,
}

impl<D: Dataset> Loader<D> {
    /// Batches each worker may prepare ahead.
    const AHEAD: usize = 4;

    /// Batches of `batch_size` (the last of an epoch may be smaller), shuffled from `seed`, prepared
    /// by `workers` threads; with no workers, by the thread that asks.
    pub fn new(dataset: D, batch_size: usize, seed: u64, workers: usize) -> Self {
        let batch_size = batch_size.max(1);
        let planned = dataset.plan(seed).map(|plan| plan.len());
        Self {
            batches: planned.unwrap_or_else(|| dataset.len().div_ceil(batch_size)),
            dataset: Arc::new(dataset),
            batch_size,
            seed,
            workers,
        }
    }

    /// What is cut.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// The number of examples.
    pub fn examples(&self) -> usize {
        self.dataset.len()
    }

    /// The number of batches in an epoch.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// The batches of `epoch` (from 0), from the batch `first` on.
    pub fn epoch(&self, epoch: usize, first: usize) -> Epoch<D::Batch> {
        let order = mix(self.seed, &[epoch as u64]);
        let shuffled = || -> Vec<Vec<usize>> {
            permutation(self.dataset.len(), order)
                .chunks(self.batch_size)
                .map(<[usize]>::to_vec)
                .collect()
        };
        let plan = Plan {
            batches: self.dataset.plan(order).unwrap_or_else(shuffled),
            dataset: Arc::clone(&self.dataset),
            seed: mix(self.seed, &[epoch as u64, 1]),
        };
        let last = self.batches();
        if self.workers == 0 {
            return Epoch {
                source: Source::Inline(Box::new((first..last).map(move |i| plan.batch(i)))),
            };
        }
        let plan = Arc::new(plan);
        let workers = (0..self.workers).map(|w| Worker::start(&plan, first + w, last, self.workers));
        let source = match workers.collect::<io::Result<Vec<_>>>() {
            Ok(workers) => Source::Workers { workers, next: 0 },
            // The system has no threads to give: the same batches, one after the other.
            Err(_) => Source::Inline(Box::new((first..last).map(move |i| plan.batch(i)))),
        };
        Epoch { source }
    }
}

/// One epoch's order.
struct Plan<D> {
    dataset: Arc<D>,
    batches: Vec<Vec<usize>>,
    seed: u64,
}

impl<D: Dataset> Plan<D> {
    fn batch(&self, i: usize) -> D::Batch {
        self.dataset.batch(&self.batches[i], mix(self.seed, &[i as u64]))
    }
}

/// A thread that prepares every n-th batch and stops when nobody wants more.
struct Worker<B> {
    batches: Option<Receiver<B>>,
    thread: Option<JoinHandle<()>>,
}

impl<B: Send + 'static> Worker<B> {
    fn start<D: Dataset<Batch = B>>(
        plan: &Arc<Plan<D>>,
        first: usize,
        last: usize,
        step: usize,
    ) -> io::Result<Self> {
        let (send, batches) = sync_channel(Loader::<D>::AHEAD);
        let plan = Arc::clone(plan);
        let work = move || {
            for i in (first..last).step_by(step) {
                if send.send(plan.batch(i)).is_err() {
                    return; // the epoch was dropped
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("loader".to_string())
            .spawn(work)?;
        Ok(Self {
            batches: Some(batches),
            thread: Some(thread),
        })
    }
}

impl<B> Drop for Worker<B> {
    fn drop(&mut self) {
        self.batches = None; // wakes a worker that waits to hand over
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// An iterator over the batches of one epoch, in order.
pub struct Epoch<B> {
    source: Source<B>,
}

enum Source<B> {
    Inline(Box<dyn Iterator<Item = B>>),
    Workers { workers: Vec<Worker<B>>, next: usize },
}

impl<B> Iterator for Epoch<B> {
    type Item = B;

    fn next(&mut self) -> Option<B> {
        match &mut self.source {
            Source::Inline(batches) => batches.next(),
            Source::Workers { workers, next } => {
                // Worker w has the batches w, w + n, w + 2n, …: asking in turn keeps the order.
                let batch = workers[*next].batches.as_ref()?.recv().ok()?;
                *next = (*next + 1) % workers.len();
                Some(batch)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers(usize);

    impl Dataset for Numbers {
        type Batch = (Vec<usize>, u64);

        fn len(&self) -> usize {
            self.0
        }

        fn batch(&self, indices: &[usize], seed: u64) -> Self::Batch {
            (indices.to_vec(), seed)
        }
    }

    fn batches(workers: usize, epoch: usize, first: usize) -> Vec<(Vec<usize>, u64)> {
        Loader::new(Numbers(103), 10, 7, workers)
            .epoch(epoch, first)
            .collect()
    }

    #[test]
    fn workers_change_nothing() {
        let inline = batches(0, 3, 0);
        assert_eq!(inline.len(), 11);
        for workers in [1, 2, 5, 20] {
            assert_eq!(batches(workers, 3, 0), inline);
        }
    }

    #[test]
    fn an_epoch_can_be_taken_up_in_the_middle() {
        assert_eq!(batches(2, 1, 4), batches(0, 1, 0)[4..]);
        assert_ne!(batches(0, 1, 0), batches(0, 2, 0));
    }

    #[test]
    fn every_example_comes_once_an_epoch() {
        let mut seen: Vec<usize> = batches(3, 0, 0)
            .into_iter()
            .flat_map(|(indices, _)| indices)
            .collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..103));
    }

    #[test]
    fn an_epoch_can_be_dropped_early() {
        let loader = Loader::new(Numbers(100_000), 1, 0, 3);
        assert!(loader.epoch(0, 0).take(3).count() == 3);
    }

    #[test]
    fn an_empty_set_has_no_batches() {
        assert_eq!(Loader::new(Numbers(0), 10, 0, 2).epoch(0, 0).count(), 0);
    }
}
