//! A reader for the pickles of state dicts.
//!
//! It keeps what the pickle describes in a flat list of nodes; nothing is executed. The calls that the
//! pickle asks for are written down as nodes for `state` to understand, if their name is allowed.
//! Memory is bounded by the pickle's length, and nothing here recurses.

use std::collections::HashMap;

use super::TorchProblem;
use super::nodes::{Node, Pickle, Value};

/// The longest pickle that is read: that of a state dict has some hundred bytes for each tensor.
const MAX_LEN: usize = 64 << 20;

/// What may be named in a pickle. None of it is run.
fn is_allowed(name: &str) -> bool {
    const NAMES: &[&str] = &[
        ORDERED_DICT,
        "builtins.set",
        "__builtin__.set",
        "torch.Size",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._tensor._rebuild_from_type_v2",
        "torch.Tensor",
        "torch._tensor.Tensor",
        "torch.nn.parameter.Parameter",
        "torch.storage.UntypedStorage",
        "torch.storage.TypedStorage",
    ];
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // `torch.FloatStorage`, `torch.bfloat16`: a type, whether it is known or not.
    let is_type = name
        .strip_prefix("torch.")
        .is_some_and(|name| plain(name) && (name.ends_with("Storage") || super::state::is_dtype(name)));
    NAMES.contains(&name) || is_type
}

const ORDERED_DICT: &str = "collections.OrderedDict";

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    nodes: Vec<Node>,
}

type Step<T = ()> = Result<T, TorchProblem>;

