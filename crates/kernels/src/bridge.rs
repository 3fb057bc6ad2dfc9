//! Safe faces of the C++ bridge (`cpp/bridge.cpp`).

use std::ffi::c_void;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tch::Tensor;
use torch_sys::C_tensor;

type RawBackward = extern "C" fn(*mut c_void, *const C_tensor, *mut *mut C_tensor) -> bool;

unsafe extern "C" {
    fn sensorium_set_backward(
        output: *mut C_tensor,
        inputs: *const *const C_tensor,
        count: usize,
        closure: *mut c_void,
        backward: RawBackward,
        drop: extern "C" fn(*mut c_void),
    );
    fn sensorium_grad_enabled() -> bool;
    fn sensorium_set_loop_threads(threads: i32) -> i32;
    fn sensorium_parallel_for(
        n: i64,
        grain: i64,
        body: extern "C" fn(*mut c_void, i64, i64),
        context: *mut c_void,
    );
}

type Backward = Box<dyn Fn(&Tensor) -> Vec<Option<Tensor>> + Send>;

/// What the node owns: the closure and how many gradients it gives.
struct Closure {
    backward: Backward,
    inputs: usize,
}

/// Gives `output` a backward pass written in Rust.
///
/// `output` was computed without autograd. From now on its gradient is passed to `backward`, which
/// returns one gradient (or `None`) for each of `inputs`, in order and of the same shape.
///
/// # Panics
/// If `backward` returns another number of gradients than there are inputs, the backward pass fails.
pub fn with_backward(
    output: Tensor,
    inputs: &[&Tensor],
    backward: impl Fn(&Tensor) -> Vec<Option<Tensor>> + Send + 'static,
) -> Tensor {
    let closure = Box::new(Closure {
        backward: Box::new(backward),
        inputs: inputs.len(),
    });
    let mut output = output.detach();
    let raw: Vec<*const C_tensor> = inputs.iter().map(|t| t.as_ptr()).collect();
    // SAFETY: all pointers are live tensors; the node takes the closure and frees it with `drop_closure`.
    unsafe {
        sensorium_set_backward(
            output.as_mut_ptr(),
            raw.as_ptr(),
            raw.len(),
            Box::into_raw(closure).cast(),
            call_backward,
            drop_closure,
        );
    }
    output
}

extern "C" fn call_backward(closure: *mut c_void, grad: *const C_tensor, out: *mut *mut C_tensor) -> bool {
    // SAFETY: `closure` came from `Box::into_raw` and lives as long as the node that calls this.
    let closure = unsafe { &*closure.cast::<Closure>() };
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `grad` is a live tensor; the clone has its own reference.
        let grad = unsafe { Tensor::clone_from_ptr(grad.cast_mut()) };
        tch::no_grad(|| (closure.backward)(&grad))
    }));
    let Ok(grads) = result else { return false };
    if grads.len() != closure.inputs {
        return false;
    }
    for (i, grad) in grads.into_iter().enumerate() {
        let Some(mut grad) = grad else { continue };
        // SAFETY: `out` has room for `inputs` pointers; the caller takes the reference and deletes it,
        // so ours must not be dropped.
        unsafe { *out.add(i) = grad.as_mut_ptr() };
        std::mem::forget(grad);
    }
    true
}

extern "C" fn drop_closure(closure: *mut c_void) {
    // SAFETY: called once, by the destructor of the node that owns the closure.
    drop(unsafe { Box::from_raw(closure.cast::<Closure>()) });
}

/// Whether autograd records operations on this thread.
pub fn grad_enabled() -> bool {
    // SAFETY: reads a thread-local flag.
    unsafe { sensorium_grad_enabled() }
}

/// Calls `body` while libtorch's operations on the calling thread use that thread alone: for many that are so small that
/// waiting for others, which may have no core, takes longer than the work.
pub fn on_one_thread<T>(body: impl FnOnce() -> T) -> T {
    struct Before(i32);
    impl Drop for Before {
        fn drop(&mut self) {
            // SAFETY: sets a number of the calling thread.
            unsafe { sensorium_set_loop_threads(self.0) };
        }
    }
    // SAFETY: as above.
    let _before = Before(unsafe { sensorium_set_loop_threads(1) });
    body()
}

/// Calls `body` on pieces of `0..n` of at least `grain`, on libtorch's own threads.
///
/// libtorch's pool is used so that no second pool competes with it for the cores.
///
/// # Panics
/// If `body` panics, on the calling thread, once all pieces are done.
pub fn parallel_for(n: usize, grain: usize, body: impl Fn(Range<usize>) + Sync) {
    struct Context<'a> {
        body: &'a (dyn Fn(Range<usize>) + Sync),
        panicked: std::sync::atomic::AtomicBool,
    }
    extern "C" fn call(context: *mut c_void, begin: i64, end: i64) {
        // SAFETY: `context` outlives the loop, and is shared, never written but for the atomic.
        let context = unsafe { &*context.cast::<Context<'_>>() };
        let run = AssertUnwindSafe(|| (context.body)(begin as usize..end as usize));
        if catch_unwind(run).is_err() {
            context.panicked.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let context = Context {
        body: &body,
        panicked: false.into(),
    };
    // SAFETY: the loop has ended when the call returns, so `context` outlives every use.
    unsafe {
        sensorium_parallel_for(
            n as i64,
            grain.max(1) as i64,
            call,
            (&raw const context).cast_mut().cast(),
        );
    }
    assert!(!context.panicked.into_inner(), "a parallel loop's body panicked");
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn a_rust_backward_pass_joins_the_graph() {
        let options = (Kind::Float, Device::Cpu);
        let x = Tensor::full([3], 2.0, options).set_requires_grad(true);
        let y = tch::no_grad(|| &x * &x * &x);
        let saved = x.detach();
        let y = with_backward(y, &[&x], move |grad| vec![Some(grad * &saved * &saved * 3.0)]);
        (y * 10.0).sum(Kind::Float).backward();
        assert_eq!(Vec::<f32>::try_from(x.grad()).unwrap(), [120.0; 3]);
    }

    #[test]
    fn a_panic_in_a_backward_pass_is_an_error() {
        let x = Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let y = with_backward(tch::no_grad(|| &x * 2.0), &[&x], |_| panic!("on purpose"));
        assert!(y.f_backward().is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn one_thread_is_the_calling_one_and_others_come_back() {
        tch::set_num_threads(3);
        assert_eq!(on_one_thread(tch::get_num_threads), 1);
        let panicked = catch_unwind(|| on_one_thread(|| panic!("on purpose")));
        assert!(panicked.is_err());
        assert_eq!(tch::get_num_threads(), 3);
    }

    #[test]
    fn the_loop_visits_everything_once() {
        let visits: Vec<AtomicUsize> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
        parallel_for(1000, 7, |range| {
            for visit in &visits[range] {
                visit.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(visits.iter().all(|v| v.load(Ordering::Relaxed) == 1));
    }
}
