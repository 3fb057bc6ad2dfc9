//! From any picture of one digit to the picture that MNIST would have made of it.
//!
//! LeCun et al. (1998, "Gradient-Based Learning Applied to Document Recognition", section III-A): the ink
//! is fitted to a box of 20×20 pixels with its proportions kept, grey levels coming from the
//! anti-aliasing, and its centre of mass put at the centre of the 28×28 picture. What goes before is
//! for pictures that are no clean scans: which channel shows the ink, which of dark and light it is, where
//! light falls unevenly, what is noise, and strokes too thin to survive the shrinking.

mod grey;
mod ink;
mod parts;
mod place;

use image::DynamicImage;

use crate::mnist::{PIXELS, SIDE};
use grey::Plane;

/// Why a picture cannot be made into a digit's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoDigit {
    /// Nothing stands out from anything.
    #[error("no digit found: the picture is one colour")]
    Blank,
    /// What stands out is no more than noise.
    #[error("no digit found: nothing stands out from the background")]
    Noise,
}

/// The 28×28 picture of the digit that `image` shows, as in MNIST: row by row, 0 paper, 255 ink.
///
/// The digit may be of any size, colour and place, dark on light or light on dark. A picture that is
/// one of MNIST's already comes back as it is: 28×28 pixels, hardly any ink in the outermost ones, and
/// the centre of mass within a pixel of the centre.
///
/// # Errors
/// If nothing in the picture stands out.
pub fn to_mnist(image: &DynamicImage) -> Result<[u8; PIXELS], NoDigit> {
    let grey = Plane::from_image(image);
    if let Some(digit) = as_is(&grey) {
        return Ok(digit);
    }
    let ink = ink::find(&grey)?;
    Ok(place::normalize(&ink))
}

/// The picture itself, or its negative, if it has MNIST's form.
fn as_is(grey: &Plane) -> Option<[u8; PIXELS]> {
    /// Above the noise of a JPEG.
    const FAINT: f32 = 0.1;
    if (grey.width, grey.height) != (SIDE, SIDE) {
        return None;
    }
    let corner = grey.values[0];
    let negative = corner > 0.5;
    let values = grey.values.iter().map(|&v| if negative { 1.0 - v } else { v });
    let picture: Vec<f32> = values.collect();
    let inside = 1..SIDE - 1;
    let inky_border = (0..PIXELS)
        .filter(|i| !(inside.contains(&(i / SIDE)) && inside.contains(&(i % SIDE))))
        .filter(|&i| picture[i] > FAINT)
        .count();
    // A lopsided digit that is centred by mass may touch the border: some in a hundred of MNIST's do.
    let framed = inky_border <= SIDE / 2;
    let strongest = picture.iter().copied().fold(0.0, f32::max);
    let (x, y) = place::centre_of_mass(&picture, SIDE)?;
    let centred = (x - place::CENTRE).abs() <= 1.0 && (y - place::CENTRE).abs() <= 1.0;
    (framed && centred && strongest > 0.5)
        .then(|| std::array::from_fn(|i| (picture[i] * 255.0).round() as u8))
}