/// Reads the pickle at the beginning of `bytes`.
///
/// # Errors
/// If it is cut short, damaged, or refers to what does not belong in weights.
pub(super) fn read(bytes: &[u8]) -> Step<Pickle> {
    let mut machine = Machine {
        bytes: &bytes[..bytes.len().min(MAX_LEN)],
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        nodes: Vec::new(),
    };
    let root = machine.run()?;
    Ok(Pickle {
        nodes: machine.nodes,
        root,
        len: machine.at,
    })
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Step<Value> {
        loop {
            match self.byte()? {
                b'.' => return self.pop(),
                op => self.step(op)?,
            }
        }
    }

    fn step(&mut self, op: u8) -> Step {
        match op {
            0x80 => self.version()?,
            0x95 => drop(self.take(8)?), // the length of a frame
            // Values.
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            b'J' => {
                let four = self.number(4)? as u32;
                self.stack.push(Value::Int(i64::from(four as i32)));
            }
            0x8a => {
                let len = self.number(1)?;
                self.long(len)?;
            }
            0x8b => {
                let len = self.number(4)?;
                self.long(len)?;
            }
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Opaque);
            }
            b'X' => self.text(4)?,
            0x8c => self.text(1)?,
            0x8d => self.text(8)?,
            b'B' => self.blob(4)?,
            b'C' => self.blob(1)?,
            0x8e => self.blob(8)?,
            // Containers.
            b'(' => self.marks.push(self.stack.len()),
            b')' | b']' | 0x8f => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b't' | 0x91 => {
                let items = self.since_mark()?;
                self.push(Node::List(items));
            }
            0x85..=0x87 => {
                let len = usize::from(op - 0x84);
                let from = self
                    .stack
                    .len()
                    .checked_sub(len)
                    .ok_or_else(|| self.wrong("nothing to take"))?;
                let items = self.stack.split_off(from);
                self.push(Node::List(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set_items(&items)?;
            }
            // The stack and the memo.
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'q' => self.put(1)?,
            b'r' => self.put(4)?,
            0x94 => {
                let place = self.memo.len() as u64;
                self.memo.insert(place, self.top()?);
            }
            b'h' => self.get(1)?,
            b'j' => self.get(4)?,
            // Names and calls.
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.global(&module, &name)?;
            }
            0x93 => {
                let name = self.pop_str()?;
                let module = self.pop_str()?;
                self.global(&module, &name)?;
            }
            b'R' | 0x81 => self.call()?,
            b'b' => drop(self.pop()?), // attributes such as `_metadata`: nothing that weights need
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id));
            }
            _ => return Err(self.wrong("an instruction that weights do not need")),
        }
        Ok(())
    }

    fn version(&mut self) -> Step {
        match self.byte()? {
            2..=5 => Ok(()),
            _ => Err(self.wrong("another version of the format")),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Step {
        let name = format!("{module}.{name}");
        if !is_allowed(&name) {
            return Err(TorchProblem::Forbidden { name });
        }
        self.push(Node::Global(name));
        Ok(())
    }

    fn call(&mut self) -> Step {
        let arguments = self.pop()?;
        let function = self.pop()?;
        let node = match function {
            Value::Node(at) => match &self.nodes[at] {
                // Pairs, where there are any, come afterwards.
                Node::Global(name) if name == ORDERED_DICT => Node::Dict(Vec::new()),
                Node::Global(_) => Node::Call(at, arguments),
                _ => return Err(self.wrong("a call of what is no function")),
            },
            _ => return Err(self.wrong("a call of what is no function")),
        };
        self.push(node);
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(Value::Node(self.nodes.len()));
        self.nodes.push(node);
    }

    fn append(&mut self, items: Vec<Value>) -> Step {
        let list = self.top()?;
        match list {
            Value::Node(at) => match &mut self.nodes[at] {
                Node::List(list) => list.extend(items),
                Node::Call(..) => {} // a set that is being filled
                _ => return Err(self.wrong("items for what is no list")),
            },
            _ => return Err(self.wrong("items for what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Value]) -> Step {
        let (pairs, rest) = items.as_chunks::<2>();
        let dict = self.top()?;
        match dict {
            Value::Node(at) if rest.is_empty() => match &mut self.nodes[at] {
                Node::Dict(dict) => dict.extend(pairs.iter().map(|[key, value]| (*key, *value))),
                _ => return Err(self.wrong("entries for what is no table")),
            },
            _ => return Err(self.wrong("entries for what is no table")),
        }
        Ok(())
    }

    fn since_mark(&mut self) -> Step<Vec<Value>> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => Err(self.wrong("an end without a beginning")),
        }
    }

    fn put(&mut self, len: usize) -> Step {
        let place = self.number(len)?;
        let value = self.top()?;
        self.memo.insert(place, value);
        Ok(())
    }

    fn get(&mut self, len: usize) -> Step {
        let place = self.number(len)?;
        let value = self.memo.get(&place).copied();
        self.stack
            .push(value.ok_or_else(|| self.wrong("a reference to nothing"))?);
        Ok(())
    }

    fn pop(&mut self) -> Step<Value> {
        self.stack.pop().ok_or_else(|| self.wrong("nothing to take"))
    }

    fn top(&self) -> Step<Value> {
        self.stack
            .last()
            .copied()
            .ok_or_else(|| self.wrong("nothing to take"))
    }

    fn pop_str(&mut self) -> Step<String> {
        match self.pop()? {
            Value::Node(at) => match &self.nodes[at] {
                Node::Str(text) => Ok(text.clone()),
                _ => Err(self.wrong("a name that is no text")),
            },
            _ => Err(self.wrong("a name that is no text")),
        }
    }

    fn int(&mut self, len: usize) -> Step {
        let number = self.number(len)?;
        self.stack.push(Value::Int(number as i64)); // two bytes at most
        Ok(())
    }

    /// A whole number of any length, in two's complement; of interest up to 64 bits.
    fn long(&mut self, len: u64) -> Step {
        let bytes = self.take(len)?;
        let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
        let value = match bytes.len() {
            0..=8 => {
                let fill = if negative { 0xff } else { 0 };
                let mut eight = [fill; 8];
                eight[..bytes.len()].copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(eight))
            }
            _ => Value::Opaque,
        };
        self.stack.push(value);
        Ok(())
    }

    fn text(&mut self, len: usize) -> Step {
        let len = self.number(len)?;
        let bytes = self.take(len)?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.push(Node::Str(text));
        Ok(())
    }

    fn blob(&mut self, len: usize) -> Step {
        let len = self.number(len)?;
        self.take(len)?;
        self.stack.push(Value::Opaque);
        Ok(())
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self, len: usize) -> Step<u64> {
        let bytes = self.take(len as u64)?;
        Ok(bytes.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    /// Text up to the end of a line.
    fn line(&mut self) -> Step<String> {
        let rest = &self.bytes[self.at..];
        let len = rest
            .iter()
            .position(|b| *b == b'\n')
            .ok_or_else(|| self.wrong("it is cut short"))?;
        self.at += len + 1;
        Ok(String::from_utf8_lossy(&rest[..len]).into_owned())
    }

    fn take(&mut self, len: u64) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        match usize::try_from(len).ok().and_then(|len| rest.get(..len)) {
            Some(bytes) => {
                self.at += bytes.len();
                Ok(bytes)
            }
            None => Err(self.wrong("it is cut short")),
        }
    }

    fn wrong(&self, problem: &'static str) -> TorchProblem {
        TorchProblem::Pickle { at: self.at, problem }
    }
}
