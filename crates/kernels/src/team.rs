//! Threads for the short loops of decoding: hundreds a token, each some tens of microseconds long.
//!
//! libtorch's OpenMP loops end when every thread has arrived at a barrier. Where other programs keep the
//! cores busy, a thread that gets no core holds everyone up for milliseconds. Here a helper that comes too
//! late is not waited for: the caller takes pieces of work itself until none is left, and waits only for
//! pieces that a helper has begun. Helpers stay awake for [`AWAKE`] after a loop, for the next one mostly
//! follows at once, and then sleep, leaving the cores to libtorch.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a helper without work spins before it sleeps.
const AWAKE: Duration = Duration::from_micros(200);

/// Calls `body` once with each number below `pieces`, on as many threads as libtorch uses.
///
/// Whoever is free takes the next number. A second caller meanwhile, or a call from within `body`, works
/// alone.
///
/// # Panics
/// If `body` does, once all threads have left it.
pub(crate) fn team(pieces: usize, body: impl Fn(usize) + Sync) {
    let threads = usize::try_from(tch::get_num_threads()).unwrap_or(1);
    let helpers = threads.min(pieces).saturating_sub(1).min(MOST_HELPERS);
    if helpers == 0 || TEAM.taken.swap(true, Ordering::Acquire) {
        return (0..pieces).for_each(body);
    }
    TEAM.work(helpers, pieces, &body);
}

/// Calls `body` once with each number below `pieces`, for work on `rows` rows.
///
/// With few rows [`team`] does it. With more, libtorch's own operations in between are large enough to wake its
/// threads, which then spin for milliseconds and would take the cores from the helpers: they do the work instead.
pub(crate) fn spread(rows: usize, pieces: usize, body: impl Fn(usize) + Sync) {
    const FEW: usize = 9;
    if rows <= FEW {
        return team(pieces, body);
    }
    let threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).min(pieces);
    let next = AtomicUsize::new(0);
    crate::bridge::parallel_for(threads, 1, |_| {
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                return;
            }
            body(piece);
        }
    });
}

const MOST_HELPERS: usize = 255;

static TEAM: Team = Team {
    taken: AtomicBool::new(false),
    gate: Padded(AtomicU64::new(0)),
    next: Padded(AtomicUsize::new(0)),
    asleep: Padded(AtomicUsize::new(0)),
    helpers: UnsafeCell::new(Vec::new()),
    job: UnsafeCell::new(None),
};

/// A cache line of its own.
#[repr(align(128))]
struct Padded<T>(T);

struct Team {
    /// Whether a caller owns the team. Only that caller touches `helpers` and writes `job`.
    taken: AtomicBool,
    /// Who may read `job`: see [`Gate`].
    gate: Padded<AtomicU64>,
    /// The next piece.
    next: Padded<AtomicUsize>,
    /// Helpers that sleep or are about to.
    asleep: Padded<AtomicUsize>,
    helpers: UnsafeCell<Vec<Thread>>,
    job: UnsafeCell<Option<Job>>,
}

// SAFETY: `helpers` belongs to the caller that has set `taken`; `job` is written by that caller while the
// gate is shut and nobody is inside, and read by helpers inside only.
unsafe impl Sync for Team {}

type Body<'a> = dyn Fn(usize) + Sync + 'a;

/// What the helpers do; lives as long as the gate is open or someone is inside.
#[derive(Clone, Copy)]
struct Job {
    body: *const Body<'static>,
    pieces: usize,
    panicked: *const AtomicBool,
}

/// The gate's bits: places left for helpers (8), helpers inside (8), the job's number (48).
struct Gate;

impl Gate {
    const INSIDE: u64 = 1 << 8;
    const NUMBER: u64 = 1 << 16;

    fn places(gate: u64) -> u64 {
        gate & 0xff
    }

    fn inside(gate: u64) -> u64 {
        (gate >> 8) & 0xff
    }

    fn number(gate: u64) -> u64 {
        gate >> 16
    }
}

