//! Elementary functions on vectors.

use super::Simd;

/// `eˣ`, within 2 units in the last place, of `x` kept between −87.33 and 88.37.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    // x = n·ln 2 + r with |r| ≤ ln 2 / 2, and eˣ = 2ⁿ·eʳ
    let x = s.min(s.splat(88.37), s.max(s.splat(-87.33), x));
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    let r = s.mul_add(n, s.splat(-0.693_359_4), x); // ln 2 in two parts, the first one short
    let r = s.mul_add(n, s.splat(2.121_944_4e-4), r);
    let mut p = s.splat(1.0 / 5040.0); // the Taylor series; the next term is under 2⁻²⁷
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = s.mul_add(p, r, s.splat(c));
    }
    s.mul(p, s.power_of_two(n))
}

/// `2ˣ`, within 2 units in the last place and 1 for 0, of `x` kept above −126; up to 127.
#[inline(always)]
pub(crate) fn exp2<S: Simd>(s: S, x: S::V) -> S::V {
    // The polynomial that is nearest to 2ʳ, |r| ≤ ½, among those that are 1 for 0: 9.2e-8 of it at most.
    const COEFFICIENTS: [f32; 6] = [
        1.326_472_7e-3,
        9.671_513e-3,
        5.550_733_7e-2,
        0.240_222_42,
        0.693_146_97,
        1.0,
    ];
    let x = s.max(s.splat(-126.0), x);
    let n = s.round(x);
    let r = s.mul_add(n, s.splat(-1.0), x);
    let mut p = s.splat(COEFFICIENTS[0]);
    for c in &COEFFICIENTS[1..] {
        p = s.mul_add(p, r, s.splat(*c));
    }
    s.mul(p, s.power_of_two(n))
}

/// `1 / (1 + e⁻ˣ)`
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let e = exp(s, s.mul(x, s.splat(-1.0)));
    s.div(s.splat(1.0), s.add(s.splat(1.0), e))
}

/// `tanh x`, within `2⁻²³` of the truth.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let y = sigmoid(s, s.add(x, x));
    s.mul_add(y, s.splat(2.0), s.splat(-1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, run, tests::on_each_level};

    /// Both functions of eight or sixteen values.
    struct Both<'a>(&'a [f32], &'a mut Vec<(f32, f32)>);

    impl Kernel for Both<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for x in self.0.chunks_exact(S::LANES) {
                let (mut e, mut t) = ([0.0; 16], [0.0; 16]);
                // SAFETY: `LANES` values, at most 16.
                unsafe {
                    let x = s.load(x.as_ptr());
                    s.store(e.as_mut_ptr(), exp(s, x));
                    s.store(t.as_mut_ptr(), tanh(s, x));
                }
                self.1.extend(e.into_iter().zip(t).take(S::LANES));
            }
        }
    }

    #[test]
    fn close_to_double_precision() {
        let xs: Vec<f32> = (0..160_000).map(|i| (i - 80_000) as f32 * 0.001_071).collect();
        on_each_level(|level| {
            let mut ys = Vec::new();
            run(level, Both(&xs, &mut ys));
            assert_eq!(ys.len(), xs.len());
            for (&x, (e, t)) in xs.iter().zip(ys) {
                let exact = f64::from(x.clamp(-87.33, 88.37)).exp();
                assert!(
                    (f64::from(e) / exact - 1.0).abs() < 2.5e-7,
                    "{level:?}: e^{x} = {e}"
                );
                assert!(
                    (f64::from(t) - f64::from(x).tanh()).abs() < 2.0e-7,
                    "{level:?}: tanh {x} = {t}"
                );
            }
            let mut ys = Vec::new();
            run(level, Both(&[f32::NAN; 16], &mut ys));
            assert!(ys.iter().all(|(e, t)| e.is_nan() && t.is_nan()));
        });
    }
    struct Powers<'a>(&'a [f32], &'a mut Vec<f32>);

    impl Kernel for Powers<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for x in self.0.chunks_exact(S::LANES) {
                let mut y = [0.0; 16];
                // SAFETY: `LANES` values, at most 16.
                unsafe { s.store(y.as_mut_ptr(), exp2(s, s.load(x.as_ptr()))) };
                self.1.extend(y.into_iter().take(S::LANES));
            }
        }
    }

    #[test]
    fn powers_of_two() {
        let xs: Vec<f32> = (0..160_000).map(|i| (i - 130_000) as f32 * 0.001_071).collect();
        on_each_level(|level| {
            let mut ys = Vec::new();
            run(level, Powers(&xs, &mut ys));
            assert_eq!(ys.len(), xs.len());
            for (&x, y) in xs.iter().zip(ys) {
                let exact = f64::from(x.max(-126.0)).exp2();
                assert!(
                    (f64::from(y) / exact - 1.0).abs() < 2.0e-7,
                    "{level:?}: 2^{x} = {y}"
                );
            }
            let mut ys = Vec::new();
            let mut odd = [0.0; 16];
            (odd[1], odd[2]) = (f32::NAN, f32::NEG_INFINITY);
            run(level, Powers(&odd, &mut ys));
            assert!(ys[0] == 1.0 && ys[1].is_nan() && ys[2] == f32::MIN_POSITIVE);
        });
    }
}
