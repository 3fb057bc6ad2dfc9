//! MNIST (LeCun et al. 1998) and what has its form: Fashion-MNIST (arXiv 1708.07747).

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::idx;

/// Height and width of a picture.
pub const SIDE: usize = 28;
/// Elements of a picture.
pub const PIXELS: usize = SIDE * SIDE;

/// The classes of MNIST, by label.
pub const MNIST_CLASSES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
/// The classes of Fashion-MNIST, by label.
pub const FASHION_MNIST_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Mean and standard deviation of MNIST's training pixels, scaled to `[0, 1]`.
pub const MNIST_MEAN_STD: (f64, f64) = (0.1307, 0.3081);

/// The part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The 60 000 pictures to learn from.
    Train,
    /// The 10 000 pictures to be judged by.
    Test,
}

impl Split {
    fn prefix(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Test => "t10k",
        }
    }
}

/// Pictures of 28×28 pixels and what they show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits {
    /// `[n, 28, 28]`, 0 paper, 255 ink.
    pub images: Vec<u8>,
    /// `[n]`, 0 to 9.
    pub labels: Vec<u8>,
}

impl Digits {
    /// Reads the IDX files of `split` in the folder `dir`, gzip-compressed or not.
    ///
    /// # Errors
    /// If a file is missing, damaged or empty, or the two do not belong together.
    pub fn load(dir: &Path, split: Split) -> Result<Self> {
        let images_path = find(dir, split, "images", "idx3")?;
        let labels_path = find(dir, split, "labels", "idx1")?;
        let images = idx::read_images(&images_path)?;
        let labels = idx::read_labels(&labels_path)?;
        if (images.rows, images.cols) != (SIDE, SIDE) {
            return Err(Error::PictureSize {
                path: images_path,
                rows: images.rows,
                cols: images.cols,
            });
        }
        if images.count == 0 {
            return Err(Error::NoPictures { path: images_path });
        }
        if images.count != labels.len() {
            return Err(Error::Unpaired {
                images: images_path,
                image_count: images.count,
                labels: labels_path,
                label_count: labels.len(),
            });
        }
        if let Some(index) = labels.iter().position(|&label| label > 9) {
            return Err(Error::Label {
                path: labels_path,
                index,
                label: labels[index],
            });
        }
        Ok(Self {
            images: images.pixels,
            labels,
        })
    }
}

/// The file, under any of the names it goes by: copies differ in `-idx` or `.idx`, `.gz` or nothing.
fn find(dir: &Path, split: Split, what: &str, kind: &str) -> Result<PathBuf> {
    let prefix = split.prefix();
    let plain = format!("{prefix}-{what}-{kind}-ubyte");
    let dotted = format!("{prefix}-{what}.{kind}-ubyte");
    [&plain, &dotted]
        .into_iter()
        .flat_map(|name| [dir.join(name), dir.join(format!("{name}.gz"))])
        .find(|path| path.is_file())
        .ok_or_else(|| Error::MissingData {
            dir: dir.to_path_buf(),
            name: plain.clone(),
        })
}
