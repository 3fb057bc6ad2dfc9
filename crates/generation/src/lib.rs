//! One generation loop for every model that writes tokens: language models, translators, speech
//! recognisers, captioners.
//!
//! [`generate`] takes a [`Session`], a [`Prompt`] and a [`GenerationConfig`].
//!
//! **Invariant:** this crate knows no model. It sees a [`Session`]: something that is fed token ids
//! and answers with logits.

mod config;
mod constraint;
mod decode;
mod decoder_session;
mod error;
mod generate;
mod likelihood;
mod output;
pub mod processors;
mod prompt;
mod sampling;
mod session;
mod stream;

pub use config::{EarlyStopping, GenerationConfig, OneOrMany};
pub use constraint::{Constraint, ConstraintError, State, TextConstraint, TokenSet, Vocabulary};
pub use decoder_session::DecoderSession;
pub use error::Error;
pub use generate::{Options, generate};
pub use likelihood::log_probs;
pub use output::{Finish, Generated, TokenLogProb};
pub use processors::{LogitsProcessor, Needs};
pub use prompt::Prompt;
pub use session::{Scores, Session};
pub use stream::{Detokenize, Flow, TextStream, TokenSink};
