//! Writes down a recording with a shipped model, or with any checkpoint, and says when each word is said.
//!
//! ```text
//! cargo run --release --example transcribe -- [RECORDING] [MODEL]
//! ```

use std::path::Path;

use anyhow::Result;
use sensorium::Device;
use sensorium::hub::{Hub, HubOptions};
use sensorium::speech::{Audio, SpeechToText, SpeechToTextOptions};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize| arguments.get(i).map(String::as_str);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/speech/pi.wav");
    let audio = Audio::open(argument(0).map_or(sample.as_path(), Path::new))?;
    let model = Hub::new(HubOptions::default())?.resolve(argument(1).unwrap_or("fsdd-strings"))?;
    let options = SpeechToTextOptions {
        words: true,
        ..SpeechToTextOptions::default()
    };
    let recognizer = SpeechToText::open(&model, Device::Auto.resolve()?, None, options)?;
    let spoken = recognizer.transcribe(&audio)?;
    println!("{}", spoken.text);
    for word in spoken.captions.iter().flat_map(|caption| &caption.words) {
        println!("{:6.2} s {}", word.start, word.text.trim());
    }
    Ok(())
}
