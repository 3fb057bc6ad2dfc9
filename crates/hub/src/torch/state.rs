//! What the pickle of a state dict says: tensors as views of storages.

use tch::Kind;

use super::TorchProblem;
use super::nodes::{Node, Pickle, Value};

/// A tensor's place in a storage; sizes and offsets in elements.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub name: String,
    pub storage: Storage,
    pub kind: Kind,
    pub offset: i64,
    pub shape: Vec<i64>,
    pub strides: Vec<i64>,
}

/// A run of numbers of one type, under a key.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    pub key: String,
    /// Where it is a part of another storage (old files): the place of its first element.
    pub first: i64,
}

/// `torch.*Storage` and `torch.*` of each type that can be read.
const TYPES: &[(&str, &str, Kind)] = &[
    ("torch.FloatStorage", "torch.float32", Kind::Float),
    ("torch.HalfStorage", "torch.float16", Kind::Half),
    ("torch.BFloat16Storage", "torch.bfloat16", Kind::BFloat16),
    ("torch.DoubleStorage", "torch.float64", Kind::Double),
    ("torch.LongStorage", "torch.int64", Kind::Int64),
    ("torch.IntStorage", "torch.int32", Kind::Int),
    ("torch.ShortStorage", "torch.int16", Kind::Int16),
    ("torch.CharStorage", "torch.int8", Kind::Int8),
    ("torch.ByteStorage", "torch.uint8", Kind::Uint8),
    ("torch.BoolStorage", "torch.bool", Kind::Bool),
];

/// Whether `torch.NAME` is a type of numbers, readable here or not.
pub(super) fn is_dtype(name: &str) -> bool {
    const BEGINNINGS: &[&str] = &[
        "float", "bfloat", "half", "double", "int", "uint", "long", "bool", "complex",
    ];
    BEGINNINGS.iter().any(|b| {
        name.strip_prefix(b)
            .is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_'))
    })
}

/// Calls within calls that are followed: a parameter of a subclass of a tensor.
const MAX_NESTING: usize = 8;

/// The tensors of a state dict.
///
/// A table that holds no tensors itself but another one as `state_dict` or `model` gives those of that.
///
/// # Errors
/// If there is no such table, or a tensor makes no sense.
pub(super) fn tensors(pickle: &Pickle) -> Result<Vec<Tensor>, TorchProblem> {
    let root = pickle.dict(pickle.root).ok_or(TorchProblem::NoTensors)?;
    let tensors = tensors_of(pickle, root)?;
    if !tensors.is_empty() || root.is_empty() {
        return Ok(tensors);
    }
    for wanted in ["state_dict", "model_state_dict", "model"] {
        let entry = root.iter().find(|(key, _)| pickle.str(*key) == Some(wanted));
        if let Some(inner) = entry.and_then(|(_, value)| pickle.dict(*value)) {
            let tensors = tensors_of(pickle, inner)?;
            if !tensors.is_empty() {
                return Ok(tensors);
            }
        }
    }
    Err(TorchProblem::NoTensors)
}

fn tensors_of(pickle: &Pickle, table: &[(Value, Value)]) -> Result<Vec<Tensor>, TorchProblem> {
    let mut tensors = Vec::new();
    for (key, value) in table {
        // What is not a tensor under a name (a version, a list of settings) is no part of the weights.
        if let (Some(name), Some(Node::Call(function, arguments))) = (pickle.str(*key), pickle.node(*value))
            && let Some(tensor) = rebuild(pickle, name, *function, *arguments, 0)?
        {
            tensors.push(tensor);
        }
    }
    Ok(tensors)
}

