//! What the decoder reads and what it shall write.

use tch::Tensor;

use crate::loss::IGNORED;

/// Both are `[rows, tokens]`.
#[derive(Debug)]
pub(super) struct Rows {
    /// Each token, to tell the next one from.
    pub read: Tensor,
    /// The next one; [`IGNORED`] at padding.
    pub labels: Tensor,
    /// Labels that count.
    pub count: usize,
}

/// Rows of `beginning`, the text, and `end`, where at most `most` tokens are read.
pub(super) fn rows(beginning: &[i64], texts: &[Vec<usize>], end: i64, most: i64) -> Rows {
    let whole = texts.iter().map(|text| {
        let text = text.iter().map(|&id| id as i64);
        let mut row: Vec<i64> = beginning.iter().copied().chain(text).chain([end]).collect();
        row.truncate(usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1));
        row
    });
    let whole: Vec<Vec<i64>> = whole.collect();
    let longest = whole.iter().map(Vec::len).max().unwrap_or(1) - 1;
    let size = [whole.len() as i64, longest as i64];
    let flat = |part: &dyn Fn(&[i64]) -> &[i64], padding: i64| {
        let mut all = Vec::with_capacity(whole.len() * longest);
        for row in &whole {
            all.extend_from_slice(part(row));
            all.extend(std::iter::repeat_n(padding, longest + 1 - row.len()));
        }
        Tensor::from_slice(&all).view(size)
    };
    Rows {
        // What is read behind the end is never seen: no token looks ahead.
        read: flat(&|row| &row[..row.len() - 1], end),
        labels: flat(&|row| &row[1..], IGNORED),
        count: whole.iter().map(|row| row.len() - 1).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_told_from_those_before_it() {
        let rows = rows(&[7, 8], &[vec![1, 2, 3], vec![4]], 9, 5);
        let matrix = |values: &[i64]| Tensor::from_slice(values).view([2, 5]);
        assert_eq!(rows.read, matrix(&[7, 8, 1, 2, 3, 7, 8, 4, 9, 9]));
        let x = IGNORED;
        assert_eq!(rows.labels, matrix(&[8, 1, 2, 3, 9, 8, 4, 9, x, x]));
        assert_eq!(rows.count, 8);
    }
}
