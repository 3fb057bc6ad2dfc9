//! What a recording lacks that is cut or damaged.

use std::fmt::{self, Display, Formatter};

/// Where a recording is not whole. What there is of it is heard all the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Damage {
    /// It ends too early.
    BreaksOff {
        /// Where, in seconds.
        at: f64,
        /// Where it should end, if the file says so.
        of: Option<f64>,
    },
    /// It is shorter than the file says, at its end or within it.
    Short {
        /// Its length, in seconds.
        at: f64,
        /// What the file says.
        of: f64,
    },
    /// Something within it cannot be heard.
    Gap {
        /// Where the first gap is, in seconds.
        at: f64,
    },
}

impl Display for Damage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::BreaksOff { at, of: Some(of) } => {
                write!(f, "breaks off at {at:.1} s of {of:.1} s; heard as far as it goes")
            }
            Self::BreaksOff { at, of: None } => write!(f, "breaks off at {at:.1} s; heard as far as it goes"),
            Self::Short { at, of } => {
                write!(
                    f,
                    "is cut or damaged: it has {at:.1} s of {of:.1} s; heard as far as it goes"
                )
            }
            Self::Gap { at } => write!(f, "is damaged at {at:.1} s; heard without what is lost"),
        }
    }
}
