//! Plain Rust that any processor runs, and that compilers make vectors of.

use super::{Bf16, Element, F16, I8, Simd};

const LANES: usize = 8;

/// Any machine.
#[derive(Clone, Copy)]
pub(super) struct Portable;

#[inline(always)]
fn zip(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Simd for Portable {
    type V = [f32; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; LANES]
    }

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        // SAFETY: valid for `LANES` values (the contract), of any alignment.
        unsafe { p.cast::<Self::V>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_bf16(self, p: *const Bf16) -> Self::V {
        // SAFETY: valid for `LANES` values (the contract), of any alignment.
        unsafe { p.cast::<[Bf16; LANES]>().read_unaligned() }.map(Element::to_f32)
    }

    #[inline(always)]
    unsafe fn load_f16(self, p: *const F16) -> Self::V {
        // SAFETY: valid for `LANES` values (the contract), of any alignment.
        unsafe { p.cast::<[F16; LANES]>().read_unaligned() }.map(Element::to_f32)
    }

    #[inline(always)]
    unsafe fn load_i8(self, p: *const I8) -> Self::V {
        // SAFETY: valid for `LANES` values (the contract), of any alignment.
        unsafe { p.cast::<[I8; LANES]>().read_unaligned() }.map(Element::to_f32)
    }

    #[inline(always)]
    fn prefetch<T>(self, _: *const T) {}

    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        // SAFETY: valid for `LANES` values (the contract), of any alignment.
        unsafe { p.cast::<Self::V>().write_unaligned(v) }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // 64-bit Arm has a fused multiply-add in its baseline; elsewhere it would be a library call.
        std::array::from_fn(|i| {
            if cfg!(target_arch = "aarch64") {
                a[i].mul_add(b[i], c[i])
            } else {
                a[i] * b[i] + c[i]
            }
        })
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        const SHIFT: f32 = 12_582_912.0; // 1.5 · 2²³: adding it leaves no room for a fraction
        a.map(|a| {
            if a.abs() < 4_194_304.0 {
                (a + SHIFT) - SHIFT
            } else {
                a
            }
        })
    }

    #[inline(always)]
    fn power_of_two(self, n: Self::V) -> Self::V {
        n.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }

    #[inline(always)]
    fn interleave(self, a: Self::V, b: Self::V) -> (Self::V, Self::V) {
        let turns = |from: usize| {
            std::array::from_fn(|i| {
                if i % 2 == 0 {
                    a[from + i / 2]
                } else {
                    b[from + i / 2]
                }
            })
        };
        (turns(0), turns(Self::LANES / 2))
    }

    #[inline(always)]
    fn dot_bf16(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        let upper = |x: f32| f32::from_bits(x.to_bits() & 0xffff_0000);
        let lower = |x: f32| f32::from_bits(x.to_bits() << 16);
        let c = self.mul_add(a.map(upper), b.map(upper), c);
        self.mul_add(a.map(lower), b.map(lower), c)
    }

    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let four: [f32; 4] = std::array::from_fn(|i| v[i] + v[i + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }
}
