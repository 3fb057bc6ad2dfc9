//! Arrays.

use serde_json::Value;

use super::{Compiler, Keywords, count, unsupported};
use crate::constraint::ConstraintError;
use crate::constraint::grammar::{EMPTY, Id};

impl Compiler<'_> {
    /// The arrays that fit the keywords.
    pub(super) fn array(&mut self, keywords: &Keywords, path: &str) -> Result<Id, ConstraintError> {
        if keywords
            .get("uniqueItems")
            .is_some_and(|unique| *unique != Value::Bool(false))
        {
            return Err(unsupported(path, "uniqueItems", ""));
        }
        let min = count(keywords, "minItems", path)?.unwrap_or(0);
        let max = count(keywords, "maxItems", path)?;
        if max.is_some_and(|max| max < min) {
            return Ok(self.impossible(path, "`minItems` is greater than `maxItems`"));
        }

        // Until 2019, a list in `items` was what `prefixItems` is now.
        let (first, rest, name) = match (keywords.get("prefixItems"), keywords.get("items")) {
            (Some(first), rest) => (first.as_array(), rest, "prefixItems"),
            (None, Some(Value::Array(first))) => (Some(first), keywords.get("additionalItems"), "items"),
            (None, rest) => (None, rest, "items"),
        };
        let mut prefix = Vec::new();
        for (i, schema) in first.into_iter().flatten().enumerate() {
            if max.is_some_and(|max| i as u32 >= max) {
                break;
            }
            prefix.push(self.schema(schema, &format!("{path}/{name}/{i}"))?);
        }
        let len = prefix.len() as u32;
        let item = match rest {
            _ if max.is_some_and(|max| max <= len) => EMPTY,
            Some(schema) => self.schema(schema, &format!("{path}/items"))?,
            None => self.anything()?,
        };

        // From the last element to the first: what may follow once `i` elements stand there.
        let comma = self.comma();
        let next = self.grammar.cat(comma, item);
        let more = max.map(|max| max.saturating_sub(len));
        let mut tail = self.grammar.repeat(next, min.saturating_sub(len), more);
        for i in (1..len).rev() {
            let element = self.grammar.sequence(&[comma, prefix[i as usize], tail]);
            tail = if i >= min {
                self.grammar.optional(element)
            } else {
                element
            };
        }
        let elements = match prefix.first() {
            Some(&first) => self.grammar.cat(first, tail),
            None if max == Some(0) => EMPTY,
            None => {
                let more = max.map(|max| max - 1);
                let rest = self.grammar.repeat(next, min.saturating_sub(1), more);
                self.grammar.cat(item, rest)
            }
        };
        let elements = if min == 0 {
            self.grammar.optional(elements)
        } else {
            elements
        };
        Ok(self.listed("[", &[elements], "]"))
    }
}
