//! Schemas that must be met together, made into one.

use serde_json::{Map, Value};

use super::{ARRAY, Keywords, NUMBER, OBJECT, STRING, TYPES, problem, types, unsupported};
use crate::constraint::ConstraintError;

/// References and `allOf`s within each other, at most.
const DEPTH: usize = 64;

/// How many keywords of these assert something.
pub(super) fn asserts(keywords: &Keywords) -> usize {
    let others = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"];
    let known = |name: &&String| {
        let mut all = [OBJECT, ARRAY, STRING, NUMBER]
            .into_iter()
            .flatten()
            .chain(&others);
        all.any(|keyword| keyword == name)
    };
    keywords.keys().filter(known).count()
}

/// What the reference `target` points to.
pub(super) fn resolve<'a>(
    document: &'a Value,
    target: &str,
    path: &str,
) -> Result<&'a Value, ConstraintError> {
    let pointer = target
        .strip_prefix('#')
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let Some(pointer) = pointer else {
        return Err(unsupported(
            path,
            "$ref",
            &format!(" to `{target}`, outside the schema"),
        ));
    };
    let found = document.pointer(&pointer.replace("%25", "%").replace("%24", "$"));
    found.ok_or_else(|| problem(path, format!("`$ref` points to `{target}`, where nothing is")))
}

/// Keywords with `allOf`, or a reference beside others, as one schema without; `None` if there is neither.
pub(super) fn flatten(
    document: &Value,
    keywords: &Keywords,
    path: &str,
) -> Result<Option<Value>, ConstraintError> {
    if !keywords.contains_key("allOf") && !keywords.contains_key("$ref") {
        return Ok(None);
    }
    flat(document, &Value::Object(keywords.clone()), path, DEPTH).map(Some)
}

fn flat(document: &Value, schema: &Value, path: &str, depth: usize) -> Result<Value, ConstraintError> {
    let Value::Object(keywords) = schema else {
        return Ok(schema.clone());
    };
    if depth == 0 {
        return Err(unsupported(path, "allOf", " with itself within"));
    }
    let mut own = keywords.clone();
    let target = own.shift_remove("$ref");
    let all = own.shift_remove("allOf");
    let mut merged = Value::Object(own);
    if let Some(target) = target {
        let target = target.as_str().unwrap_or_default();
        let other = flat(document, resolve(document, target, path)?, path, depth - 1)?;
        merged = both(&merged, &other, path)?;
    }
    if let Some(all) = all {
        let all = all
            .as_array()
            .ok_or_else(|| problem(path, "`allOf` must be a list".to_string()))?;
        for (i, one) in all.iter().enumerate() {
            let other = flat(document, one, &format!("{path}/allOf/{i}"), depth - 1)?;
            merged = both(&merged, &other, path)?;
        }
    }
    Ok(merged)
}

/// The schema that accepts what both accept.
fn both(a: &Value, b: &Value, path: &str) -> Result<Value, ConstraintError> {
    let (a, b) = match (a, b) {
        (Value::Bool(false), _) | (_, Value::Bool(false)) => return Ok(Value::Bool(false)),
        (Value::Bool(true), other) | (other, Value::Bool(true)) => return Ok(other.clone()),
        (Value::Object(a), Value::Object(b)) => (a, b),
        _ => return Err(problem(path, "expected an object or a boolean".to_string())),
    };
    let mut merged = a.clone();
    for (name, value) in b {
        let old = match a.get(name) {
            Some(old) if old != value => old,
            _ => {
                merged.insert(name.clone(), value.clone());
                continue;
            }
        };
        let new = match name.as_str() {
            "type" => Value::Array(common_types(a, b, path)?),
            "minimum" | "exclusiveMinimum" | "minLength" | "minItems" => extreme(old, value, path, f64::max)?,
            "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" => extreme(old, value, path, f64::min)?,
            "required" => {
                let mut names = old.as_array().cloned().unwrap_or_default();
                names.extend(value.as_array().cloned().unwrap_or_default());
                Value::Array(names)
            }
            "enum" => {
                let others = value.as_array().cloned().unwrap_or_default();
                let mut values = old.as_array().cloned().unwrap_or_default();
                values.retain(|value| others.contains(value));
                Value::Array(values)
            }
            "const" => return Ok(Value::Bool(false)),
            "items" | "additionalProperties" => together(old, value),
            "properties" => continue, // below, where `additionalProperties` matters too
            _ if asserts(&Map::from_iter([(name.clone(), value.clone())])) == 0 => continue,
            _ => return Err(unsupported(path, name, " twice with different values")),
        };
        merged.insert(name.clone(), new);
    }
    if a.contains_key("properties") || b.contains_key("properties") {
        merged.insert("properties".to_string(), Value::Object(properties(a, b)));
    }
    Ok(Value::Object(merged))
}