impl Team {
    fn work(&'static self, helpers: usize, pieces: usize, body: &Body<'_>) {
        // SAFETY: this caller has set `taken`.
        let threads = unsafe { &mut *self.helpers.get() };
        while threads.len() < helpers {
            let helper = std::thread::Builder::new().name("kernels".into());
            match helper.spawn(|| self.help()) {
                Ok(handle) => threads.push(handle.thread().clone()),
                Err(_) => break, // fewer threads do the same work
            }
        }
        let helpers = helpers.min(threads.len());

        let panicked = AtomicBool::new(false);
        let job = Job {
            // SAFETY: only the lifetime changes; nobody is inside when this function ends.
            body: unsafe { std::mem::transmute::<*const Body<'_>, *const Body<'static>>(body) },
            pieces,
            panicked: &panicked,
        };
        // SAFETY: this caller has set `taken`, the gate is shut and nobody is inside.
        unsafe { *self.job.get() = Some(job) };
        self.next.0.store(0, Ordering::Relaxed);
        let number = Gate::number(self.gate.0.load(Ordering::Relaxed)) + 1;
        self.gate
            .0
            .store(number * Gate::NUMBER + helpers as u64, Ordering::SeqCst);
        if self.asleep.0.load(Ordering::SeqCst) > 0 {
            threads.iter().take(helpers).for_each(Thread::unpark);
        }

        let result = catch_unwind(AssertUnwindSafe(|| self.take_pieces(pieces, body)));
        if result.is_err() {
            self.next.0.store(pieces, Ordering::Relaxed); // the rest is not wanted any more
        }
        let mut gate = self.gate.0.fetch_and(!0xff, Ordering::AcqRel);
        let mut spins = 0u32;
        while Gate::inside(gate) > 0 {
            spins += 1;
            if spins < 2000 {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now(); // to the helper, if it waits for this very core
            }
            gate = self.gate.0.load(Ordering::Acquire);
        }
        self.taken.store(false, Ordering::Release);
        if let Err(panic) = result {
            resume_unwind(panic);
        }
        assert!(!panicked.into_inner(), "a parallel loop's body panicked");
    }

    fn take_pieces(&self, pieces: usize, body: &Body<'_>) {
        loop {
            let piece = self.next.0.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                break;
            }
            body(piece);
        }
    }

    /// A helper's life.
    fn help(&self) {
        let mut last = 0;
        let mut idle = Instant::now();
        let mut spins = 0u32;
        loop {
            let gate = self.gate.0.load(Ordering::Acquire);
            if Gate::places(gate) > 0 && Gate::number(gate) != last {
                let inside = gate - 1 + Gate::INSIDE;
                let entered = self
                    .gate
                    .0
                    .compare_exchange(gate, inside, Ordering::AcqRel, Ordering::Relaxed);
                if entered.is_ok() {
                    last = Gate::number(gate);
                    self.take_part();
                    self.gate.0.fetch_sub(Gate::INSIDE, Ordering::Release);
                    idle = Instant::now();
                }
                continue;
            }
            spins = spins.wrapping_add(1);
            std::hint::spin_loop();
            if spins.is_multiple_of(64) && idle.elapsed() > AWAKE {
                self.asleep.0.fetch_add(1, Ordering::SeqCst);
                let gate = self.gate.0.load(Ordering::SeqCst);
                if Gate::places(gate) == 0 || Gate::number(gate) == last {
                    std::thread::park(); // returns at once if work came since
                }
                self.asleep.0.fetch_sub(1, Ordering::SeqCst);
                idle = Instant::now();
            }
        }
    }

    /// What a helper does inside the gate.
    fn take_part(&self) {
        // SAFETY: this helper is inside, so that the job stays as it is, and what it points to alive.
        let job = unsafe { (*self.job.get()).expect("the gate is open when there is a job") };
        // SAFETY: as above.
        let (body, panicked) = unsafe { (&*job.body, &*job.panicked) };
        if catch_unwind(AssertUnwindSafe(|| self.take_pieces(job.pieces, body))).is_err() {
            panicked.store(true, Ordering::Relaxed);
            self.next.0.store(job.pieces, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_taken_once() {
        for pieces in [0, 1, 2, 3, 100, 1000] {
            for _ in 0..200 {
                let visits: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
                team(pieces, |i| {
                    visits[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(visits.iter().all(|v| v.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn callers_side_by_side_and_loops_within_loops() {
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        team(5, |i| {
                            team(3, |j| {
                                sum.fetch_add(i * j, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 500 * 10 * 3);
    }

    #[test]
    fn sleepers_wake_and_panics_arrive() {
        for round in 0..20 {
            std::thread::sleep(AWAKE * (round % 4));
            let done = AtomicUsize::new(0);
            let result = catch_unwind(AssertUnwindSafe(|| {
                team(64, |i| {
                    assert!(round % 2 == 0 || i != 33, "on purpose");
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }));
            assert_eq!(result.is_ok(), round % 2 == 0);
        }
    }
}
