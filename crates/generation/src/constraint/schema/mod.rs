//! JSON schemas as grammars.
//!
//! The grammar of a schema is a part of what the schema accepts, never more: what cannot be expressed is an
//! error. What it leaves out are other ways to write the same thing, and more than is asked for.

mod array;
mod merge;
mod number;
mod object;
mod string;

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::ConstraintError;
use super::grammar::{Grammar, Id, NOTHING};

/// An object of keywords.
type Keywords = Map<String, Value>;

/// Keywords that assert something, but not here.
const UNSUPPORTED: &[&str] = &[
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "contains",
    "minContains",
    "maxContains",
    "unevaluatedItems",
    "unevaluatedProperties",
    "minProperties",
    "maxProperties",
    "$dynamicRef",
    "$recursiveRef",
];

/// Keywords that assert something about values of one type.
const OBJECT: &[&str] = &["properties", "required", "additionalProperties"];
const ARRAY: &[&str] = &[
    "items",
    "prefixItems",
    "additionalItems",
    "minItems",
    "maxItems",
    "uniqueItems",
];
const STRING: &[&str] = &["pattern", "minLength", "maxLength", "format"];
const NUMBER: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];

/// All types, by the names of the keyword `type`.
const TYPES: &[&str] = &[
    "null", "boolean", "integer", "number", "string", "array", "object",
];

/// Writes `schema` down in `grammar`; also says why nothing meets it, should that be so.
pub(super) fn compile(grammar: &mut Grammar, schema: &Value) -> Result<(Id, String), ConstraintError> {
    let mut compiler = Compiler {
        grammar,
        document: schema,
        references: HashMap::new(),
        anything: None,
        reason: None,
    };
    let root = compiler.schema(schema, "#")?;
    let unending = || "the schema at `#` requires itself without end".to_string();
    let reason = compiler.reason.unwrap_or_else(unending);
    Ok((root, reason))
}

struct Compiler<'a> {
    grammar: &'a mut Grammar,
    document: &'a Value,
    /// The rule of each reference that was met.
    references: HashMap<String, Id>,
    /// The rule of any value.
    anything: Option<Id>,
    /// Why the first impossible part is impossible.
    reason: Option<String>,
}

