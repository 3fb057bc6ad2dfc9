//! Caches `[rows, heads, positions, head_dim]` that may be views of something larger.

use std::marker::PhantomData;

use tch::{Device, Tensor};

use crate::simd::Element;

/// A rank 4 tensor whose last dimension is contiguous.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a, T> {
    start: *const T,
    shape: [usize; 4],
    strides: [usize; 3],
    tensor: PhantomData<&'a [T]>,
}

// SAFETY: it is read only.
unsafe impl<T: Sync> Sync for Strided<'_, T> {}

impl<'a, T: Element> Strided<'a, T> {
    /// # Panics
    /// If `t` is not such a tensor of `T` on the CPU; `name` is what the message calls it.
    pub(crate) fn of(t: &'a Tensor, name: &str) -> Self {
        assert!(
            t.kind() == T::KIND && t.device() == Device::Cpu,
            "{name} is f32, bf16 or f16 and on the CPU"
        );
        let shape: [i64; 4] = t.size().try_into().expect("a tensor of rank 4");
        let strides: [i64; 4] = t.stride().try_into().expect("a tensor of rank 4");
        assert!(
            strides[3] == 1 || shape[3] <= 1,
            "the elements of a position of {name} are neighbours"
        );
        Self {
            start: t.data_ptr().cast_const().cast(),
            shape: shape.map(|n| n as usize),
            strides: [0, 1, 2].map(|i| strides[i] as usize),
            tensor: PhantomData,
        }
    }

    /// The positions `from..from + count` of one head.
    pub(crate) fn positions(&self, row: usize, head: usize, from: usize, count: usize) -> Positions<'a, T> {
        let [rows, heads, positions, head_dim] = self.shape;
        assert!(
            row < rows && head < heads && from + count <= positions,
            "within the tensor"
        );
        let offset = row * self.strides[0] + head * self.strides[1] + from * self.strides[2];
        Positions {
            start: self.start.wrapping_add(offset),
            count,
            stride: self.strides[2],
            head_dim,
            tensor: PhantomData,
        }
    }
}

/// Neighbouring positions of one head: `[count, head_dim]`.
#[derive(Clone, Copy)]
pub(crate) struct Positions<'a, T> {
    start: *const T,
    count: usize,
    stride: usize,
    head_dim: usize,
    tensor: PhantomData<&'a [T]>,
}

impl<'a, T: Copy> Positions<'a, T> {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// All of them: `head_dim` elements each.
    #[inline(always)]
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [T]> {
        (0..self.count).map(move |i| self.at(i))
    }

    /// Where position `i` begins, or would begin; not to be read.
    #[inline(always)]
    pub(crate) fn ahead(&self, i: usize) -> *const T {
        self.start.wrapping_add(i * self.stride)
    }

    /// Position `i`: `head_dim` elements.
    #[inline(always)]
    pub(crate) fn at(&self, i: usize) -> &'a [T] {
        assert!(i < self.count);
        if self.head_dim == 0 {
            return &[];
        }
        // SAFETY: a position of the tensor, whose elements are neighbours (checked in `of`) and alive for `'a`.
        unsafe { std::slice::from_raw_parts(self.start.add(i * self.stride), self.head_dim) }
    }
}
