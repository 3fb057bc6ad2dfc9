//! Translates sentences with a shipped model, or with any checkpoint.
//!
//! ```text
//! cargo run --release --example translate -- "A dog runs." [MODEL FROM TO]
//! ```

use anyhow::Result;
use sensorium::Device;
use sensorium::hub::{Hub, HubOptions};
use sensorium::text::{Languages, Translator};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize| arguments.get(i).map(String::as_str);
    let text = argument(0).unwrap_or("Two children play in the park. A man is reading a book.");
    let model = Hub::new(HubOptions::default())?.resolve(argument(1).unwrap_or("multi30k-en-de"))?;
    let languages = Languages {
        from: Some(argument(2).unwrap_or("en")),
        to: Some(argument(3).unwrap_or("de")),
    };
    let translator = Translator::open(&model, Device::Auto.resolve()?, None)?;
    for translation in translator.translate(&[text], languages, &Default::default())? {
        println!("{translation}");
    }
    Ok(())
}
