//! What a generation begins with.

use crate::Error;

/// The ids that precede what is generated: one row for each sequence, all of the same length.
///
/// For a model with an encoder these are the ids its decoder begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    rows: Vec<Vec<i64>>,
    padding: Vec<usize>,
    encoder: Option<Vec<Vec<i64>>>,
}

impl Prompt {
    /// Rows of the same length, without padding.
    ///
    /// # Errors
    /// If there is no row or no token, or the rows differ in length.
    pub fn new(rows: Vec<Vec<i64>>) -> Result<Self, Error> {
        let padding = vec![0; rows.len()];
        Self::checked(rows, padding)
    }

    /// A single row.
    ///
    /// # Errors
    /// If it has no tokens.
    pub fn single(ids: &[i64]) -> Result<Self, Error> {
        Self::new(vec![ids.to_vec()])
    }

    /// Rows of any lengths: the shorter ones are filled with `pad` on the left.
    ///
    /// # Errors
    /// If there is no row, or one without tokens.
    pub fn padded(rows: &[Vec<i64>], pad: i64) -> Result<Self, Error> {
        let len = rows.iter().map(Vec::len).max().unwrap_or(0);
        if rows.iter().any(Vec::is_empty) {
            return Err(Error::EmptyPrompt);
        }
        let padding: Vec<usize> = rows.iter().map(|row| len - row.len()).collect();
        let fill = |row: &Vec<i64>| {
            let mut all = vec![pad; len - row.len()];
            all.extend(row);
            all
        };
        Self::checked(rows.iter().map(fill).collect(), padding)
    }

    /// Rows that are padded on the left already; `mask` is 0 there and 1 elsewhere.
    ///
    /// # Errors
    /// If rows and mask differ in shape, or there is padding elsewhere.
    pub fn with_mask(rows: Vec<Vec<i64>>, mask: &[Vec<i64>]) -> Result<Self, Error> {
        same("rows of the attention mask", rows.len(), mask.len())?;
        let mut padding = Vec::new();
        for (row, (ids, mask)) in rows.iter().zip(mask).enumerate() {
            same("length of the attention mask", ids.len(), mask.len())?;
            let pads = mask.iter().take_while(|&&m| m == 0).count();
            if pads == mask.len() || mask[pads..].contains(&0) {
                return Err(Error::Padding { row });
            }
            padding.push(pads);
        }
        Self::checked(rows, padding)
    }

    /// The same `ids` in each of `rows` rows: what a decoder begins with.
    ///
    /// # Errors
    /// If there are no rows or no ids.
    pub fn start(rows: usize, ids: &[i64]) -> Result<Self, Error> {
        Self::new(vec![ids.to_vec(); rows])
    }

    fn checked(rows: Vec<Vec<i64>>, padding: Vec<usize>) -> Result<Self, Error> {
        let len = rows.first().map_or(0, Vec::len);
        if len == 0 {
            return Err(Error::EmptyPrompt);
        }
        for row in &rows {
            same("tokens of a row of the prompt", len, row.len())?;
        }
        Ok(Self {
            rows,
            padding,
            encoder: None,
        })
    }

    /// With what the encoder was fed, padding included: `encoder_no_repeat_ngram_size` and
    /// `encoder_repetition_penalty` look at it.
    ///
    /// # Errors
    /// If there is not one row for each of the prompt's.
    pub fn with_encoder_ids(mut self, ids: Vec<Vec<i64>>) -> Result<Self, Error> {
        same("rows of the encoder's ids", self.rows.len(), ids.len())?;
        self.encoder = Some(ids);
        Ok(self)
    }

    /// The rows, padding included.
    pub fn rows(&self) -> &[Vec<i64>] {
        &self.rows
    }

    /// The length of every row, padding included.
    #[expect(clippy::len_without_is_empty, reason = "a prompt is never empty")]
    pub fn len(&self) -> usize {
        self.rows[0].len()
    }

    /// How many of each row's first tokens are padding.
    pub fn padding(&self) -> &[usize] {
        &self.padding
    }

    /// What the encoder was fed.
    pub fn encoder_ids(&self) -> Option<&[Vec<i64>]> {
        self.encoder.as_deref()
    }
}

fn same(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Shape {
            what,
            expected,
            found,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_on_the_left() {
        let prompt = Prompt::padded(&[vec![1, 2, 3], vec![4]], 0).unwrap();
        assert_eq!(prompt.rows(), [vec![1, 2, 3], vec![0, 0, 4]]);
        assert_eq!(prompt.padding(), [0, 2]);
        let mask = [vec![1, 1, 1], vec![0, 0, 1]];
        assert_eq!(Prompt::with_mask(prompt.rows().to_vec(), &mask).unwrap(), prompt);
        let mask = [vec![1, 1, 0], vec![0, 0, 1]];
        let error = Prompt::with_mask(prompt.rows().to_vec(), &mask).unwrap_err();
        assert!(matches!(error, Error::Padding { row: 0 }));
        assert!(Prompt::new(vec![]).is_err());
        assert!(Prompt::new(vec![vec![1], vec![1, 2]]).is_err());
    }
}
