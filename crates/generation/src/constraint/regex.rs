//! Regular expressions as grammars.

use regex_syntax::hir::{Class, Hir, HirKind, Look};
use regex_syntax::utf8::Utf8Sequences;

use super::ConstraintError;
use super::grammar::{EMPTY, Grammar, Id};

/// How the characters of a text are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// As they are.
    Plain,
    /// As between the quotation marks of a JSON string.
    Json,
}

/// The texts that match `pattern` as a whole.
pub(super) fn whole(grammar: &mut Grammar, pattern: &str) -> Result<Id, ConstraintError> {
    let hir = parse(pattern)?;
    Builder {
        grammar,
        pattern,
        writing: Writing::Plain,
    }
    .build(&hir, true, true)
}

/// The contents of JSON strings in which `pattern` is found.
pub(super) fn found(grammar: &mut Grammar, pattern: &str) -> Result<Id, ConstraintError> {
    let hir = parse(pattern)?;
    Builder {
        grammar,
        pattern,
        writing: Writing::Json,
    }
    .search(&hir)
}

/// How many bytes the texts that match `pattern` as a whole have; `None` if it may be found anywhere.
pub(super) fn lengths(pattern: &str) -> Result<Option<(usize, Option<usize>)>, ConstraintError> {
    let hir = parse(pattern)?;
    let properties = hir.properties();
    let anchored = properties.look_set_prefix().contains(Look::Start)
        && properties.look_set_suffix().contains(Look::End);
    // Bytes are characters only where all are ASCII.
    let ascii = pattern.is_ascii() && !pattern.contains(['.', '\\']) && !pattern.contains("[^");
    Ok((anchored && ascii).then(|| (properties.minimum_len().unwrap_or(0), properties.maximum_len())))
}

fn parse(pattern: &str) -> Result<Hir, ConstraintError> {
    regex_syntax::parse(pattern).map_err(|error| ConstraintError::Pattern {
        pattern: pattern.to_string(),
        problem: match error {
            regex_syntax::Error::Parse(error) => error.kind().to_string(),
            regex_syntax::Error::Translate(error) => error.kind().to_string(),
            other => other.to_string(),
        },
    })
}

struct Builder<'a> {
    grammar: &'a mut Grammar,
    pattern: &'a str,
    writing: Writing,
}

impl Builder<'_> {
    /// Texts around `hir`, unless it is anchored.
    fn search(&mut self, hir: &Hir) -> Result<Id, ConstraintError> {
        match hir.kind() {
            HirKind::Capture(capture) => return self.search(&capture.sub),
            HirKind::Alternation(all) => {
                let all = all
                    .iter()
                    .map(|one| self.search(one))
                    .collect::<Result<Vec<_>, _>>()?;
                return Ok(self.grammar.any(all));
            }
            _ => {}
        }
        let parts = match hir.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => std::slice::from_ref(hir),
        };
        let is = |part: Option<&Hir>, look| part.is_some_and(|part| *part.kind() == HirKind::Look(look));
        let start = is(parts.first(), Look::Start);
        let end = is(parts.last(), Look::End);
        let inner = self.build(hir, start, end)?;
        let around = any_text(self.grammar);
        let before = if start { EMPTY } else { around };
        let after = if end { EMPTY } else { around };
        Ok(self.grammar.sequence(&[before, inner, after]))
    }

    /// `start` and `end` say whether nothing can come before and after.
    fn build(&mut self, hir: &Hir, start: bool, end: bool) -> Result<Id, ConstraintError> {
        self.grammar.check_size()?;
        match hir.kind() {
            HirKind::Empty => Ok(EMPTY),
            HirKind::Literal(literal) => Ok(self.literal(&literal.0)),
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.ranges().iter().map(|range| (range.start(), range.end()));
                Ok(characters(self.grammar, ranges, self.writing))
            }
            HirKind::Class(Class::Bytes(class)) => {
                let ranges = class
                    .ranges()
                    .iter()
                    .map(|range| (range.start().into(), range.end().into()));
                Ok(characters(self.grammar, ranges, self.writing))
            }
            HirKind::Look(Look::Start) if start => Ok(EMPTY),
            HirKind::Look(Look::End) if end => Ok(EMPTY),
            HirKind::Look(_) => Err(ConstraintError::Pattern {
                pattern: self.pattern.to_string(),
                problem: "anchors are supported at the ends only, word boundaries not at all".to_string(),
            }),
            HirKind::Repetition(repetition) => {
                let node = self.build(&repetition.sub, false, false)?;
                Ok(self.grammar.repeat(node, repetition.min, repetition.max))
            }
            HirKind::Capture(capture) => self.build(&capture.sub, start, end),
            HirKind::Concat(parts) => {
                let void = |part: &Hir| part.properties().maximum_len() == Some(0);
                let mut nodes = Vec::new();
                for (i, part) in parts.iter().enumerate() {
                    let start = start && parts[..i].iter().all(void);
                    let end = end && parts[i + 1..].iter().all(void);
                    nodes.push(self.build(part, start, end)?);
                }
                Ok(self.grammar.sequence(&nodes))
            }
            HirKind::Alternation(all) => {
                let all = all.iter().map(|one| self.build(one, start, end));
                let all = all.collect::<Result<Vec<_>, _>>()?;
                Ok(self.grammar.any(all))
            }
        }
    }

    fn literal(&mut self, bytes: &[u8]) -> Id {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.grammar.literal(bytes);
        };
        let writing = self.writing;
        let all: Vec<Id> = text
            .chars()
            .map(|c| characters(self.grammar, [(c, c)], writing))
            .collect();
        self.grammar.sequence(&all)
    }
}

