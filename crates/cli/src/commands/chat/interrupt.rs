//! Ctrl-C stops the answer and not the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use crate::interrupt;

/// Whether the person wants the answer to stop.
#[derive(Debug, Default)]
pub struct Interrupt {
    answering: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
}

/// An answer is being written for as long as this lives.
#[derive(Debug)]
pub struct Answering<'a>(&'a Interrupt);

impl Interrupt {
    /// From now on Ctrl-C during an answer asks for its end; a second one, or one at another time, ends the
    /// program.
    pub fn listen(&self) -> Result<()> {
        let (answering, asked) = (Arc::clone(&self.answering), Arc::clone(&self.asked));
        interrupt::listen(move || answering.load(Ordering::Relaxed) && !asked.swap(true, Ordering::Relaxed))
    }

    /// An answer begins.
    pub fn answering(&self) -> Answering<'_> {
        self.asked.store(false, Ordering::Relaxed);
        self.answering.store(true, Ordering::Relaxed);
        Answering(self)
    }

    /// Whether Ctrl-C came during this answer.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.answering.store(false, Ordering::Relaxed);
    }
}
