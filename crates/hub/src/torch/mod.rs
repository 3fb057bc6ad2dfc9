//! Checkpoints that PyTorch has written: `pytorch_model.bin`.
//!
//! Such a file is a zip archive of a pickle, which describes the tensors, and of their bytes, stored
//! plainly. A pickle is a program, and Python runs whatever it says. Here it is only read: what a state
//! dict is made of is understood, and everything else is refused.
//!
//! Files of PyTorch before 1.6 are pickles followed by the bytes, and are read, too.
//!
//! Reference: `torch/serialization.py` and `torch/_utils.py` of PyTorch 2.11.

mod file;
mod legacy;
mod nodes;
mod pickle;
mod problem;
mod state;
mod zip;

pub use file::TorchFile;
pub use problem::TorchProblem;
