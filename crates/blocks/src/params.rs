//! Parameters: one constructor per model, for training and for inference.
//!
//! A model asks a [`Params`] scope for each tensor by name and shape. Behind it is either a stored
//! checkpoint, or freshly initialised variables, or trainable copies of a stored checkpoint.

mod error;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tch::{Device, Kind, Tensor};

pub use error::ParamsError;

use crate::{Init, TensorSource};

/// What a tensor is to the training loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Learned by gradient descent.
    Weight,
    /// Learned too, and looked up row by row: embeddings, which some optimisers treat in a way of their own.
    Table,
    /// Saved with the model but not learned by gradient descent, e.g. a running mean.
    Buffer,
}

impl Role {
    /// Whether gradient descent changes it.
    pub fn is_learned(self) -> bool {
        self != Role::Buffer
    }
}

/// One tensor of a model, by its full name.
#[derive(Debug)]
pub struct Param {
    /// The full name, as in the checkpoint.
    pub name: String,
    /// The tensor itself: it shares its storage with the model's.
    pub tensor: Tensor,
    /// Learned or not.
    pub role: Role,
}

/// A scope from which a model takes its parameters by name.
///
/// ```
/// use sensorium_blocks::{Init, Params};
///
/// let params = Params::fresh(42);
/// let w = (&params / "dense").weight("weight", &[10, 20], Init::Xavier)?;
/// assert!(w.requires_grad());
/// assert_eq!(params.all()[0].name, "dense.weight");
/// # Ok::<(), sensorium_blocks::ParamsError>(())
/// ```
#[derive(Clone)]
pub struct Params {
    store: Arc<Store>,
    path: String,
}

struct Store {
    source: Option<Arc<dyn TensorSource>>,
    trainable: bool,
    /// Beginnings of the names of tensors that are not learned.
    frozen: Vec<String>,
    /// Beginnings of the names of tensors that are drawn, whatever is stored.
    drawn: Vec<String>,
    seed: i64,
    device: Device,
    kind: Kind,
    given: Mutex<Vec<Param>>,
}

impl Params {
    /// Parameters as they are stored in `source`, for inference.
    pub fn stored(source: Arc<dyn TensorSource>) -> Self {
        Self::new(Some(source), false, 0)
    }

    /// Freshly initialised, trainable parameters.
    ///
    /// A tensor's values depend on `seed` and its name alone, not on the order of the requests.
    /// Drawing them seeds libtorch's global generator.
    pub fn fresh(seed: i64) -> Self {
        Self::new(None, true, seed)
    }

    /// Trainable copies of the parameters stored in `source`, to go on training them.
    pub fn trainable(source: Arc<dyn TensorSource>) -> Self {
        Self::new(Some(source), true, 0)
    }

    fn new(source: Option<Arc<dyn TensorSource>>, trainable: bool, seed: i64) -> Self {
        let store = Store {
            kind: source.as_deref().map_or(Kind::Float, main_kind),
            source,
            trainable,
            frozen: Vec::new(),
            drawn: Vec::new(),
            seed,
            device: Device::Cpu,
            given: Mutex::default(),
        };
        Self {
            store: Arc::new(store),
            path: String::new(),
        }
    }

    /// Puts the parameters on `device` (the CPU unless told).
    ///
    /// # Panics
    /// If a tensor has been given out already.
    pub fn on(self, device: Device) -> Self {
        self.with(|store| store.device = device)
    }

    /// Converts floating-point parameters to `kind`. Unless told, it is the kind that most stored values have (but
    /// never `f64`), and `f32` for fresh ones: a model computes in one kind, however mixed its checkpoint.
    ///
    /// # Panics
    /// If a tensor has been given out already.
    pub fn of_kind(self, kind: Kind) -> Self {
        self.with(|store| store.kind = kind)
    }

    /// Tensors whose names begin with `prefix` are saved with the model but not learned.
    ///
    /// # Panics
    /// If a tensor has been given out already.
    pub fn freezing(self, prefix: &str) -> Self {
        self.with(|store| store.frozen.push(prefix.to_string()))
    }

    /// Tensors whose names begin with `prefix` are freshly initialised, as [`fresh`](Self::fresh) ones are by `seed`,
    /// whether they are stored or not: a head for other classes.
    ///
    /// # Panics
    /// If a tensor has been given out already.
    pub fn drawing(self, prefix: &str, seed: i64) -> Self {
        self.with(|store| {
            store.drawn.push(prefix.to_string());
            store.seed = seed;
        })
    }

    fn with(mut self, change: impl FnOnce(&mut Store)) -> Self {
        let store = Arc::get_mut(&mut self.store).expect("set device and kind before building a model");
        change(store);
        self
    }

    /// The scope `name` within this one; `&params / "name"` does the same.
    pub fn sub(&self, name: &str) -> Self {
        Self {
            store: Arc::clone(&self.store),
            path: self.full(name),
        }
    }

    /// The device that the parameters are on.
    pub fn device(&self) -> Device {
        self.store.device
    }

    /// The learned tensor `name` of `shape`; `init` fills it where nothing is stored.
    ///
    /// # Errors
    /// If the checkpoint lacks it, has it with another shape, or has no floating-point numbers.
    pub fn weight(&self, name: &str, shape: &[i64], init: Init) -> Result<Tensor, ParamsError> {
        self.get(name, shape, init, Role::Weight)
    }

    /// As [`weight`](Self::weight), for a tensor `[entries, size]` whose rows are looked up.
    ///
    /// # Errors
    /// As for a weight.
    pub fn table(&self, name: &str, shape: &[i64], init: Init) -> Result<Tensor, ParamsError> {
        self.get(name, shape, init, Role::Table)
    }

