//! Files of PyTorch before 1.6: five pickles, then the storages one after the other.
//!
//! The pickles are a magic number, the format's version, facts about the machine, the state dict, and the
//! storages' keys. A storage is its length in elements (eight bytes), then its numbers.

use std::collections::BTreeMap;
use std::ops::Range;

use super::TorchProblem;
use super::nodes::{Pickle, Value};
use super::pickle;
use super::state;

/// The first pickle: a number of ten bytes.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// The state dict, and where each storage's numbers are.
///
/// # Errors
/// If the file is cut short or damaged, or its numbers are big-endian.
pub(super) fn read(bytes: &[u8]) -> Result<(Pickle, BTreeMap<String, Range<usize>>), TorchProblem> {
    let mut at = MAGIC.len();
    let mut next = || {
        let pickle = pickle::read(bytes.get(at..).unwrap_or_default())?;
        at += pickle.len;
        Ok::<_, TorchProblem>(pickle)
    };
    next()?; // the version of the format: 1001 since there is one
    let machine = next()?;
    let little = machine.dict(machine.root).into_iter().flatten();
    let mut little = little.filter(|(key, _)| machine.str(*key) == Some("little_endian"));
    if little
        .next()
        .is_some_and(|(_, value)| *value == Value::Bool(false))
    {
        return Err(TorchProblem::BigEndian);
    }
    let state = next()?;
    let keys = next()?;
    let kinds: BTreeMap<&str, _> = state::storages(&state).collect();
    let damaged = TorchProblem::Archive;
    let mut parts = BTreeMap::new();
    for key in keys
        .list(keys.root)
        .ok_or(damaged("it has no list of storages"))?
    {
        let key = keys.str(*key).ok_or(damaged("a storage has no name"))?;
        let kind = kinds.get(key).copied().flatten();
        let kind = kind.ok_or(damaged("a storage is of no type that is known"))?;
        let head = at.checked_add(8).and_then(|end| bytes.get(at..end));
        let head: [u8; 8] = head
            .and_then(|head| head.try_into().ok())
            .ok_or(damaged("a storage is missing"))?;
        let range = usize::try_from(u64::from_le_bytes(head))
            .ok()
            .and_then(|numel| numel.checked_mul(kind.elt_size_in_bytes()))
            .and_then(|len| Some(at + 8..(at + 8).checked_add(len)?))
            .filter(|range| range.end <= bytes.len())
            .ok_or(damaged("a storage lies beyond its end"))?;
        at = range.end;
        parts.insert(key.to_string(), range);
    }
    Ok((state, parts))
}