/// The tensor that a call makes; nothing if it makes something else.
fn rebuild(
    pickle: &Pickle,
    name: &str,
    function: usize,
    arguments: Value,
    depth: usize,
) -> Result<Option<Tensor>, TorchProblem> {
    let wrong = |problem| TorchProblem::Tensor {
        tensor: name.to_string(),
        problem,
    };
    if depth > MAX_NESTING {
        return Err(wrong("it is wrapped too often"));
    }
    let arguments = pickle.list(arguments).unwrap_or_default();
    let function = pickle.global(Value::Node(function)).unwrap_or_default();
    let inner = |value: Option<&Value>| match value.and_then(|v| pickle.node(*v)) {
        Some(Node::Call(function, arguments)) => Some((*function, *arguments)),
        _ => None,
    };
    match function {
        "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
            let (function, arguments) =
                inner(arguments.first()).ok_or_else(|| wrong("it is no parameter"))?;
            rebuild(pickle, name, function, arguments, depth + 1)
        }
        // (function, class, arguments, attributes)
        "torch._tensor._rebuild_from_type_v2" => match arguments {
            [Value::Node(function), _, arguments, _] => {
                rebuild(pickle, name, *function, *arguments, depth + 1)
            }
            _ => Err(wrong("it is no tensor")),
        },
        // (storage, offset, size, strides, ...); the third version has its type as the seventh
        "torch._utils._rebuild_tensor"
        | "torch._utils._rebuild_tensor_v2"
        | "torch._utils._rebuild_tensor_v3" => {
            let [storage, Value::Int(offset), size, strides, rest @ ..] = arguments else {
                return Err(wrong("its description is damaged"));
            };
            let ints = |value| ints(pickle, value).ok_or_else(|| wrong("its shape is damaged"));
            let (storage, of_storage) =
                storage_of(pickle, *storage).ok_or_else(|| wrong("it has no storage"))?;
            let dtype = match function.ends_with("v3") {
                true => rest.get(2).and_then(|v| pickle.global(*v)).unwrap_or(of_storage),
                false => of_storage,
            };
            let kind = kind_of(dtype).ok_or_else(|| TorchProblem::Dtype {
                tensor: name.to_string(),
                dtype: dtype.to_string(),
            })?;
            Ok(Some(Tensor {
                name: name.to_string(),
                storage,
                kind,
                offset: *offset,
                shape: ints(*size)?,
                strides: ints(*strides)?,
            }))
        }
        _ => Ok(None),
    }
}

/// `("storage", type, key, device, length, [view])`, with the name of its type.
fn storage_of(pickle: &Pickle, value: Value) -> Option<(Storage, &str)> {
    let Node::Persistent(id) = pickle.node(value)? else {
        return None;
    };
    let id = pickle.list(*id)?;
    if pickle.str(*id.first()?)? != "storage" {
        return None;
    }
    let dtype = pickle.global(*id.get(1)?)?;
    let key = pickle.str(*id.get(2)?)?.to_string();
    // (key of the view, first element, length)
    let first = match id.get(5).and_then(|view| pickle.list(*view)) {
        Some([_, Value::Int(first), _]) => *first,
        Some(_) => return None,
        None => 0,
    };
    Some((Storage { key, first }, dtype))
}

fn ints(pickle: &Pickle, value: Value) -> Option<Vec<i64>> {
    // `torch.Size((2, 3))` is a call with the tuple in a tuple.
    let value = match pickle.node(value)? {
        Node::Call(_, arguments) => *pickle.list(*arguments)?.first()?,
        _ => value,
    };
    let int = |value: &Value| match value {
        Value::Int(int) => Some(*int),
        _ => None,
    };
    pickle.list(value)?.iter().map(int).collect()
}

fn kind_of(name: &str) -> Option<Kind> {
    TYPES
        .iter()
        .find(|(storage, dtype, _)| [storage, dtype].contains(&&name))
        .map(|(_, _, kind)| *kind)
}

/// The type that a storage's name stands for, to know its length in bytes.
pub(super) fn storages(pickle: &Pickle) -> impl Iterator<Item = (&str, Option<Kind>)> {
    pickle.nodes.iter().filter_map(|node| {
        let Node::Persistent(id) = node else {
            return None;
        };
        let id = pickle.list(*id)?;
        Some((pickle.str(*id.get(2)?)?, kind_of(pickle.global(*id.get(1)?)?)))
    })
}
