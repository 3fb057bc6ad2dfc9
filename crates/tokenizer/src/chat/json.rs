//! JSON as Python's `json.dumps` writes it.

use serde_json::{Number, Value};

/// `json.dumps` with these arguments.
#[derive(Debug, Clone)]
pub(super) struct Dumps {
    pub ensure_ascii: bool,
    /// What one level of indentation is; `None` for one line.
    pub indent: Option<String>,
    pub item_separator: String,
    pub key_separator: String,
    pub sort_keys: bool,
}

impl Dumps {
    pub fn write(&self, value: &Value) -> String {
        let mut out = String::new();
        self.value(value, 0, &mut out);
        out
    }

    fn value(&self, value: &Value, depth: usize, out: &mut String) {
        match value {
            Value::Null => out.push_str("null"),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::Number(n) => out.push_str(&number(n)),
            Value::String(s) => self.string(s, out),
            Value::Array(items) => self.list(('[', ']'), items.iter(), depth, out, |this, item, out| {
                this.value(item, depth + 1, out);
            }),
            Value::Object(table) => {
                let mut entries: Vec<(&String, &Value)> = table.iter().collect();
                if self.sort_keys {
                    entries.sort_by_key(|(key, _)| *key);
                }
                self.list(
                    ('{', '}'),
                    entries.into_iter(),
                    depth,
                    out,
                    |this, (key, value), out| {
                        this.string(key, out);
                        out.push_str(&this.key_separator);
                        this.value(value, depth + 1, out);
                    },
                );
            }
        }
    }

    fn list<T>(
        &self,
        (open, close): (char, char),
        items: impl ExactSizeIterator<Item = T>,
        depth: usize,
        out: &mut String,
        write: impl Fn(&Self, T, &mut String),
    ) {
        out.push(open);
        let empty = items.len() == 0;
        for (i, item) in items.enumerate() {
            if i > 0 {
                out.push_str(&self.item_separator);
            }
            self.new_line(depth + 1, out);
            write(self, item, out);
        }
        if !empty {
            self.new_line(depth, out);
        }
        out.push(close);
    }

    fn new_line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    }

    fn string(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c < ' ' || (self.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

fn number(n: &Number) -> String {
    match n.as_f64() {
        Some(x) if n.is_f64() => float(x),
        _ => n.to_string(),
    }
}

/// `repr` of a float: the shortest digits that say which one it is, with an exponent outside 1e-4 to 1e16.
pub(super) fn float(x: f64) -> String {
    if x.is_nan() {
        return "nan".to_string();
    }
    if x.is_infinite() {
        return if x > 0. { "inf" } else { "-inf" }.to_string();
    }
    let size = x.abs();
    if size != 0. && !(1e-4..1e16).contains(&size) {
        let text = format!("{x:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{x:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_as_python_does() {
        let value = json!({"b": [1, 2.0, 1e16, 1e-5, null], "a": {"ü": "\"\n\u{1}", "e": {}}, "t": true});
        let dumps = Dumps {
            ensure_ascii: false,
            indent: None,
            item_separator: ", ".to_string(),
            key_separator: ": ".to_string(),
            sort_keys: false,
        };
        assert_eq!(
            dumps.write(&value),
            r#"{"b": [1, 2.0, 1e+16, 1e-05, null], "a": {"ü": "\"\n\u0001", "e": {}}, "t": true}"#
        );
        let pretty = Dumps {
            ensure_ascii: true,
            indent: Some("  ".to_string()),
            item_separator: ",".to_string(),
            sort_keys: true,
            ..dumps
        };
        assert_eq!(
            pretty.write(&json!({"b": [1], "a": "ü😀", "c": []})),
            "{\n  \"a\": \"\\u00fc\\ud83d\\ude00\",\n  \"b\": [\n    1\n  ],\n  \"c\": []\n}"
        );
    }
}
