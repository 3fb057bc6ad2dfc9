//! How long work tells its caller how far it is. This crate never prints.

/// Told about the progress of a download. Files come one after the other.
pub trait Progress: Send + Sync {
    /// A file of `total_bytes` begins. Called again for the same file if it has to start over.
    fn begin(&self, file: &str, total_bytes: u64);

    /// So many more bytes of the file are here; at first those from an interrupted download.
    fn advance(&self, bytes: u64);

    /// The file is done, or has failed.
    fn end(&self);
}

/// Progress that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}