impl Compiler<'_> {
    /// The values that `schema` accepts.
    fn schema(&mut self, schema: &Value, path: &str) -> Result<Id, ConstraintError> {
        self.grammar.check_size()?;
        match schema {
            Value::Bool(true) => self.anything(),
            Value::Bool(false) => Ok(self.impossible(path, "nothing is accepted")),
            Value::Object(keywords) => self.keywords(keywords, path),
            _ => Err(problem(
                path,
                format!("expected an object or a boolean, found {schema}"),
            )),
        }
    }

    fn keywords(&mut self, keywords: &Keywords, path: &str) -> Result<Id, ConstraintError> {
        if let Some(keyword) = UNSUPPORTED
            .iter()
            .find(|&&keyword| keywords.contains_key(keyword))
        {
            return Err(unsupported(path, keyword, ""));
        }
        if let Some(target) = keywords.get("$ref") {
            let target = target.as_str();
            let target = target.ok_or_else(|| problem(path, "`$ref` must be a string".to_string()))?;
            if merge::asserts(keywords) == 1 {
                return self.reference(target, path);
            }
        }
        if let Some(merged) = merge::flatten(self.document, keywords, path)? {
            return self.schema(&merged, path);
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(choices) = keywords.get(keyword) {
                return self.choice(keywords, keyword, choices, path);
            }
        }
        if let Some(values) = keywords.get("enum") {
            let values = values.as_array();
            let values = values.ok_or_else(|| problem(path, "`enum` must be a list".to_string()))?;
            return self.values(values, keywords, path, "`enum` has no value");
        }
        if let Some(value) = keywords.get("const") {
            return self.values(
                std::slice::from_ref(value),
                keywords,
                path,
                "`const` has no value",
            );
        }
        self.typed(keywords, path)
    }

    /// The alternatives of `anyOf` or `oneOf`, each together with the keywords beside it.
    fn choice(
        &mut self,
        keywords: &Keywords,
        keyword: &str,
        choices: &Value,
        path: &str,
    ) -> Result<Id, ConstraintError> {
        let choices = choices.as_array();
        let choices = choices.ok_or_else(|| problem(path, format!("`{keyword}` must be a list")))?;
        let mut beside = keywords.clone();
        beside.shift_remove(keyword);
        if keyword == "oneOf" && !merge::exclusive(self.document, choices, path)? {
            let detail = ", unless its alternatives exclude each other by type or by a constant property";
            return Err(unsupported(path, keyword, detail));
        }
        let mut all = Vec::new();
        for (i, choice) in choices.iter().enumerate() {
            let path = format!("{path}/{keyword}/{i}");
            let node = if merge::asserts(&beside) == 0 {
                self.schema(choice, &path)?
            } else {
                let both = Value::Array(vec![Value::Object(beside.clone()), choice.clone()]);
                self.keywords(&Keywords::from_iter([("allOf".to_string(), both)]), &path)?
            };
            all.push(node);
        }
        if choices.is_empty() {
            return Ok(self.impossible(path, &format!("`{keyword}` has no alternative")));
        }
        Ok(self.grammar.any(all))
    }

    /// Given values, those that fit the type beside them.
    fn values(
        &mut self,
        values: &[Value],
        keywords: &Keywords,
        path: &str,
        none: &str,
    ) -> Result<Id, ConstraintError> {
        let types = types(keywords, path)?;
        let known = |keyword: &&&str| **keyword != "format" && keywords.contains_key(**keyword);
        if let Some(keyword) = [OBJECT, ARRAY, STRING, NUMBER].into_iter().flatten().find(known) {
            return Err(unsupported(path, keyword, " beside `enum` or `const`"));
        }
        let constant = keywords.get("const").filter(|_| keywords.contains_key("enum"));
        let fits = |value: &&Value| {
            let typed = types
                .as_ref()
                .is_none_or(|types| types.iter().any(|name| is_of(value, name)));
            typed && constant.is_none_or(|constant| constant == *value)
        };
        let fitting: Vec<&Value> = values.iter().filter(fits).collect();
        if fitting.is_empty() {
            let reason = if values.is_empty() {
                none
            } else {
                "no given value has a type that is accepted"
            };
            return Ok(self.impossible(path, reason));
        }
        let all: Vec<Id> = fitting.into_iter().map(|value| self.constant(value)).collect();
        Ok(self.grammar.any(all))
    }

    /// One value, written down.
    fn constant(&mut self, value: &Value) -> Id {
        match value {
            Value::Array(items) => {
                let items: Vec<Id> = items.iter().map(|item| self.constant(item)).collect();
                self.listed("[", &items, "]")
            }
            Value::Object(members) => {
                let mut all = Vec::new();
                for (name, value) in members {
                    let value = self.constant(value);
                    all.push(self.member(name, value));
                }
                self.listed("{", &all, "}")
            }
            _ => self.grammar.literal(value.to_string().as_bytes()),
        }
    }

    /// Parts in a row, with commas between them.
    fn listed(&mut self, open: &str, parts: &[Id], close: &str) -> Id {
        let mut all = vec![self.grammar.literal(open.as_bytes())];
        for (i, &part) in parts.iter().enumerate() {
            if i > 0 {
                all.push(self.comma());
            }
            all.push(part);
        }
        all.push(self.grammar.literal(close.as_bytes()));
        self.grammar.sequence(&all)
    }

    /// The values of the accepted types.
    fn typed(&mut self, keywords: &Keywords, path: &str) -> Result<Id, ConstraintError> {
        let types = match types(keywords, path)? {
            Some(types) => types,
            None => {
                // Keywords for one type let all others pass; the one is meant.
                let has = |group: &[&str]| group.iter().any(|&keyword| keywords.contains_key(keyword));
                let groups = [
                    (OBJECT, "object"),
                    (ARRAY, "array"),
                    (STRING, "string"),
                    (NUMBER, "number"),
                ];
                let types: Vec<String> = groups
                    .iter()
                    .filter(|(group, _)| has(group))
                    .map(|(_, name)| name.to_string())
                    .collect();
                if types.is_empty() {
                    return self.anything();
                }
                types
            }
        };
        if types.is_empty() {
            return Ok(self.impossible(path, "no type is accepted"));
        }
        let mut all = Vec::new();
        for name in &types {
            all.push(match name.as_str() {
                "null" => self.grammar.literal(b"null"),
                "boolean" => {
                    let both = [self.grammar.literal(b"true"), self.grammar.literal(b"false")];
                    self.grammar.any(both)
                }
                "integer" => self.number(keywords, path, true)?,
                "number" => self.number(keywords, path, false)?,
                "string" => self.string(keywords, path)?,
                "array" => self.array(keywords, path)?,
                _ => self.object(keywords, path)?,
            });
        }
        Ok(self.grammar.any(all))
    }

    /// Any value.
    fn anything(&mut self) -> Result<Id, ConstraintError> {
        if let Some(rule) = self.anything {
            return Ok(rule);
        }
        let rule = self.grammar.rule();
        self.anything = Some(rule);
        let types = TYPES.iter().map(|&name| Value::from(name)).collect();
        let keywords = Keywords::from_iter([
            ("type".to_string(), Value::Array(types)),
            ("additionalProperties".to_string(), Value::Bool(true)),
        ]);
        let meaning = self.typed(&keywords, "#")?;
        self.grammar.define(rule, meaning);
        Ok(rule)
    }

    /// The schema that a reference points to.
    fn reference(&mut self, target: &str, path: &str) -> Result<Id, ConstraintError> {
        if let Some(&rule) = self.references.get(target) {
            return Ok(rule);
        }
        let schema = merge::resolve(self.document, target, path)?.clone();
        let rule = self.grammar.rule();
        self.references.insert(target.to_string(), rule);
        let meaning = self.schema(&schema, target)?;
        self.grammar.define(rule, meaning);
        Ok(rule)
    }

    /// No value, remembering why.
    fn impossible(&mut self, path: &str, reason: &str) -> Id {
        self.reason
            .get_or_insert_with(|| format!("at `{path}`, {reason}"));
        NOTHING
    }

    fn comma(&mut self) -> Id {
        self.spaced(b",")
    }

    /// A mark and perhaps a space, as in `{"a": 1, "b": 2}` and `{"a":1,"b":2}`.
    fn spaced(&mut self, mark: &[u8]) -> Id {
        let (mark, space) = (self.grammar.literal(mark), self.grammar.literal(b" "));
        let space = self.grammar.optional(space);
        self.grammar.cat(mark, space)
    }
}

