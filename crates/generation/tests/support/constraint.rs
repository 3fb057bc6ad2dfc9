//! A vocabulary and texts drawn under a constraint.

use std::sync::Arc;

use sensorium_generation::{Finish, Options, Prompt, TextConstraint, Vocabulary, generate};
use serde_json::json;

use super::{Toy, config, mix};

/// All single bytes, common pieces, an end-of-sequence token (the last) and another special one.
pub fn vocabulary() -> Arc<Vocabulary> {
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    let pieces = [
        "{\"", "\": ", "\", \"", "},", "]}", "true", "null", "name", "00", "12", ", ", "€", "\\n", "a\"",
        "été",
    ];
    tokens.extend(pieces.iter().map(|piece| piece.as_bytes().to_vec()));
    tokens.extend([vec![], vec![]]);
    Arc::new(Vocabulary::new(tokens))
}

/// Text drawn under a constraint, and whether it came to an end.
pub fn write(constraint: &mut TextConstraint, seed: u64, beams: usize, most: usize) -> (String, bool) {
    let vocabulary = vocabulary();
    let eos = vocabulary.len() as i64 - 1;
    let mut toy = Toy::new(seed, vocabulary.len(), &[0]);
    // An end that is likely wherever it is allowed, and sometimes letters that are.
    toy.scale = (seed % 7) as f32 * 2.;
    let bias = json!([
        [[eos], 6.0],
        [[93], 4.0],
        [[125], 4.0],
        [[34], 4.0],
        [[48 + (mix(seed, 1) % 10)], 2.0]
    ]);
    let settings = config(json!({
        "do_sample": beams == 1, "num_beams": beams, "top_k": 0, "seed": seed, "max_new_tokens": most,
        "eos_token_id": eos, "sequence_bias": bias,
    }));
    let options = Options {
        constraint: Some(constraint),
        ..Default::default()
    };
    let found = generate(&mut toy, &Prompt::single(&[0]).unwrap(), &settings, options).unwrap();
    let ids = found[0].ids.iter().filter(|&&id| id != eos);
    let bytes: Vec<u8> = ids
        .flat_map(|&id| vocabulary.bytes(id).unwrap())
        .copied()
        .collect();
    let ended = found[0].finish != Finish::Length;
    match String::from_utf8(bytes) {
        Ok(text) => (text, ended),
        Err(error) => {
            assert!(!ended, "a text that has ended is valid UTF-8");
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), ended)
        }
    }
}
