//! Documents as the tokens that language models are trained and measured on.

use anyhow::Result;
use sensorium::text::tokenizer::Tokenizer;

/// The documents one after the other, with the end-of-text token between them where there is one.
///
/// # Errors
/// If the tokenizer refuses a text.
pub fn token_ids(documents: &[String], tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let end = tokenizer.eos().map(|(_, id)| id);
    let mut ids = Vec::new();
    for (i, document) in documents.iter().enumerate() {
        if let (true, Some(end)) = (i > 0, end) {
            ids.push(end as u32);
        }
        ids.extend(tokenizer.ids(document, false)?.iter().map(|&id| id as u32));
    }
    Ok(ids)
}
