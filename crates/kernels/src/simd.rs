//! Vectors of `f32`, whatever the machine calls them.
//!
//! A kernel is written once, generic over [`Simd`], and compiled for AVX-512, for AVX2 and in plain Rust.
//! [`run`] calls the version for the best instruction set that the machine has. A [`Simd`] value is a
//! token: one exists only where its instructions do, so that arithmetic on vectors is safe.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod element;
mod math;
mod portable;
mod transpose;

pub(crate) use element::{Bf16, Element, F16, Floating, I8};
pub(crate) use math::{exp, exp2, tanh};
pub(crate) use transpose::{MOST_LANES, transpose, turn};

/// A vector unit that this machine has.
///
/// Methods are `inline(always)`: they become single instructions inside [`run`].
pub(crate) trait Simd: Copy + Send + Sync {
    /// One vector.
    type V: Copy;
    /// `f32` values in a vector: 8 or 16.
    const LANES: usize;

    /// All lanes equal to `x`.
    fn splat(self, x: f32) -> Self::V;
    /// `LANES` values from `p`, of any alignment.
    ///
    /// # Safety
    /// `p` is valid for reading `LANES` values.
    unsafe fn load(self, p: *const f32) -> Self::V;
    /// The same for `bf16`.
    ///
    /// # Safety
    /// `p` is valid for reading `LANES` values.
    unsafe fn load_bf16(self, p: *const Bf16) -> Self::V;
    /// The same for `f16`.
    ///
    /// # Safety
    /// `p` is valid for reading `LANES` values.
    unsafe fn load_f16(self, p: *const F16) -> Self::V;
    /// The same for whole numbers of 8 bits.
    ///
    /// # Safety
    /// `p` is valid for reading `LANES` values.
    unsafe fn load_i8(self, p: *const I8) -> Self::V;
    /// Asks for what lies at `p`, which may be anywhere, to be brought near.
    fn prefetch<T>(self, p: *const T);
    /// Writes the lanes to `p`, of any alignment.
    ///
    /// # Safety
    /// `p` is valid for writing `LANES` values.
    unsafe fn store(self, p: *mut f32, v: Self::V);
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once where the machine can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The greater of two; `b` where one is not a number.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The lesser of two; `b` where one is not a number.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The nearest whole number.
    fn round(self, a: Self::V) -> Self::V;
    /// `2ⁿ` for whole `n` from −126 to 127.
    fn power_of_two(self, n: Self::V) -> Self::V;
    /// The values of both in turns, `a₀ b₀ a₁ b₁ …`: the first half and the second.
    fn interleave(self, a: Self::V, b: Self::V) -> (Self::V, Self::V);
    /// `a · b + c` for lanes of `a` and `b` that are the bits of two `bf16` each: both products are added.
    fn dot_bf16(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The sum of the lanes.
    fn sum(self, v: Self::V) -> f32;
}

/// Something to compute on whichever vector unit there is.
///
/// `run` is to be `inline(always)`, and so is everything in it that works on vectors.
pub(crate) trait Kernel {
    /// What comes out.
    type Output;
    /// Computes it.
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) enum Level {
    /// Plain Rust.
    Portable,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512 F, VL, BW and DQ.
    Avx512,
    /// These and products of `bf16`.
    Avx512Bf16,
}

impl Level {
    /// Whether this machine has it.
    pub(crate) fn available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            // The standard library asks the processor once and keeps the answers.
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            let avx512 = || {
                avx2 && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
            };
            match self {
                Self::Portable => true,
                Self::Avx2 => avx2,
                Self::Avx512 => avx512(),
                Self::Avx512Bf16 => avx512() && is_x86_feature_detected!("avx512bf16"),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Portable
        }
    }

    /// The best one that this machine has.
    pub(crate) fn best() -> Self {
        #[cfg(test)]
        if let Some(level) = tests::FORCED.get() {
            return level;
        }
        [Self::Avx512Bf16, Self::Avx512, Self::Avx2]
            .into_iter()
            .find(|level| level.available())
            .unwrap_or(Self::Portable)
    }

    /// Whether [`Simd::dot_bf16`] is an instruction.
    pub(crate) fn has_dots(self) -> bool {
        self == Self::Avx512Bf16
    }
}

/// Whether 16-bit numbers are multiplied fastest by widening them first: the processor has no products of them.
pub fn widening_is_fastest() -> bool {
    cfg!(target_arch = "x86_64") && !Level::best().has_dots()
}

/// Runs a kernel on the vector unit `level`.
///
/// # Panics
/// If the machine does not have it.
#[inline]
pub(crate) fn run<K: Kernel>(level: Level, kernel: K) -> K::Output {
    assert!(level.available(), "the machine has {level:?}");
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512bf16,avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,f16c")]
        fn avx512_bf16<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: the caller has checked that the machine has these instructions.
            kernel.run(unsafe { avx512::Avx512::<true>::new() })
        }
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,f16c")]
        fn avx512<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: the caller has checked that the machine has these instructions.
            kernel.run(unsafe { avx512::Avx512::<false>::new() })
        }
        #[target_feature(enable = "avx2,fma,f16c")]
        fn avx2<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: the caller has checked that the machine has these instructions.
            kernel.run(unsafe { avx2::Avx2::new() })
        }
        match level {
            Level::Portable => {}
            // SAFETY: the machine has these instructions (checked above).
            Level::Avx2 => return unsafe { avx2(kernel) },
            // SAFETY: the machine has these instructions (checked above).
            Level::Avx512 => return unsafe { avx512(kernel) },
            // SAFETY: the machine has these instructions (checked above).
            Level::Avx512Bf16 => return unsafe { avx512_bf16(kernel) },
        }
    }
    kernel.run(portable::Portable)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        pub(super) static FORCED: Cell<Option<Level>> = const { Cell::new(None) };
    }

    /// Runs `body` once for each instruction set of this machine.
    ///
    /// [`Level::best`] returns it on the calling thread, which is where kernels ask.
    pub(crate) fn on_each_level(body: impl Fn(Level)) {
        for level in [Level::Portable, Level::Avx2, Level::Avx512, Level::Avx512Bf16] {
            if level.available() {
                FORCED.set(Some(level));
                body(level);
            }
        }
        FORCED.set(None);
    }
}
