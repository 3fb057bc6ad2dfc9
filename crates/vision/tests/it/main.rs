//! Files and pictures as users have them, good and bad.

mod decoding;
mod digits;
mod drawing;
mod idx_files;