    /// The tensor `name` of `shape` that is saved with the model but not learned.
    ///
    /// # Errors
    /// If the checkpoint lacks it or has it with another shape.
    pub fn buffer(&self, name: &str, shape: &[i64], init: Init) -> Result<Tensor, ParamsError> {
        self.get(name, shape, init, Role::Buffer)
    }

    /// Whether the checkpoint has the tensor `name`, or it is drawn; `None` if there is no checkpoint.
    pub fn has(&self, name: &str) -> Option<bool> {
        let source = self.store.source.as_ref()?;
        let name = self.full(name);
        Some(self.store.draws(&name) || source.shape(&name).is_some())
    }

    /// Every tensor given out so far, in that order, sharing storage with the model's.
    pub fn all(&self) -> Vec<Param> {
        let share = |p: &Param| Param {
            name: p.name.clone(),
            tensor: p.tensor.shallow_clone(),
            role: p.role,
        };
        self.store.given().iter().map(share).collect()
    }

    /// The number of elements of the learned tensors given out so far.
    pub fn count(&self) -> usize {
        let given = self.store.given();
        given
            .iter()
            .filter(|p| p.role.is_learned())
            .map(|p| p.tensor.numel())
            .sum()
    }

    /// Checks that nothing stored was left unused, once the model is built.
    ///
    /// # Errors
    /// [`ParamsError::Surplus`] with the names that the model did not ask for.
    pub fn check_all_used(&self) -> Result<(), ParamsError> {
        self.check_all_used_but(|_| false)
    }

    /// The same, but tensors whose name is `harmless` may be left: buffers that a model recomputes.
    ///
    /// # Errors
    /// [`ParamsError::Surplus`] with the names that the model did not ask for.
    pub fn check_all_used_but(&self, harmless: impl Fn(&str) -> bool) -> Result<(), ParamsError> {
        let Some(source) = &self.store.source else {
            return Ok(());
        };
        let given = self.store.given();
        let used: BTreeSet<&str> = given.iter().map(|p| p.name.as_str()).collect();
        let names: Vec<String> = source
            .names()
            .into_iter()
            .filter(|n| !used.contains(n) && !harmless(n))
            .map(String::from)
            .collect();
        if names.is_empty() {
            Ok(())
        } else {
            Err(ParamsError::Surplus {
                names,
                origin: source.origin(),
            })
        }
    }

    fn full(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    fn get(&self, name: &str, shape: &[i64], init: Init, role: Role) -> Result<Tensor, ParamsError> {
        let name = self.full(name);
        let store = &*self.store;
        let tensor = match &store.source {
            Some(source) if !store.draws(&name) => store.read(source.as_ref(), &name, shape, role)?,
            _ => {
                let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
                tch::manual_seed(seed_of(store.seed, &name));
                init.tensor(shape, store.kind, store.device)
            }
        };
        let frozen = store.frozen.iter().any(|prefix| name.starts_with(prefix));
        let role = if frozen { Role::Buffer } else { role };
        let tensor = tensor.set_requires_grad(store.trainable && role.is_learned());
        store.given().push(Param {
            name,
            tensor: tensor.shallow_clone(),
            role,
        });
        Ok(tensor)
    }
}

/// libtorch's generator is one for all threads: whoever seeds it draws before another one does.
static GENERATOR: Mutex<()> = Mutex::new(());

impl Store {
    fn given(&self) -> MutexGuard<'_, Vec<Param>> {
        // A push is whole or not there.
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draws(&self, name: &str) -> bool {
        self.drawn.iter().any(|prefix| name.starts_with(prefix))
    }

    fn read(
        &self,
        source: &dyn TensorSource,
        name: &str,
        shape: &[i64],
        role: Role,
    ) -> Result<Tensor, ParamsError> {
        let missing = || ParamsError::Missing {
            name: name.to_string(),
            shape: shape.to_vec(),
            origin: source.origin(),
        };
        let found = source.shape(name).ok_or_else(missing)?;
        if found != shape {
            return Err(ParamsError::Shape {
                name: name.to_string(),
                expected: shape.to_vec(),
                found,
                origin: source.origin(),
            });
        }
        let stored = source.tensor(name).ok_or_else(missing)?;
        let kind = match role {
            _ if stored.is_floating_point() => self.kind,
            Role::Buffer => stored.kind(), // a count, an index
            Role::Weight | Role::Table => {
                return Err(ParamsError::Kind {
                    name: name.to_string(),
                    found: stored.kind(),
                    origin: source.origin(),
                });
            }
        };
        // A variable must own its memory: training writes to it.
        Ok(stored.to_device_(self.device, kind, false, self.trainable))
    }
}

impl std::ops::Div<&str> for &Params {
    type Output = Params;

    fn div(self, name: &str) -> Params {
        self.sub(name)
    }
}

/// The floating-point kind that most values of `source` have; `f32` for `f64` and where there is none.
fn main_kind(source: &dyn TensorSource) -> Kind {
    let mut counts = [(Kind::Float, 0), (Kind::Half, 0), (Kind::BFloat16, 0)];
    for tensor in source.names().into_iter().filter_map(|name| source.tensor(name)) {
        let kind = tensor.kind();
        for (known, count) in &mut counts {
            *count += if kind == *known { tensor.numel() } else { 0 };
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let main = counts.iter().find(|(_, count)| *count == most);
    main.map_or(Kind::Float, |(kind, _)| *kind)
}

/// A seed for each name: the FNV-1a hash of the name, mixed with `seed`.
fn seed_of(seed: i64, name: &str) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash >> 1) as i64
}

#[cfg(test)]
mod tests;
