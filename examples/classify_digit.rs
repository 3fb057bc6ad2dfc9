//! Classifies pictures of digits with the shipped network.
//!
//! ```text
//! cargo run --example classify_digit -- picture.png …
//! ```

use std::path::{Path, PathBuf};

use anyhow::Result;
use sensorium::hub::{Hub, HubOptions};
use sensorium::vision::ImageClassifier;
use sensorium::vision::decode::{Limits, open_image};

fn main() -> Result<()> {
    let mut paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        paths.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/digits/7.png"));
    }
    let model = Hub::new(HubOptions::default())?.resolve("mnist-cnn")?;
    let classifier = ImageClassifier::builder(&model).build()?;
    for path in paths {
        let image = open_image(&path, &Limits::default())?;
        for result in classifier.classify(&[image], Some(1)) {
            let best = &result?[0];
            println!("{}: {} ({:.1} %)", path.display(), best.label, 100.0 * best.score);
        }
    }
    Ok(())
}
