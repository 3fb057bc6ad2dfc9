//! Who speaks.

use std::path::Path;

use tch::Tensor;

use crate::error::Error;

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Speaker {
    /// The voice's own, or its first one.
    #[default]
    Own,
    /// One of the voice's, from 0.
    Number(i64),
    /// What tells a speaker's voice (an x-vector).
    Features(Vec<f32>),
}

impl Speaker {
    /// Reads features from a file: NumPy's `.npy` with 32-bit floats, or numbers as text, between blanks, commas or in
    /// JSON's brackets.
    ///
    /// # Errors
    /// If it cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let problem = |problem: String| Error::Speaker {
            problem: format!("{} {problem}", path.display()),
        };
        let bytes = std::fs::read(path).map_err(|error| problem(format!("cannot be read: {error}")))?;
        let features = match bytes.strip_prefix(b"\x93NUMPY") {
            Some(rest) => numpy(rest),
            None => text(&bytes),
        };
        let features =
            features.filter(|features| !features.is_empty() && features.iter().all(|x| x.is_finite()));
        let wrong = || {
            problem(
                "holds no row of numbers: expected NumPy's `.npy` with 32-bit floats, or numbers as text"
                    .to_string(),
            )
        };
        features.map(Self::Features).ok_or_else(wrong)
    }

    /// `[1, count]`.
    pub(super) fn features(&self, count: i64) -> Result<Tensor, Error> {
        let problem = match self {
            Self::Features(features) if features.len() as i64 == count => {
                return Ok(Tensor::from_slice(features).view([1, -1]));
            }
            Self::Features(features) => {
                format!("it has {} features, the voice's have {count}", features.len())
            }
            Self::Own => {
                format!("this voice has none of its own: name a file with {count} features (an x-vector)")
            }
            Self::Number(_) => {
                format!("this voice has no numbered ones: name a file with {count} features (an x-vector)")
            }
        };
        Err(Error::Speaker { problem })
    }
}

/// The values of a row of little-endian 32-bit floats, behind NumPy's magic bytes.
fn numpy(rest: &[u8]) -> Option<Vec<f32>> {
    let (major, rest) = (*rest.first()?, rest.get(2..)?);
    let (length, rest) = match major {
        1 => (
            usize::from(u16::from_le_bytes(rest.get(..2)?.try_into().ok()?)),
            rest.get(2..)?,
        ),
        _ => (
            u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize,
            rest.get(4..)?,
        ),
    };
    let header = std::str::from_utf8(rest.get(..length)?).ok()?;
    if !header.contains("'<f4'") || header.contains("'fortran_order': True") {
        return None;
    }
    let values = rest.get(length..)?.chunks_exact(4);
    Some(
        values
            .filter_map(|bytes| Some(f32::from_le_bytes(bytes.try_into().ok()?)))
            .collect(),
    )
}

fn text(bytes: &[u8]) -> Option<Vec<f32>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let numbers = text.split(|letter: char| letter.is_whitespace() || ",;[]".contains(letter));
    numbers
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("speaker");
        let mut numpy = b"\x93NUMPY\x01\x00".to_vec();
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
        numpy.extend((header.len() as u16).to_le_bytes());
        numpy.extend(header.as_bytes());
        numpy.extend(0.5f32.to_le_bytes());
        numpy.extend((-2f32).to_le_bytes());
        for bytes in [numpy, b"[0.5, -2]\n".to_vec(), b"0.5 -2.0".to_vec()] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Speaker::read(&path).unwrap(), Speaker::Features(vec![0.5, -2.0]));
        }
        for bytes in ["", "words", "\u{0}"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(Speaker::read(&path).is_err());
        }
        assert!(Speaker::Own.features(3).is_err());
    }
}
