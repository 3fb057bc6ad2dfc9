//! The memory of CPU tensors as slices.

use std::cell::RefCell;

use tch::{Device, Kind, Tensor};

use crate::simd::Element;

/// The elements of a contiguous `f32` tensor on the CPU.
pub(crate) fn floats(t: &Tensor) -> &[f32] {
    check(t, Kind::Float);
    // SAFETY: contiguous `f32` CPU memory of `numel` elements, alive as long as `t` is borrowed.
    unsafe { std::slice::from_raw_parts(pointer(t), t.numel()) }
}

/// The elements of a contiguous `u8` tensor on the CPU.
pub(crate) fn bytes(t: &Tensor) -> &[u8] {
    check(t, Kind::Uint8);
    // SAFETY: contiguous `u8` CPU memory of `numel` elements, alive as long as `t` is borrowed.
    unsafe { std::slice::from_raw_parts(pointer(t), t.numel()) }
}

/// The elements of a contiguous tensor on the CPU.
///
/// # Safety
/// `t` is contiguous, on the CPU, and its elements have the layout of `T`.
pub(crate) unsafe fn elements<T>(t: &Tensor) -> &[T] {
    // SAFETY: the caller's promise; the memory lives as long as `t` is borrowed.
    unsafe { std::slice::from_raw_parts(pointer(t), t.numel()) }
}

/// A fresh tensor and its elements, to be written before the tensor is used.
pub(crate) struct Fresh<T> {
    tensor: Tensor,
    marker: std::marker::PhantomData<T>,
}

impl Fresh<f32> {
    pub(crate) fn floats(shape: &[i64]) -> Self {
        Self {
            tensor: Tensor::zeros(shape, (Kind::Float, Device::Cpu)),
            marker: std::marker::PhantomData,
        }
    }
}

impl Fresh<u8> {
    pub(crate) fn bytes(shape: &[i64]) -> Self {
        Self {
            tensor: Tensor::zeros(shape, (Kind::Uint8, Device::Cpu)),
            marker: std::marker::PhantomData,
        }
    }
}

impl<T: Element> Fresh<T> {
    /// A tensor on the CPU whose values are whatever was in memory: all of them are to be written.
    pub(crate) fn unset(shape: &[i64]) -> Self {
        Self {
            tensor: Tensor::empty(shape, (T::KIND, Device::Cpu)),
            marker: std::marker::PhantomData,
        }
    }
}

impl<T> Fresh<T> {
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: made contiguous, of element type `T`, on the CPU, and not shared with anyone yet.
        unsafe { std::slice::from_raw_parts_mut(pointer::<T>(&self.tensor).cast_mut(), self.tensor.numel()) }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(pointer(&self.tensor), self.tensor.numel()) }
    }

    pub(crate) fn into_tensor(self) -> Tensor {
        self.tensor
    }
}

/// As much memory as a cache line has, and where one begins.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "only its memory is used")] [f32; 16]);

/// Calls `body` with `len` values that the thread keeps from call to call, from the beginning of a cache line on.
///
/// # Panics
/// If `body` calls this function.
pub(crate) fn with_scratch<R>(len: usize, body: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
    }
    LINES.with_borrow_mut(|lines| {
        let count = len.div_ceil(size_of::<Line>() / size_of::<f32>());
        if lines.len() < count {
            lines.resize(count, Line([0.0; 16]));
        }
        // SAFETY: lines are nothing but values, and there are `len` of them (just checked).
        body(unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), len) })
    })
}

fn check(t: &Tensor, kind: Kind) {
    assert!(
        t.kind() == kind && t.device() == Device::Cpu && t.is_contiguous(),
        "a contiguous {kind:?} tensor on the CPU"
    );
}

/// The address of the first element; dangling but aligned for an empty tensor.
fn pointer<T>(t: &Tensor) -> *const T {
    if t.numel() == 0 {
        std::ptr::NonNull::dangling().as_ptr()
    } else {
        t.data_ptr().cast::<T>().cast_const()
    }
}

/// Slices of one buffer that threads fill side by side.
///
/// [`crate::parallel_for`] gives each piece of the range to one thread only, so the pieces of the
/// buffer that belong to it never overlap.
pub(crate) struct Parts<'a, T> {
    start: *mut T,
    len: usize,
    marker: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: a `Parts` only hands out disjoint slices (the contract of `part`), and `T` may cross threads.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            marker: std::marker::PhantomData,
        }
    }

    /// The elements `start..start + len`.
    ///
    /// # Safety
    /// No two parts that are alive at once may overlap.
    #[allow(clippy::mut_from_ref)] // the contract above
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &mut [T] {
        assert!(start + len <= self.len, "the part lies within the buffer");
        // SAFETY: in bounds (checked), and disjoint from every other part (the caller's promise).
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