/// One character of the ranges.
pub(super) fn characters(
    grammar: &mut Grammar,
    ranges: impl IntoIterator<Item = (char, char)>,
    writing: Writing,
) -> Id {
    let mut all = Vec::new();
    let mut plain = Vec::new();
    for (from, to) in ranges {
        if writing == Writing::Plain {
            plain.extend(range(from, to));
            continue;
        }
        // What stands for itself between quotation marks, and what does not.
        for (a, b) in [(' ', '!'), ('#', '['), (']', char::MAX)] {
            plain.extend(range(from.max(a), to.min(b)));
        }
        let escaped = ('\0'..' ').chain(['"', '\\']).filter(|c| (from..=to).contains(c));
        for c in escaped {
            let text = match c {
                '"' => "\\\"".to_string(),
                '\\' => "\\\\".to_string(),
                '\n' => "\\n".to_string(),
                '\r' => "\\r".to_string(),
                '\t' => "\\t".to_string(),
                _ => format!("\\u{:04x}", u32::from(c)),
            };
            all.push(grammar.literal(text.as_bytes()));
        }
    }
    all.push(sequences(grammar, plain, 0));
    grammar.any(all)
}

/// The bytes of one character between the two; nothing if they are the wrong way round.
fn range(from: char, to: char) -> Vec<Vec<(u8, u8)>> {
    if from > to {
        return Vec::new();
    }
    let bytes = |sequence: regex_syntax::utf8::Utf8Sequence| {
        sequence
            .as_slice()
            .iter()
            .map(|range| (range.start, range.end))
            .collect()
    };
    Utf8Sequences::new(from, to).map(bytes).collect()
}

/// One of the sequences. Those with the same beginning share it, so that a state has few alternatives.
fn sequences(grammar: &mut Grammar, mut all: Vec<Vec<(u8, u8)>>, depth: usize) -> Id {
    all.sort_unstable();
    let mut nodes = Vec::new();
    for group in all.chunk_by(|a, b| a.get(depth) == b.get(depth)) {
        let Some(&(from, to)) = group[0].get(depth) else {
            nodes.push(EMPTY);
            continue;
        };
        let first = grammar.byte(from, to);
        let rest = sequences(grammar, group.to_vec(), depth + 1);
        nodes.push(grammar.cat(first, rest));
    }
    grammar.any(nodes)
}

/// Any contents of a JSON string, written without needless escapes.
fn any_text(grammar: &mut Grammar) -> Id {
    let one = characters(grammar, [('\0', char::MAX)], Writing::Json);
    grammar.repeat(one, 0, None)
}
