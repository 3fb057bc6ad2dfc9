//! Objects.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Compiler, Keywords, problem};
use crate::constraint::ConstraintError;
use crate::constraint::grammar::{EMPTY, Id};
use crate::constraint::regex::{Writing, characters};

impl Compiler<'_> {
    /// The objects that fit the keywords: declared properties in their order, then others.
    pub(super) fn object(&mut self, keywords: &Keywords, path: &str) -> Result<Id, ConstraintError> {
        let none = Keywords::new();
        let properties = match keywords.get("properties") {
            None => &none,
            Some(Value::Object(properties)) => properties,
            Some(_) => return Err(problem(path, "`properties` must be an object".to_string())),
        };
        let wrong = || problem(path, "`required` must be a list of names".to_string());
        let mut required = Vec::new();
        if let Some(names) = keywords.get("required") {
            for name in names.as_array().ok_or_else(wrong)? {
                required.push(name.as_str().ok_or_else(wrong)?);
            }
        }

        let more = keywords.get("additionalProperties");
        let more_path = format!("{path}/additionalProperties");
        let mut members = Vec::new();
        for (name, schema) in properties {
            let value = self.schema(schema, &format!("{path}/properties/{name}"))?;
            members.push((self.member(name, value), required.contains(&name.as_str())));
        }
        let mut names: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        for name in required {
            if names.insert(name) {
                let value = self.schema(more.unwrap_or(&Value::Bool(true)), &more_path)?;
                members.push((self.member(name, value), true));
            }
        }

        // Unless they are asked for, only an object of which nothing else is said has other properties.
        let comma = self.comma();
        let (mut first, mut rest) = (EMPTY, EMPTY);
        let others = match more {
            Some(Value::Bool(false)) => None,
            Some(schema) => Some(schema),
            None => names.is_empty().then_some(&Value::Bool(true)),
        };
        if let Some(schema) = others {
            let value = self.schema(schema, &more_path)?;
            let name = self.other_name(&names);
            let member = self.named(name, value);
            let next = self.grammar.cat(comma, member);
            rest = self.grammar.repeat(next, 0, None);
            first = self.grammar.cat(member, rest);
            first = self.grammar.optional(first);
        }
        // From the last property to the first: what may follow, as the first member and after others.
        for (member, required) in members.into_iter().rev() {
            let begin = self.grammar.cat(member, rest);
            let next = self.grammar.sequence(&[comma, member, rest]);
            (first, rest) = if required {
                (begin, next)
            } else {
                (self.grammar.any([begin, first]), self.grammar.any([next, rest]))
            };
        }
        Ok(self.listed("{", &[first], "}"))
    }

    /// A property of a given name.
    pub(super) fn member(&mut self, name: &str, value: Id) -> Id {
        let name = self.grammar.literal(Value::from(name).to_string().as_bytes());
        self.named(name, value)
    }

    fn named(&mut self, name: Id, value: Id) -> Id {
        let colon = self.spaced(b":");
        self.grammar.sequence(&[name, colon, value])
    }

    /// Any name but `names`, in quotation marks and without escapes, by which one could be written otherwise.
    fn other_name(&mut self, names: &BTreeSet<&str>) -> Id {
        let names: Vec<Vec<char>> = names.iter().map(|name| name.chars().collect()).collect();
        let names: Vec<&[char]> = names.iter().map(Vec::as_slice).collect();
        let rest = self.other_text(&names);
        let quote = self.grammar.literal(b"\"");
        self.grammar.sequence(&[quote, rest, quote])
    }

    /// Any text but `texts`.
    fn other_text(&mut self, texts: &[&[char]]) -> Id {
        let plain = [(' ', '!'), ('#', '['), (']', char::MAX)];
        let any = characters(self.grammar, plain, Writing::Plain);
        let any_text = self.grammar.repeat(any, 0, None);
        if texts.is_empty() {
            return any_text;
        }
        let mut begins: Vec<char> = texts.iter().filter_map(|text| text.first().copied()).collect();
        begins.sort_unstable();
        begins.dedup();
        let mut all = Vec::new();
        // A character that none of them begins with, and then anything.
        let mut others = Vec::new();
        for (from, to) in plain {
            let mut next = from;
            for &c in begins.iter().filter(|c| (from..=to).contains(c)) {
                if next < c {
                    others.push((next, before(c)));
                }
                next = after(c);
            }
            if next <= to {
                others.push((next, to));
            }
        }
        let other = characters(self.grammar, others, Writing::Plain);
        all.push(self.grammar.cat(other, any_text));
        for &c in &begins {
            if !plain.iter().any(|&(from, to)| (from..=to).contains(&c)) {
                continue;
            }
            let rests: Vec<&[char]> = texts
                .iter()
                .filter(|text| text.first() == Some(&c))
                .map(|text| &text[1..])
                .collect();
            let one = characters(self.grammar, [(c, c)], Writing::Plain);
            let rest = self.other_text(&rests);
            all.push(self.grammar.cat(one, rest));
        }
        if !texts.iter().any(|text| text.is_empty()) {
            all.push(EMPTY);
        }
        self.grammar.any(all)
    }
}

/// The character before `c`, which is not the first one.
fn before(c: char) -> char {
    if c == '\u{e000}' {
        '\u{d7ff}'
    } else {
        char::from_u32(u32::from(c) - 1).unwrap_or(c)
    }
}

/// The character after `c`; the last one stays.
fn after(c: char) -> char {
    if c == '\u{d7ff}' {
        '\u{e000}'
    } else {
        char::from_u32(u32::from(c) + 1).unwrap_or(c)
    }
}
