//! What a run can be heard and seen by: a sentence after each epoch.

use std::cell::Cell;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageFormat, Luma};
use sensorium_speech::audio::{SampleKind, WavFile};
use tch::{Kind, Tensor};

use crate::corpus::problem;
use crate::error::Result;

/// Writes `samples/NUMBER.wav` and `samples/NUMBER.png` in a run's folder.
#[derive(Debug)]
pub(super) struct Samples {
    folder: PathBuf,
    number: Cell<usize>,
}

impl Samples {
    /// The folder is made; what a run that goes on has there is gone on with.
    pub fn new(run: &Path) -> Result<Self> {
        let folder = run.join("samples");
        std::fs::create_dir_all(&folder)
            .map_err(|error| problem(&folder, &format!("cannot be made: {error}")))?;
        let there = (1..)
            .take_while(|number| folder.join(format!("{number:03}.png")).is_file())
            .count();
        Ok(Self {
            folder,
            number: Cell::new(there),
        })
    }

    /// Writes what was made and, in the picture's lower half, what it was to be: samples and spectrograms
    /// `[frames, bands]`.
    pub fn write(&self, samples: &[f32], rate: u32, made: &Tensor, recorded: &Tensor) -> Result<()> {
        let number = self.number.get() + 1;
        self.number.set(number);
        let wav = self.folder.join(format!("{number:03}.wav"));
        WavFile::create(&wav, rate, SampleKind::Int16)
            .and_then(|mut file| {
                file.write(samples)?;
                file.finish()
            })
            .map_err(|error| problem(&wav, &format!("cannot be written: {error}")))?;
        let picture = self.folder.join(format!("{number:03}.png"));
        let mut png = Cursor::new(Vec::new());
        image_of(made, recorded)
            .write_to(&mut png, ImageFormat::Png)
            .map_err(|error| problem(&picture, &format!("cannot be made: {error}")))?;
        Ok(sensorium_hub::atomic::write_bytes(&picture, png.get_ref())?)
    }
}

/// Time from left to right, pitch from below, bright where it is loud.
fn image_of(above: &Tensor, below: &Tensor) -> GrayImage {
    let values = |x: &Tensor| {
        let size = x.size();
        let x = x.detach().to_kind(Kind::Float).contiguous().view([-1]);
        (
            Vec::<f32>::try_from(x).unwrap_or_default(),
            size[0] as usize,
            size[1] as usize,
        )
    };
    let parts = [values(above), values(below)];
    let all = || parts.iter().flat_map(|(values, ..)| values.iter().copied());
    let low = all().fold(f32::INFINITY, f32::min);
    let high = all().fold(f32::NEG_INFINITY, f32::max);
    let width = parts
        .iter()
        .map(|(_, frames, _)| *frames)
        .max()
        .unwrap_or(1)
        .max(1);
    let bands = parts[0].2;
    const SCALE: usize = 2;
    let mut image = GrayImage::new((width * SCALE) as u32, ((2 * bands + 2) * SCALE) as u32);
    for (part, (values, frames, bands)) in parts.iter().enumerate() {
        for frame in 0..*frames {
            for band in 0..*bands {
                let value = (values[frame * bands + band] - low) / (high - low).max(1e-6);
                let (x, y) = (frame * SCALE, (part * (bands + 2) + bands - 1 - band) * SCALE);
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    image.put_pixel((x + dx) as u32, (y + dy) as u32, Luma([(value * 255.0) as u8]));
                }
            }
        }
    }
    image
}
