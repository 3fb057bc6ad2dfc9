//! What the libraries below keep in memory when a tensor is gone.

/// Keeps freed memory in the process for the next tensor, instead of giving it back to the system.
///
/// By default glibc gives each block beyond some size back when it is freed, and the system clears and maps its
/// pages anew for the next one; a training that makes and drops activations of megabytes spends a fifth of its
/// time so. A program of its own calls this once, before the first tensor; a library leaves the choice to its
/// program. Does nothing where the C library is another one.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Of `malloc.h`: free memory at the heap's end that is not given back, in bytes.
        const M_TRIM_THRESHOLD: i32 = -1;
        /// Of `malloc.h`: the size from which a block is mapped on its own, in bytes.
        const M_MMAP_THRESHOLD: i32 = -3;
        // SAFETY: declared as in `malloc.h`.
        unsafe extern "C" {
            fn mallopt(parameter: i32, value: i32) -> i32;
        }
        // SAFETY: mallopt takes its own lock, and refuses values that it does not take.
        unsafe {
            mallopt(M_MMAP_THRESHOLD, 1 << 30);
            mallopt(M_TRIM_THRESHOLD, i32::MAX);
        }
    }
}

/// Keeps at most this many of oneDNN's compiled shapes, unless the environment already says how many.
///
/// oneDNN compiles a convolution anew for each length that it meets and keeps the last 1,024 of them, up to
/// hundreds of megabytes where every input has a length of its own, as sentences have. A program whose lengths
/// seldom come back calls this once, before the first tensor and before its first thread.
pub fn keep_compiled_shapes(most: usize) {
    const CAPACITY: &str = "ONEDNN_PRIMITIVE_CACHE_CAPACITY";
    if std::env::var_os(CAPACITY).is_none() && std::env::var_os("DNNL_PRIMITIVE_CACHE_CAPACITY").is_none() {
        // SAFETY: by this function's contract no other thread of the program runs yet that could read the
        // environment meanwhile.
        unsafe { std::env::set_var(CAPACITY, most.to_string()) };
    }
}
