//! One model, many callers: a thread that owns the model and forms batches from what arrives.
//!
//! A libtorch tensor is `Send` but not `Sync`, so a model cannot be shared between threads; a
//! [`Handle`] can. Batches form by themselves: while the model runs, requests queue up, and the next
//! batch takes all that wait.

use std::any::Any;
use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How a [`Handle`] forms batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// The most inputs in one batch.
    pub max_batch: usize,
    /// How long the first input of a batch waits for others. Zero takes what is there already, which
    /// costs a lone caller nothing.
    pub max_wait: Duration,
}

impl Default for Batching {
    fn default() -> Self {
        Self {
            max_batch: 64,
            max_wait: Duration::ZERO,
        }
    }
}

/// A `Clone + Send + Sync` way to call a model that lives on its own thread.
///
/// The thread ends when the last handle is dropped and all that was submitted is done.
///
/// ```
/// use sensorium::handle::{Batching, Handle};
///
/// let double = Handle::spawn(Batching::default(), |batch: Vec<i64>| {
///     batch.into_iter().map(|x| 2 * x).collect()
/// });
/// let other = double.clone();
/// let thread = std::thread::spawn(move || other.run(20));
/// assert_eq!(double.run(21)?, 42);
/// assert_eq!(thread.join().unwrap()?, 40);
/// # Ok::<(), sensorium::handle::HandleError>(())
/// ```
pub struct Handle<In, Out> {
    requests: Sender<Request<In, Out>>,
}

/// A model that can move to a thread of its own, for use from many threads at once.
pub trait IntoHandle {
    /// What it is given.
    type In;
    /// What it gives for each input.
    type Out;

    /// Moves it to its thread.
    fn into_handle(self, batching: Batching) -> Handle<Self::In, Self::Out>;
}

struct Request<In, Out> {
    input: In,
    reply: oneshot::Sender<Result<Out, HandleError>>,
}

/// A result that is on its way: wait for it with [`Pending::wait`], or `.await` it.
#[must_use = "the result is lost if nobody waits for it"]
pub struct Pending<Out> {
    reply: oneshot::Receiver<Result<Out, HandleError>>,
}

/// Why a [`Handle`] has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// The model panicked on the batch that this input was in; later batches are not affected.
    #[error("the model stopped on an internal error: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
    /// The model gave another number of results than it had inputs.
    #[error("the model gave {found} results for {expected} inputs")]
    Count {
        /// How many inputs there were.
        expected: usize,
        /// How many results came.
        found: usize,
    },
    /// The model's thread is gone.
    #[error("the model's thread has ended")]
    Closed,
}

impl<In: Send + 'static, Out: Send + 'static> Handle<In, Out> {
    /// Starts a thread that calls `model` on batches of inputs; it returns one result for each input,
    /// in the same order.
    pub fn spawn(batching: Batching, model: impl FnMut(Vec<In>) -> Vec<Out> + Send + 'static) -> Self {
        let (requests, received) = mpsc::channel();
        thread::spawn(move || serve(&received, batching, model));
        Self { requests }
    }

    /// Puts `input` in the queue.
    pub fn submit(&self, input: In) -> Pending<Out> {
        let (reply, pending) = oneshot::channel();
        if let Err(refused) = self.requests.send(Request { input, reply }) {
            let _ = refused.0.reply.send(Err(HandleError::Closed)); // `pending` is alive: cannot fail
        }
        Pending { reply: pending }
    }

    /// Runs the model on `input`, in a batch with what other callers send at the same time.
    ///
    /// # Errors
    /// If the model panicked.
    pub fn run(&self, input: In) -> Result<Out, HandleError> {
        self.submit(input).wait()
    }

    /// Runs the model on all of `inputs`; the results are in the same order.
    ///
    /// # Errors
    /// If the model panicked.
    pub fn run_all(&self, inputs: impl IntoIterator<Item = In>) -> Result<Vec<Out>, HandleError> {
        let pending: Vec<_> = inputs.into_iter().map(|input| self.submit(input)).collect();
        pending.into_iter().map(Pending::wait).collect()
    }
}

impl<In, Out, E> Handle<In, Result<Out, E>>
where
    In: Send + 'static,
    Out: Send + 'static,
    E: From<HandleError> + Send + 'static,
{
    /// [`Handle::run`] for a model whose results can fail by themselves: both errors in one.
    ///
    /// # Errors
    /// If the model has none for this input, or panicked.
    pub fn call(&self, input: In) -> Result<Out, E> {
        self.run(input)?
    }
}

impl<In, Out> Clone for Handle<In, Out> {
    fn clone(&self) -> Self {
        Self {
            requests: self.requests.clone(),
        }
    }
}

impl<In, Out> std::fmt::Debug for Handle<In, Out> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl<Out> Pending<Out> {
    /// Blocks until the result is there.
    ///
    /// # Errors
    /// If the model panicked.
    pub fn wait(self) -> Result<Out, HandleError> {
        self.reply.recv().unwrap_or(Err(HandleError::Closed))
    }
}

