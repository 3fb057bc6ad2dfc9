//! What a pickle says, as a list of nodes that refer to each other.

/// What a pickle says, as a list of nodes that refer to each other.
#[derive(Debug, Default)]
pub(super) struct Pickle {
    pub nodes: Vec<Node>,
    /// The value that the pickle stands for.
    pub root: Value,
    /// The pickle's length in bytes: more may follow.
    pub len: usize,
}

/// A plain value, or the place of a node.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) enum Value {
    #[default]
    None,
    Bool(bool),
    Int(i64),
    /// Of no interest: a float, a large number, bytes.
    Opaque,
    Node(usize),
}

#[derive(Debug)]
pub(super) enum Node {
    Str(String),
    /// A tuple, list or set.
    List(Vec<Value>),
    /// A dict, or an `OrderedDict`.
    Dict(Vec<(Value, Value)>),
    /// A function or class: `torch._utils._rebuild_tensor_v2`.
    Global(String),
    /// A function called with a tuple.
    Call(usize, Value),
    /// Something outside of the pickle: a storage.
    Persistent(Value),
}

impl Pickle {
    /// The node that a value refers to.
    pub fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(at) => self.nodes.get(at),
            _ => None,
        }
    }

    /// A value as text.
    pub fn str(&self, value: Value) -> Option<&str> {
        match self.node(value)? {
            Node::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A value as a tuple or list.
    pub fn list(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// A value as a table.
    pub fn dict(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.node(value)? {
            Node::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    /// A value as the name of a function or class.
    pub fn global(&self, value: Value) -> Option<&str> {
        match self.node(value)? {
            Node::Global(name) => Some(name),
            _ => None,
        }
    }
}
