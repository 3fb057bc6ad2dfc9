//! What is multiplied with what.

use super::OUTPUTS;

/// Values made of a line, for each position of a tile.
///
/// With pairs, a position `u` stands for two steps that are a dilation `d` apart: of each `2·d` steps, the first `d`
/// are in `E` and the others in `O`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Array {
    /// The line itself, or `e[u]`.
    Even,
    /// `o[u]`
    Odd,
    /// `e[u] - e[u + d]`
    EvenFall,
    /// `o[u] - o[u + d]`
    OddFall,
    /// `o[u] + e[u + d]`
    OddSum,
    /// `e[u + d] + o[u + d]`
    EvenSum,
    /// `e[u + d] - o[u]`
    OddRise,
    /// `o[u + d] - e[u + d]`
    EvenRise,
}

/// A sum of products.
#[derive(Debug)]
pub(super) struct Sum {
    /// Which array, by its place in [`Plan::arrays`], and how many positions further on.
    pub terms: Vec<(usize, usize)>,
    /// `[outputs / OUTPUTS, inputs, terms, OUTPUTS]`, filled up with zeros.
    pub weight: Vec<f32>,
}

/// The sums of a convolution.
#[derive(Debug)]
pub(super) struct Plan {
    /// What is made of each line.
    pub arrays: Vec<Array>,
    /// One sum, which is the result; or four, `a` to `d`, of which each pair of results is `a + b + c` and `b - c - d`.
    pub sums: Vec<Sum>,
}

/// A product of a sum that is being planned: the weight is this times each tap, from the given tap on.
struct Term {
    array: Array,
    shift: usize,
    tap: usize,
    factors: [f32; 3],
}

impl Plan {
    /// A product for each tap. `weight` is `[outputs, inputs, taps]`.
    pub fn direct(weight: &[f32], [outputs, inputs, taps]: [usize; 3], dilation: usize) -> Self {
        let terms = (0..taps).map(|tap| Term {
            array: Array::Even,
            shift: tap * dilation,
            tap,
            factors: [1.0, 0.0, 0.0],
        });
        Self::of([terms.collect()], weight, [outputs, inputs, taps])
    }

    /// Four products for three taps at two steps, in the place of six, and three for two (Winograd's F(2, 3) and
    /// F(2, 2), arXiv 1509.09308); what the taps of a group come to is summed before the four are put together.
    pub fn pairs(weight: &[f32], [outputs, inputs, taps]: [usize; 3], dilation: usize) -> Self {
        use Array::*;
        let mut sums = [const { Vec::<Term>::new() }; 4];
        let mut add = |sum: usize, array, shift, tap, factors| {
            sums[sum].push(Term {
                array,
                shift,
                tap,
                factors,
            });
        };
        for tap in (0..taps).step_by(3) {
            // The first step of the taps lies at an even place of a pair or at an odd one.
            let (even, here, next) = (tap % 2 == 0, tap / 2 * dilation, (tap / 2 + 1) * dilation);
            match taps - tap {
                1 => {
                    let [first, second] = match even {
                        true => [(Even, here), (Odd, here)],
                        false => [(Odd, here), (Even, next)],
                    };
                    add(0, first.0, first.1, tap, [1.0, 0.0, 0.0]);
                    add(3, second.0, second.1, tap, [-1.0, 0.0, 0.0]);
                }
                2 if tap > 0 => {
                    let [first, second, third] = match even {
                        true => [(EvenRise, here - dilation), (Odd, here), (OddRise, here)],
                        false => [(OddRise, here), (Even, next), (EvenRise, here)],
                    };
                    add(0, first.0, first.1, tap, [-1.0, 0.0, 0.0]);
                    add(1, second.0, second.1, tap, [1.0, 1.0, 0.0]);
                    add(3, third.0, third.1, tap, [0.0, -1.0, 0.0]);
                }
                2 => {
                    add(0, Even, 0, tap, [1.0, 0.0, 0.0]);
                    add(0, Odd, 0, tap, [0.0, 1.0, 0.0]);
                    add(3, Odd, 0, tap, [-1.0, 0.0, 0.0]);
                    add(3, Even, dilation, tap, [0.0, -1.0, 0.0]);
                }
                _ => {
                    let [first, second, third, fourth] = match even {
                        true => [(EvenFall, here), (OddSum, here), (OddRise, here), (OddFall, here)],
                        false => [
                            (OddFall, here),
                            (EvenSum, here),
                            (EvenRise, here),
                            (EvenFall, next),
                        ],
                    };
                    add(0, first.0, first.1, tap, [1.0, 0.0, 0.0]);
                    add(1, second.0, second.1, tap, [0.5, 0.5, 0.5]);
                    add(2, third.0, third.1, tap, [0.5, -0.5, 0.5]);
                    add(3, fourth.0, fourth.1, tap, [0.0, 0.0, 1.0]);
                }
            }
        }
        Self::of(sums, weight, [outputs, inputs, taps])
    }

    /// How many products for two steps, an input and an output [`pairs`](Self::pairs) have less.
    pub fn saved(taps: usize) -> usize {
        let rest = usize::from(taps > 3 && taps % 3 == 2);
        taps / 3 * 2 + rest
    }

    fn of<const N: usize>(sums: [Vec<Term>; N], weight: &[f32], [outputs, inputs, taps]: [usize; 3]) -> Self {
        let mut arrays = Vec::new();
        let sums = sums.map(|terms| {
            let count = terms.len();
            let mut packed = vec![0.0; outputs.div_ceil(OUTPUTS) * inputs * count * OUTPUTS];
            for (row, plain) in weight.chunks_exact(taps).enumerate() {
                let (output, input) = (row / inputs, row % inputs);
                let (block, lane) = (output / OUTPUTS, output % OUTPUTS);
                for (i, term) in terms.iter().enumerate() {
                    let values = plain[term.tap..].iter().zip(term.factors);
                    packed[((block * inputs + input) * count + i) * OUTPUTS + lane] =
                        values.map(|(value, factor)| value * factor).sum();
                }
            }
            let mut place = |array| {
                arrays.iter().position(|&a| a == array).unwrap_or_else(|| {
                    arrays.push(array);
                    arrays.len() - 1
                })
            };
            let terms = terms.iter().map(|term| (place(term.array), term.shift)).collect();
            Sum {
                terms,
                weight: packed,
            }
        });
        Self {
            sums: sums.into(),
            arrays,
        }
    }

    /// Whether each position stands for two steps.
    pub fn is_of_pairs(&self) -> bool {
        self.sums.len() > 1
    }

    /// How far beyond a position the sums look.
    pub fn reach(&self) -> usize {
        let terms = self.sums.iter().flat_map(|sum| &sum.terms);
        terms.map(|&(_, shift)| shift).max().unwrap_or(0)
    }
}