impl<Out: Send + 'static> IntoFuture for Pending<Out> {
    type Output = Result<Out, HandleError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.reply.await.unwrap_or(Err(HandleError::Closed)) })
    }
}

/// A wait longer than a clock can hold would panic; this one is as good as for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(1 << 31);

/// The model thread: batches until every handle is gone.
fn serve<In, Out>(
    requests: &Receiver<Request<In, Out>>,
    batching: Batching,
    mut model: impl FnMut(Vec<In>) -> Vec<Out>,
) {
    while let Ok(first) = requests.recv() {
        let (mut inputs, mut replies) = (vec![first.input], vec![first.reply]);
        let start = Instant::now();
        while inputs.len() < batching.max_batch {
            let wait = batching
                .max_wait
                .saturating_sub(start.elapsed())
                .min(LONGEST_WAIT);
            match requests.recv_timeout(wait) {
                Ok(request) => {
                    inputs.push(request.input);
                    replies.push(request.reply);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let expected = inputs.len();
        // A caller that went away does not want its result: a failed send is no error.
        match catch_unwind(AssertUnwindSafe(|| model(inputs))) {
            Ok(results) if results.len() == expected => {
                for (reply, result) in replies.into_iter().zip(results) {
                    let _ = reply.send(Ok(result));
                }
            }
            Ok(results) => fail(
                replies,
                &HandleError::Count {
                    expected,
                    found: results.len(),
                },
            ),
            Err(panic) => fail(
                replies,
                &HandleError::Panicked {
                    message: panic_message(&*panic),
                },
            ),
        }
    }
}

fn fail<Out>(replies: Vec<oneshot::Sender<Result<Out, HandleError>>>, error: &HandleError) {
    for reply in replies {
        let _ = reply.send(Err(error.clone()));
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn many_threads_share_batches_and_get_their_own_results() {
        const THREADS: u64 = 16;
        const EACH: u64 = 20;
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        let handle = Handle::spawn(
            Batching {
                max_batch: 8,
                ..Batching::default()
            },
            move |batch: Vec<u64>| {
                assert!(batch.len() <= 8);
                counter.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1)); // a model takes its time
                batch.into_iter().map(|x| x * x).collect()
            },
        );
        thread::scope(|scope| {
            for t in 0..THREADS {
                let handle = handle.clone();
                scope.spawn(move || {
                    for i in 0..EACH {
                        let x = t * EACH + i;
                        assert_eq!(handle.run(x), Ok(x * x));
                    }
                });
            }
        });
        let runs = runs.load(Ordering::Relaxed);
        assert!(
            runs < (THREADS * EACH) as usize,
            "{runs} runs for {} requests",
            THREADS * EACH
        );
    }

    #[test]
    fn one_call_is_cut_into_batches_and_keeps_its_order() {
        let handle = Handle::spawn(
            Batching {
                max_batch: 3,
                ..Batching::default()
            },
            |batch: Vec<usize>| batch,
        );
        assert_eq!(handle.run_all(0..10), Ok((0..10).collect()));
    }

    #[test]
    fn waiting_for_ever_fills_the_batch() {
        let batching = Batching {
            max_batch: 2,
            max_wait: Duration::MAX,
        };
        let handle = Handle::spawn(batching, |batch: Vec<i32>| vec![batch.len(); batch.len()]);
        assert_eq!(handle.run_all([1, 2, 3, 4]), Ok(vec![2; 4]));
    }

    #[test]
    fn a_panic_is_an_error_and_the_next_call_works() {
        let handle = Handle::spawn(Batching::default(), |batch: Vec<i32>| {
            assert!(!batch.contains(&13), "unlucky");
            batch
        });
        let message = "unlucky".to_owned();
        assert_eq!(handle.run(13), Err(HandleError::Panicked { message }));
        assert_eq!(handle.run(14), Ok(14));
    }

    #[test]
    fn a_missing_result_is_an_error_for_all() {
        let handle = Handle::spawn(Batching::default(), |_: Vec<i32>| Vec::<i32>::new());
        assert_eq!(
            handle.run(1),
            Err(HandleError::Count {
                expected: 1,
                found: 0
            })
        );
    }

    #[test]
    fn dropping_the_last_handle_ends_the_thread() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let handle = Handle::spawn(Batching::default(), move |batch: Vec<i32>| {
            let _ = &held;
            batch
        });
        let pending = handle.submit(5);
        drop(handle);
        assert_eq!(pending.wait(), Ok(5)); // what was submitted is still done
        let deadline = Instant::now() + Duration::from_secs(10);
        while Arc::strong_count(&alive) > 1 {
            assert!(Instant::now() < deadline, "the model thread is still there");
            thread::sleep(Duration::from_millis(1));
        }
    }
}
