//! Where stored tensors come from.

use std::collections::BTreeMap;

use tch::Tensor;

/// A named collection of stored tensors: a checkpoint file, an embedded model, a map in memory.
///
/// `blocks` reads no files itself: the `hub` crate implements this for memory-mapped safetensors.
pub trait TensorSource: Send + Sync {
    /// Every stored name, sorted.
    fn names(&self) -> Vec<&str>;

    /// The stored shape of `name`, if there is such a tensor.
    fn shape(&self, name: &str) -> Option<Vec<i64>>;

    /// The tensor `name` on the CPU, in the stored dtype and without a copy where that can be.
    ///
    /// The result may alias memory that others read: it must not be written in place.
    fn tensor(&self, name: &str) -> Option<Tensor>;

    /// What to call this source in a message, e.g. its file path.
    fn origin(&self) -> String;
}

/// Tensors held in memory, by name.
///
/// ```
/// use sensorium_blocks::{MemorySource, TensorSource};
/// use tch::{Kind, Device, Tensor};
///
/// let source = MemorySource::new([("w".to_string(), Tensor::ones([2, 3], (Kind::Float, Device::Cpu)))]);
/// assert_eq!(source.shape("w"), Some(vec![2, 3]));
/// ```
pub struct MemorySource {
    // `Tensor` is `Send` but not `Sync`; the lock makes the collection shareable.
    tensors: std::sync::Mutex<BTreeMap<String, Tensor>>,
    shapes: BTreeMap<String, Vec<i64>>,
}

impl MemorySource {
    /// Collects `tensors`; a later one of the same name replaces an earlier one.
    pub fn new(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        let tensors: BTreeMap<_, _> = tensors.into_iter().collect();
        let shapes = tensors.iter().map(|(n, t)| (n.clone(), t.size())).collect();
        Self {
            tensors: std::sync::Mutex::new(tensors),
            shapes,
        }
    }
}

impl TensorSource for MemorySource {
    fn names(&self) -> Vec<&str> {
        self.shapes.keys().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<i64>> {
        self.shapes.get(name).cloned()
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        let tensors = match self.tensors.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(), // reads only: nothing can be half-written
        };
        tensors.get(name).map(Tensor::shallow_clone)
    }

    fn origin(&self) -> String {
        "memory".to_string()
    }
}
