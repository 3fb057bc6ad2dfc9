//! Data sets: what they are, where they are on this machine, and how to get them.

mod store;
mod table;

pub use store::{DataOptions, DataStore};
pub use table::{DATASETS, DataFile, DataSet};
