//! Flags that do not go together, where the parser of flags cannot tell.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

/// Wrong usage, as one sentence.
#[derive(Debug)]
pub struct WrongUsage(&'static str);

impl Display for WrongUsage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for WrongUsage {}

/// The error that ends the program with status 2.
pub fn wrong(sentence: &'static str) -> anyhow::Error {
    WrongUsage(sentence).into()
}
