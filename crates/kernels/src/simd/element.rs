//! The element types of weights and activations.

use tch::{Device, Kind, Tensor};

use super::Simd;

/// Google's 16-bit float: the upper half of an `f32`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Bf16(u16);

impl Bf16 {
    /// The bits of two, as the lanes of [`Simd::dot_bf16`] have them.
    #[inline(always)]
    pub(crate) fn pair([first, second]: [Self; 2]) -> f32 {
        f32::from_bits(u32::from(first.0) | u32::from(second.0) << 16)
    }
}

/// The 16-bit float of IEEE 754.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct F16(u16);

/// A whole number of 8 bits, from −127 to 127.
#[derive(Debug, Default, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct I8(i8);

/// A number type that tensors hold and kernels widen to `f32`.
pub(crate) trait Element: Copy + Send + Sync + 'static {
    /// What libtorch calls it.
    const KIND: Kind;
    /// The value; exact.
    fn to_f32(self) -> f32;
    /// The nearest value, ties to even.
    fn from_f32(x: f32) -> Self;
    /// Widens `LANES` values.
    ///
    /// # Safety
    /// `p` is valid for reading `LANES` values.
    unsafe fn load<S: Simd>(s: S, p: *const Self) -> S::V;
}

impl Element for f32 {
    const KIND: Kind = Kind::Float;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        x
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(s: S, p: *const Self) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { s.load(p) }
    }
}

impl Element for Bf16 {
    const KIND: Kind = Kind::BFloat16;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        if x.is_nan() {
            return Self(0x7fc0);
        }
        let bits = x.to_bits();
        Self(((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16)
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(s: S, p: *const Self) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { s.load_bf16(p) }
    }
}

impl Element for F16 {
    const KIND: Kind = Kind::Half;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        // Moved into place the exponent is 112 too small, for denormal numbers too.
        let sign = u32::from(self.0 & 0x8000) << 16;
        let magnitude = u32::from(self.0 & 0x7fff) << 13;
        let value = if magnitude >= 0x0f80_0000 {
            f32::from_bits(magnitude | 0x7f80_0000) // infinite or not a number
        } else {
            f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23)
        };
        f32::from_bits(value.to_bits() | sign)
    }

    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        let sign = ((x.to_bits() >> 16) & 0x8000) as u16;
        let x = x.abs();
        let bits = x.to_bits();
        let magnitude = if x.is_nan() {
            0x7e00
        } else if x >= 65520.0 {
            0x7c00
        } else if x < 6.103_515_6e-5 {
            // Denormal: a multiple of 2⁻²⁴, which adding 0.5 (whose last bit that is) rounds to.
            (x + 0.5).to_bits() - 0.5f32.to_bits()
        } else {
            ((bits - (112 << 23)) + 0x0fff + ((bits >> 13) & 1)) >> 13
        };
        Self(magnitude as u16 | sign)
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(s: S, p: *const Self) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { s.load_f16(p) }
    }
}

impl Element for I8 {
    const KIND: Kind = Kind::Int8;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from(self.0)
    }

    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        // The last place of such a sum is one: adding rounds, and the low bits are the whole number.
        const ROUND: f32 = 1.5 * (1 << 23) as f32;
        Self((x.clamp(-127.0, 127.0) + ROUND).to_bits() as i8)
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(s: S, p: *const Self) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { s.load_i8(p) }
    }
}

/// The elements of a contiguous CPU tensor in one of the [`Element`] types.
#[derive(Clone, Copy)]
pub(crate) enum Floating<'a> {
    F32(&'a [f32]),
    Bf16(&'a [Bf16]),
    F16(&'a [F16]),
}

impl<'a> Floating<'a> {
    /// The elements of `t`.
    ///
    /// # Panics
    /// If it is not contiguous, not on the CPU or of another type; `name` is what the message calls it.
    pub(crate) fn of(t: &'a Tensor, name: &str) -> Self {
        assert!(
            t.device() == Device::Cpu && t.is_contiguous(),
            "{name} is contiguous and on the CPU"
        );
        match t.kind() {
            // SAFETY: just checked.
            Kind::Float => Self::F32(unsafe { crate::memory::elements(t) }),
            // SAFETY: just checked; the type has the layout of libtorch's.
            Kind::BFloat16 => Self::Bf16(unsafe { crate::memory::elements(t) }),
            // SAFETY: just checked; the type has the layout of libtorch's.
            Kind::Half => Self::F16(unsafe { crate::memory::elements(t) }),
            kind => panic!("{name} is f32, bf16 or f16, not {kind:?}"),
        }
    }

    /// Bytes of one element.
    pub(crate) fn element_size(self) -> usize {
        if matches!(self, Self::F32(_)) { 4 } else { 2 }
    }

    /// Element `i`.
    #[inline(always)]
    pub(crate) fn get(self, i: usize) -> f32 {
        match self {
            Self::F32(x) => x[i],
            Self::Bf16(x) => x[i].to_f32(),
            Self::F16(x) => x[i].to_f32(),
        }
    }

    /// The values in `f32`, copied only if they are in another type.
    pub(crate) fn widen(self) -> std::borrow::Cow<'a, [f32]> {
        match self {
            Self::F32(x) => x.into(),
            Self::Bf16(x) => x.iter().map(|x| x.to_f32()).collect(),
            Self::F16(x) => x.iter().map(|x| x.to_f32()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_are_the_nearest_whole_number() {
        for i in -20_000..=20_000i16 {
            let x = f32::from(i) / 100.0;
            let nearest = x.round_ties_even().clamp(-127.0, 127.0);
            assert_eq!(I8::from_f32(x).to_f32(), nearest, "{x}");
        }
        assert_eq!(I8::from_f32(f32::NEG_INFINITY).to_f32(), -127.0);
    }

    #[test]
    fn sixteen_bit_floats_convert_as_in_libtorch() {
        let all: Vec<i16> = (0..=u16::MAX).map(|x| x as i16).collect();
        for kind in [Kind::BFloat16, Kind::Half] {
            let t = Tensor::from_slice(&all).view_dtype(kind);
            let widened = Floating::of(&t, "t").widen();
            let expected = Vec::<f32>::try_from(t.to_kind(Kind::Float)).unwrap();
            for (x, y) in widened.iter().zip(&expected) {
                assert!(
                    x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan()),
                    "{x} {y}"
                );
            }
            // around each value and halfway to the next
            let near: Vec<f32> = expected
                .windows(2)
                .filter(|w| w[0].is_finite())
                .flat_map(|w| [w[0], w[0] * 1.000_1, f32::midpoint(w[0], w[1]), w[0] * 0.999_9])
                .chain([1e-40, -1e-9, 3e38, 65519.9, 65520.0, f32::INFINITY, f32::NAN])
                .collect();
            let rounded = Tensor::from_slice(&near).to_kind(kind).to_kind(Kind::Float);
            let rounded = Vec::<f32>::try_from(rounded).unwrap();
            for (&x, y) in near.iter().zip(rounded) {
                let ours = match kind {
                    Kind::Half => F16::from_f32(x).to_f32(),
                    _ => Bf16::from_f32(x).to_f32(),
                };
                assert!(
                    ours.to_bits() == y.to_bits() || (ours.is_nan() && y.is_nan()),
                    "{x}: {ours} {y}"
                );
            }
        }
    }
}