fn together(a: &Value, b: &Value) -> Value {
    if a == b {
        return a.clone();
    }
    let all = Value::Array(vec![a.clone(), b.clone()]);
    Value::Object(Map::from_iter([("allOf".to_string(), all)]))
}

/// The properties of both. What one of them does not declare must be one of its others.
fn properties(a: &Keywords, b: &Keywords) -> Keywords {
    let of = |schema: &Keywords| {
        schema
            .get("properties")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let (own, others) = (of(a), of(b));
    let strict = |schema: &Keywords| schema.get("additionalProperties").cloned();
    let mut merged = Keywords::new();
    for (name, value) in &own {
        let other = others.get(name).cloned().or_else(|| strict(b));
        let value = other.map_or(value.clone(), |other| together(value, &other));
        merged.insert(name.clone(), value);
    }
    for (name, value) in &others {
        if !own.contains_key(name) {
            let value = strict(a).map_or(value.clone(), |other| together(value, &other));
            merged.insert(name.clone(), value);
        }
    }
    merged
}

fn extreme(a: &Value, b: &Value, path: &str, pick: fn(f64, f64) -> f64) -> Result<Value, ConstraintError> {
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) => Ok(if pick(x, y) == x { a.clone() } else { b.clone() }),
        _ => Err(problem(path, format!("{a} and {b} cannot be compared"))),
    }
}

/// The types that both accept, all if nothing is said.
fn common_types(a: &Keywords, b: &Keywords, path: &str) -> Result<Vec<Value>, ConstraintError> {
    let (a, b) = (types(a, path)?, types(b, path)?);
    let has = |types: &Option<Vec<String>>, name: &str| {
        types.as_ref().is_none_or(|types| {
            let wider = name == "integer" && types.iter().any(|t| t == "number");
            wider || types.iter().any(|t| t == name)
        })
    };
    let mut common: Vec<&str> = TYPES
        .iter()
        .copied()
        .filter(|name| has(&a, name) && has(&b, name))
        .collect();
    if common.contains(&"number") {
        common.retain(|&name| name != "integer");
    }
    Ok(common.into_iter().map(Value::from).collect())
}

/// Whether no value fits two of `choices`, as far as types and constant properties tell.
pub(super) fn exclusive(document: &Value, choices: &[Value], path: &str) -> Result<bool, ConstraintError> {
    let flat = |choice: &Value| flat(document, choice, path, DEPTH);
    let all = choices.iter().map(flat).collect::<Result<Vec<_>, _>>()?;
    for (i, a) in all.iter().enumerate() {
        for b in &all[..i] {
            let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
                return Ok(false);
            };
            if !disjoint(a, b, path)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn disjoint(a: &Keywords, b: &Keywords, path: &str) -> Result<bool, ConstraintError> {
    if let (Some(a), Some(b)) = (values(a), values(b)) {
        return Ok(!a.iter().any(|value| b.contains(value)));
    }
    if common_types(a, b, path)?.is_empty() {
        return Ok(true);
    }
    let required = |schema: &Keywords, name: &str| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|n| n == name))
    };
    let property = |schema: &Keywords, name: &str| {
        let property = schema.get("properties")?.get(name)?.as_object()?;
        values(property)
    };
    let objects = |schema: &Keywords| schema.get("type").is_some_and(|name| name == "object");
    let names = a.get("properties").and_then(Value::as_object).map(Map::keys);
    let differs = |name: &String| match (property(a, name), property(b, name)) {
        (Some(x), Some(y)) if required(a, name) && required(b, name) => !x.iter().any(|v| y.contains(v)),
        _ => false,
    };
    Ok(objects(a) && objects(b) && names.into_iter().flatten().any(differs))
}

/// The values that `const` or `enum` name.
fn values(schema: &Keywords) -> Option<Vec<Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => Some(vec![value.clone()]),
        (None, Some(values)) => values.as_array().cloned(),
        (None, None) => None,
    }
}
