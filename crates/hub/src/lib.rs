//! From a name to files: model folders, shipped models, the cache, the Hugging Face hub, data sets.
//!
//! [`Hub::resolve`] turns what a user wrote (`./my-model`, `mnist-cnn`, `acme/tiny`) into a
//! [`Model`], whose `config.json` and weights can then be read. Weights are safetensors or what
//! PyTorch saves, mapped into memory. [`datasets`] does the same for training data.
//!
//! **Invariant:** no tensor maths here, nothing is printed, and no network is used when the files
//! are on this machine.
//!
//! ```no_run
//! use sensorium_hub::{Hub, HubOptions};
//!
//! let hub = Hub::new(HubOptions::default())?;
//! let model = hub.resolve("mnist-cnn")?;
//! println!("{} tensors", model.weights()?.names().len());
//! # Ok::<(), sensorium_hub::Error>(())
//! ```

pub mod atomic;
mod cache;
pub mod datasets;
mod error;
mod fetch;
mod hub;
mod mapped;
mod model;
pub mod paths;
mod progress;
mod pull;
mod safetensors;
mod shards;
pub mod shipped;
mod sniff;
mod torch;

pub use cache::CachedModel;
pub use error::{Error, Result, SafetensorsProblem, SaveProblem, did_you_mean, near_names};
pub use hub::{Hub, HubOptions};
pub use model::{Location, Model};
pub use progress::{NoProgress, Progress};
pub use safetensors::{SafetensorsFile, save_safetensors};
pub use shards::{Sharded, ShardedSafetensors, ShardedTorch};
pub use sniff::{Sniffed, image_format_name, sniff};
pub use torch::{TorchFile, TorchProblem};
