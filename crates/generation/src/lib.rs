//! One generation loop for every model that writes tokens: language models, translators, speech
//! recognisers, captioners.
//!
//! **Invariant:** this crate knows no model. It sees a [`Session`]: something that is fed token ids
//! and answers with logits.

mod session;

pub use session::Session;
