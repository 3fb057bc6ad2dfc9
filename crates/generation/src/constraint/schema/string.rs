//! Strings.

use serde_json::Value;

use super::{Compiler, Keywords, count, problem, unsupported};
use crate::constraint::ConstraintError;
use crate::constraint::grammar::{Id, NOTHING};
use crate::constraint::regex::{self, Writing, characters};

/// The texts of a format, or a part of them where that is simpler: February has 28 days here.
fn pattern_of(format: &str) -> Option<String> {
    let pattern = match format {
        "date" => DATE,
        "time" => TIME,
        "date-time" => return Some(format!("{DATE}T{TIME}")),
        "uuid" => "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "ipv4" => IPV4,
        "email" => EMAIL,
        _ => return None,
    };
    Some(pattern.to_string())
}

const DATE: &str =
    "[0-9]{4}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)";
const TIME: &str =
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
const IPV4: &str =
    r"((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const EMAIL: &str =
    r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9]+(-[A-Za-z0-9]+)*(\.[A-Za-z0-9]+(-[A-Za-z0-9]+)*)+";

impl Compiler<'_> {
    /// The strings that fit the keywords.
    pub(super) fn string(&mut self, keywords: &Keywords, path: &str) -> Result<Id, ConstraintError> {
        let min = count(keywords, "minLength", path)?.unwrap_or(0);
        let max = count(keywords, "maxLength", path)?;
        if max.is_some_and(|max| max < min) {
            return Ok(self.impossible(path, "`minLength` is greater than `maxLength`"));
        }
        let format = keywords.get("format").and_then(Value::as_str);
        let written = format.and_then(pattern_of);
        let text = match (keywords.get("pattern"), &written) {
            (Some(_), Some(_)) => return Err(unsupported(path, "pattern", " beside `format`")),
            (Some(pattern), None) => {
                let pattern = pattern.as_str();
                let pattern =
                    pattern.ok_or_else(|| problem(path, "`pattern` must be a string".to_string()))?;
                let fits = |(least, most): (usize, Option<usize>)| {
                    let long = max.is_none_or(|max| most.is_some_and(|most| most <= max as usize));
                    least >= min as usize && long
                };
                if (min > 0 || max.is_some()) && !regex::lengths(pattern)?.is_some_and(fits) {
                    let detail = " beside a length that it does not imply";
                    return Err(unsupported(path, "pattern", detail));
                }
                regex::found(self.grammar, pattern)?
            }
            (None, Some(pattern)) => {
                if min > 0 || max.is_some() {
                    return Err(unsupported(path, "format", " beside a length"));
                }
                regex::whole(self.grammar, pattern)?
            }
            (None, None) => {
                let character = self.character();
                self.grammar.repeat(character, min, max)
            }
        };
        let quote = self.grammar.literal(b"\"");
        let string = self.grammar.sequence(&[quote, text, quote]);
        if string == NOTHING {
            return Ok(self.impossible(path, "no string matches the pattern"));
        }
        Ok(string)
    }

    /// A character of a JSON string, in any way of writing it but as half of a pair of escapes.
    fn character(&mut self) -> Id {
        let plain = characters(
            self.grammar,
            [(' ', '!'), ('#', '['), (']', char::MAX)],
            Writing::Plain,
        );
        let short = characters(
            self.grammar,
            r#""\/bfnrt"#.chars().map(|c| (c, c)),
            Writing::Plain,
        );
        let hex = characters(self.grammar, [('0', '9'), ('a', 'f'), ('A', 'F')], Writing::Plain);
        // Not D800 to DFFF, which are halves of pairs.
        let low = characters(
            self.grammar,
            [('0', '9'), ('a', 'c'), ('e', 'f'), ('A', 'C'), ('E', 'F')],
            Writing::Plain,
        );
        let high = characters(self.grammar, [('d', 'd'), ('D', 'D')], Writing::Plain);
        let under = characters(self.grammar, [('0', '7')], Writing::Plain);
        let low = self.grammar.sequence(&[low, hex]);
        let high = self.grammar.sequence(&[high, under]);
        let begin = self.grammar.any([low, high]);
        let u = self.grammar.literal(b"u");
        let long = self.grammar.sequence(&[u, begin, hex, hex]);
        let escape = self.grammar.any([short, long]);
        let backslash = self.grammar.literal(b"\\");
        let escape = self.grammar.cat(backslash, escape);
        self.grammar.any([plain, escape])
    }
}
