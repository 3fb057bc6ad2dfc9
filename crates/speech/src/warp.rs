//! Dynamic time warping (Sakoe and Chiba 1978).

/// The cheapest way from the first row and column to the last, a step down, right or both at a time:
/// which row and column it comes through, in turn.
pub(crate) fn warp(costs: &[f32], rows: usize, columns: usize) -> Vec<(usize, usize)> {
    #[derive(Clone, Copy)]
    enum From {
        Both,
        Above,
        Left,
    }
    let width = columns + 1;
    let mut total = vec![f32::INFINITY; (rows + 1) * width];
    let mut from = vec![From::Left; (rows + 1) * width];
    total[0] = 0.0;
    for j in 1..=columns {
        for i in 1..=rows {
            let (both, above, left) = (
                total[(i - 1) * width + j - 1],
                total[(i - 1) * width + j],
                total[i * width + j - 1],
            );
            let (cost, way) = if both < above && both < left {
                (both, From::Both)
            } else if above < both && above < left {
                (above, From::Above)
            } else {
                (left, From::Left)
            };
            total[i * width + j] = (f64::from(costs[(i - 1) * columns + j - 1]) + f64::from(cost)) as f32;
            from[i * width + j] = way;
        }
    }
    let (mut i, mut j) = (rows, columns);
    let mut path = Vec::with_capacity(rows + columns);
    while i > 0 || j > 0 {
        path.push((i.saturating_sub(1), j.saturating_sub(1)));
        match from[i * width + j] {
            _ if j == 0 => i -= 1,
            _ if i == 0 => j -= 1,
            From::Both => (i, j) = (i - 1, j - 1),
            From::Above => i -= 1,
            From::Left => j -= 1,
        }
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_follows_what_is_cheap() {
        // Three tokens, six steps: two steps each.
        let mut costs = vec![1.0; 18];
        for (token, step) in [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4), (2, 5)] {
            costs[token * 6 + step] = -1.0;
        }
        assert_eq!(
            warp(&costs, 3, 6),
            [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4), (2, 5)]
        );
    }
}
