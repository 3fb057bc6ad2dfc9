//! What can be wrong with PyTorch's files.

/// What is wrong with a PyTorch checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchProblem {
    /// No bytes at all.
    #[error("it is empty")]
    Empty,
    /// Git left a pointer where the weights should be.
    #[error("it is a Git LFS pointer, not the weights; run `git lfs pull` where it came from")]
    LfsPointer,
    /// It begins like nothing that PyTorch writes.
    #[error("it is another format")]
    Format,
    /// A program in TorchScript, not weights.
    #[error(
        "it is a TorchScript program; save its weights in Python with `torch.save(torch.jit.load(path).state_dict(), ...)`"
    )]
    TorchScript,
    /// The archive's parts are not where it says.
    #[error("it is cut short or damaged ({0}); copy or pull it again")]
    Archive(&'static str),
    /// A part of the archive is compressed, so it was not PyTorch that wrote it.
    #[error("`{part}` in it is compressed, which PyTorch does not do; save it again with `torch.save`")]
    Compressed {
        /// The part.
        part: String,
    },
    /// The numbers are in the other byte order.
    #[error("its numbers are big-endian; save it again on a little-endian machine")]
    BigEndian,
    /// The pickle uses something that does not belong in weights.
    #[error(
        "it refers to `{name}`, which is no part of weights; save it again in Python with \
         `torch.save(model.state_dict(), ...)` or as safetensors"
    )]
    Forbidden {
        /// A Python function or class.
        name: String,
    },
    /// The pickle is damaged, or is of a kind that PyTorch does not write.
    #[error("its list of tensors is damaged, at byte {at} of it: {problem}")]
    Pickle {
        /// Where in the pickle, in bytes.
        at: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// There is no table of tensors in it.
    #[error("it holds no table of tensors, as `model.state_dict()` gives")]
    NoTensors,
    /// A tensor does not lie within the bytes that it says it lies in.
    #[error("tensor `{tensor}`: {problem}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A tensor is of a type that cannot be had here.
    #[error("tensor `{tensor}` is stored as {dtype}, which cannot be read here")]
    Dtype {
        /// The tensor.
        tensor: String,
        /// The type, in PyTorch's terms.
        dtype: String,
    },
}
