//! Writes on from a text with a language model, and shows the words as they come.
//!
//! ```text
//! cargo run --release --example generate_text -- ./gpt2 "Once upon a time"
//! ```
//!
//! Without arguments the shipped model writes a scene in the manner of Shakespeare.

use std::io::{self, Write};

use anyhow::Result;
use sensorium::generation::{Flow, GenerationConfig};
use sensorium::text::GenerateOptions;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or_else(|| "shakespeare".to_owned());
    let prompt = arguments.next().unwrap_or_else(|| "ROMEO:".to_owned());

    let generator = sensorium::text_generator(&model)?;
    let config = GenerationConfig {
        max_new_tokens: Some(300),
        do_sample: Some(true),
        temperature: Some(0.8),
        seed: Some(1),
        ..GenerationConfig::default()
    };
    print!("{prompt}");
    let mut show = |_: usize, piece: &str| {
        print!("{piece}");
        match io::stdout().flush() {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Stop, // nobody reads on
        }
    };
    let options = GenerateOptions {
        on_text: Some(&mut show),
        ..GenerateOptions::default()
    };
    generator.generate(&[prompt], &config, options)?;
    println!();
    Ok(())
}
