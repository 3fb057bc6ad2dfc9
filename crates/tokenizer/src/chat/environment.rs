//! The template language as transformers sets it up: Jinja, with Python's JSON.

use std::fmt::Write;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::json::{self, Dumps};

/// Steps that a template may take: a template from elsewhere must not keep the program for ever.
const FUEL: u64 = 5_000_000;

/// What `raise_exception` was called with, as the cause of the error that ends the rendering.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Raised(pub String);

/// An environment that knows the template `name`.
pub(super) fn with_template(name: &str, source: &str) -> Result<Environment<'static>, Error> {
    let mut env = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    env.set_syntax(syntax);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_fuel(Some(FUEL));
    env.set_unknown_method_callback(method);
    env.set_formatter(|out, _, value| match f64::try_from(value.clone()) {
        // The library writes all digits of very large and very small numbers.
        Ok(x) if value.is_number() && !value.is_integer() => Ok(out.write_str(&json::float(x))?),
        _ => Ok(write!(out, "{value}")?),
    });
    env.add_filter("tojson", to_json);
    env.add_function("raise_exception", raise_exception);
    env.add_function("strftime_now", strftime_now);
    env.add_template_owned(name.to_string(), without_generation_tags(source))?;
    Ok(env)
}

/// Turns `{% generation %}`, which marks what a model said, into a block that does nothing.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end + 2);
        let word = tag[2..tag.len() - 2].trim_matches(|c: char| c.is_whitespace() || "+-".contains(c));
        match word {
            "generation" => out.push_str(&tag.replace("generation", "with")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endwith")),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out + rest
}

/// `json.dumps(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
fn to_json(value: Value, positional: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    const NAMES: [&str; 4] = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let argument = |at: usize| -> Result<Option<Value>, Error> {
        let given: Option<Value> = match positional.get(at) {
            Some(value) => Some(value.clone()),
            None => kwargs.get(NAMES[at])?,
        };
        Ok(given.filter(|v| !v.is_none() && !v.is_undefined()))
    };
    let on = |at| argument(at).map(|value| value.is_some_and(|v| v.is_true()));
    if value.is_undefined() {
        return Err(invalid("Undefined is not JSON serializable"));
    }
    let indent = match argument(1)? {
        None => None,
        Some(value) => match (value.as_str(), value.as_i64()) {
            (Some(text), _) => Some(text.to_string()),
            (None, Some(width)) => Some(" ".repeat(usize::try_from(width).unwrap_or(0).min(64))),
            (None, None) => return Err(invalid("indent must be a number or a string")),
        },
    };
    let separators = match argument(2)? {
        None => None,
        Some(pair) => {
            let pair: Vec<Value> = pair.try_iter()?.collect();
            match pair.as_slice() {
                [item, key] => Some((item.to_string(), key.to_string())),
                _ => return Err(invalid("separators must be a pair of strings")),
            }
        }
    };
    let (item_separator, key_separator) = separators.unwrap_or_else(|| {
        let item = if indent.is_some() { "," } else { ", " };
        (item.to_string(), ": ".to_string())
    });
    let dumps = Dumps {
        ensure_ascii: on(0)?,
        indent,
        item_separator,
        key_separator,
        sort_keys: on(3)?,
    };
    kwargs.assert_all_used()?;
    let plain: Json = serde_json::to_value(&value)
        .map_err(|e| invalid("the value is not JSON serializable").with_source(e))?;
    Ok(dumps.write(&plain))
}

fn raise_exception(message: Value) -> Result<Value, Error> {
    Err(invalid("raised by the template").with_source(Raised(message.to_string())))
}

fn strftime_now(format: &str) -> Result<String, Error> {
    let mut out = String::new();
    write!(out, "{}", chrono::Local::now().format(format))
        .map_err(|_| invalid(format!("strftime_now: `{format}` is no format of a time")))?;
    Ok(out)
}

/// Python's methods of strings, lists and tables.
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if let (Some(text), Some(part)) = (value.as_str(), args.first().and_then(Value::as_str)) {
        match name {
            "removeprefix" => return Ok(text.strip_prefix(part).unwrap_or(text).into()),
            "removesuffix" => return Ok(text.strip_suffix(part).unwrap_or(text).into()),
            "rsplit" => {
                let most = args.get(1).and_then(Value::as_usize).unwrap_or(usize::MAX - 1);
                let mut parts: Vec<&str> = text.rsplitn(most + 1, part).collect();
                parts.reverse();
                return Ok(parts.into_iter().map(Value::from).collect());
            }
            _ => {}
        }
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}

fn invalid(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}
