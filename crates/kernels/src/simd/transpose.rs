//! Squares of values with their rows and columns exchanged, without leaving the registers.

use super::Simd;

/// The most lanes of a vector.
pub(crate) const MOST_LANES: usize = 16;

/// Writes the square of `LANES` × `LANES` values at `from`, whose rows are `stride` values apart, to `to` with
/// rows and columns exchanged, and rows `apart` values apart.
///
/// Each step interleaves the rows of the upper half with those of the lower one, which moves the first bit of a
/// value's row to the end of its column, and the first bit of the column to the end of its row; after as many
/// steps as there are bits they have changed places.
///
/// # Safety
/// `LANES` values can be read at each row of `from`, and written at each row of `to`.
#[inline(always)]
pub(crate) unsafe fn transpose<S: Simd>(s: S, from: *const f32, stride: usize, to: *mut f32, apart: usize) {
    let half = S::LANES / 2;
    let mut rows = [s.splat(0.0); MOST_LANES];
    for (i, row) in rows.iter_mut().enumerate().take(S::LANES) {
        // SAFETY: a row of `from`, by the caller's promise.
        *row = unsafe { s.load(from.add(i * stride)) };
    }
    for _ in 0..S::LANES.ilog2() {
        let before = rows;
        for i in 0..half {
            (rows[2 * i], rows[2 * i + 1]) = s.interleave(before[i], before[half + i]);
        }
    }
    for (i, row) in rows.into_iter().enumerate().take(S::LANES) {
        // SAFETY: a row of `to`, by the caller's promise.
        unsafe { s.store(to.add(i * apart), row) };
    }
}

/// Writes `rows` × `columns` values from `from`, whose rows are `stride` values apart, to `to` with rows and columns
/// exchanged, and rows `apart` values apart.
///
/// # Safety
/// `columns` values can be read at each row of `from`, and `rows` written at each row of `to`.
#[inline(always)]
pub(crate) unsafe fn turn<S: Simd>(
    s: S,
    [rows, columns]: [usize; 2],
    (from, stride): (*const f32, usize),
    (to, apart): (*mut f32, usize),
) {
    let squares = |count: usize| count - count % S::LANES;
    for row in (0..squares(rows)).step_by(S::LANES) {
        for column in (0..squares(columns)).step_by(S::LANES) {
            // SAFETY: a square within both, by the caller's promise.
            unsafe {
                let (from, to) = (from.add(row * stride + column), to.add(column * apart + row));
                transpose(s, from, stride, to, apart);
            }
        }
    }
    for row in 0..rows {
        let done = if row < squares(rows) { squares(columns) } else { 0 };
        for column in done..columns {
            // SAFETY: within both, by the caller's promise.
            unsafe { *to.add(column * apart + row) = from.add(row * stride + column).read_unaligned() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, run, tests::on_each_level};

    const STRIDE: usize = MOST_LANES + 3;
    const APART: usize = MOST_LANES + 1;

    struct Square<'a>(&'a [f32], &'a mut [f32]);

    impl Kernel for Square<'_> {
        type Output = usize;

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> usize {
            // SAFETY: both have room for `MOST_LANES` rows.
            unsafe { transpose(s, self.0.as_ptr(), STRIDE, self.1.as_mut_ptr(), APART) };
            S::LANES
        }
    }

    #[test]
    fn rows_become_columns() {
        let from: Vec<f32> = (0..MOST_LANES * STRIDE).map(|i| i as f32).collect();
        on_each_level(|level| {
            let mut to = vec![-1.0; MOST_LANES * APART];
            let lanes = run(level, Square(&from, &mut to));
            for row in 0..lanes {
                for column in 0..lanes {
                    assert_eq!(to[column * APART + row], from[row * STRIDE + column], "{level:?}");
                }
            }
            let written = to.iter().filter(|&&value| value >= 0.0).count();
            assert_eq!(written, lanes * lanes, "{level:?}: nothing else is written");
        });
    }
    struct Whole<'a>([usize; 2], &'a [f32], &'a mut [f32]);

    impl Kernel for Whole<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let Self(shape @ [rows, columns], from, to) = self;
            assert!(from.len() >= rows * columns && to.len() >= rows * columns);
            // SAFETY: both have room (just checked).
            unsafe { turn(s, shape, (from.as_ptr(), columns), (to.as_mut_ptr(), rows)) };
        }
    }

    #[test]
    fn any_shape_is_turned() {
        let from: Vec<f32> = (0..50 * 50).map(|i| i as f32).collect();
        on_each_level(|level| {
            for shape @ [rows, columns] in [[1, 1], [3, 40], [16, 16], [17, 8], [50, 33], [0, 4], [4, 0]] {
                let mut to = vec![-1.0; rows * columns];
                run(level, Whole(shape, &from, &mut to));
                for (i, value) in to.iter().enumerate() {
                    assert_eq!(*value, from[i % rows * columns + i / rows], "{level:?} {shape:?}");
                }
            }
        });
    }
}