/// The keyword `type` as a list.
fn types(keywords: &Keywords, path: &str) -> Result<Option<Vec<String>>, ConstraintError> {
    let known = |value: &Value| {
        let name = value.as_str().filter(|name| TYPES.contains(name));
        let name = name.ok_or_else(|| problem(path, format!("{value} is not a type")))?;
        Ok(name.to_string())
    };
    match keywords.get("type") {
        None => Ok(None),
        Some(Value::Array(names)) => names.iter().map(known).collect::<Result<_, _>>().map(Some),
        Some(name) => Ok(Some(vec![known(name)?])),
    }
}

/// Whether `value` has the type `name`.
fn is_of(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => {
            name == "number" || name == "integer" && number.as_f64().is_some_and(|n| n.fract() == 0.)
        }
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

/// A keyword that is a count.
fn count(keywords: &Keywords, keyword: &str, path: &str) -> Result<Option<u32>, ConstraintError> {
    let Some(value) = keywords.get(keyword) else {
        return Ok(None);
    };
    let whole = value.as_u64().or(value
        .as_f64()
        .filter(|n| n.fract() == 0. && *n >= 0.)
        .map(|n| n as u64));
    match whole.and_then(|n| u32::try_from(n).ok()) {
        Some(count) => Ok(Some(count)),
        None => Err(problem(
            path,
            format!("`{keyword}` is {value}, but must be a count"),
        )),
    }
}

fn problem(path: &str, problem: String) -> ConstraintError {
    ConstraintError::Schema {
        path: path.to_string(),
        problem,
    }
}

fn unsupported(path: &str, keyword: &str, detail: &str) -> ConstraintError {
    ConstraintError::Unsupported {
        path: path.to_string(),
        keyword: keyword.to_string(),
        detail: detail.to_string(),
    }
}
