//! Whatever the model prefers, the output is JSON that the schema accepts.

mod support;

use proptest::prelude::*;
use sensorium_generation::TextConstraint;
use serde_json::{Value, json};
use support::constraint::{vocabulary, write};

/// Whether `schema` accepts `value`, written independently of the compiler.
fn accepts(schema: &Value, root: &Value, value: &Value) -> bool {
    let Value::Object(s) = schema else {
        return *schema == Value::Bool(true);
    };
    let number = |name: &str| s.get(name).and_then(Value::as_f64);
    let of = |name: &str| match (name, value) {
        ("null", Value::Null) | ("boolean", Value::Bool(_)) | ("string", Value::String(_)) => true,
        ("array", Value::Array(_)) | ("object", Value::Object(_)) | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(n)) => n.as_f64().unwrap().fract() == 0.,
        _ => false,
    };
    let typed = match s.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(|name| of(name.as_str().unwrap())),
        Some(name) => of(name.as_str().unwrap()),
    };
    let sub = |schema: &Value, value: &Value| accepts(schema, root, value);
    let list = |name: &str| s.get(name).and_then(Value::as_array);
    let valid = typed
        && s.get("$ref")
            .is_none_or(|r| sub(root.pointer(&r.as_str().unwrap()[1..]).unwrap(), value))
        && s.get("const").is_none_or(|c| c == value)
        && list("enum").is_none_or(|all| all.contains(value))
        && list("anyOf").is_none_or(|all| all.iter().any(|one| sub(one, value)))
        && list("allOf").is_none_or(|all| all.iter().all(|one| sub(one, value)))
        && list("oneOf").is_none_or(|all| all.iter().filter(|one| sub(one, value)).count() == 1);
    valid
        && match value {
            Value::Number(n) => {
                let n = n.as_f64().unwrap();
                number("minimum").is_none_or(|b| n >= b)
                    && number("maximum").is_none_or(|b| n <= b)
                    && number("exclusiveMinimum").is_none_or(|b| n > b)
                    && number("exclusiveMaximum").is_none_or(|b| n < b)
            }
            Value::String(text) => {
                let len = text.chars().count() as f64;
                number("minLength").is_none_or(|b| len >= b)
                    && number("maxLength").is_none_or(|b| len <= b)
                    && s.get("pattern")
                        .is_none_or(|p| regex::Regex::new(p.as_str().unwrap()).unwrap().is_match(text))
            }
            Value::Array(items) => {
                let prefix = list("prefixItems").map_or(&[][..], Vec::as_slice);
                number("minItems").is_none_or(|b| items.len() as f64 >= b)
                    && number("maxItems").is_none_or(|b| items.len() as f64 <= b)
                    && prefix.iter().zip(items).all(|(schema, item)| sub(schema, item))
                    && items
                        .iter()
                        .skip(prefix.len())
                        .all(|item| s.get("items").is_none_or(|schema| sub(schema, item)))
            }
            Value::Object(members) => {
                let declared = s.get("properties").and_then(Value::as_object);
                list("required")
                    .is_none_or(|names| names.iter().all(|n| members.contains_key(n.as_str().unwrap())))
                    && members
                        .iter()
                        .all(|(name, value)| match declared.and_then(|d| d.get(name)) {
                            Some(schema) => sub(schema, value),
                            None => s
                                .get("additionalProperties")
                                .is_none_or(|schema| sub(schema, value)),
                        })
            }
            _ => true,
        }
}

fn schema(depth: u32) -> BoxedStrategy<Value> {
    let bounds = || (-2000..2000i32, 0..300i32, 0..4u32);
    let number = |name: &'static str| {
        bounds().prop_map(move |(low, width, scale)| {
            let value = |n: i32| json!(f64::from(n) / 10f64.powi(scale as i32));
            let both = json!({"type": name, "minimum": value(low), "maximum": value(low + width)});
            let open =
                json!({"type": name, "exclusiveMinimum": value(low), "maximum": value(low + width + 1)});
            match low.rem_euclid(4) {
                0 if name == "number" || scale == 0 => both,
                1 if name == "number" => open,
                2 => json!({"type": name, "exclusiveMinimum": value(low)}),
                _ => json!({"type": name, "maximum": value(low)}),
            }
        })
    };
    let leaf = prop_oneof![
        prop::sample::select(vec![
            json!({"type": "null"}),
            json!({"type": "boolean"}),
            json!({"type": ["string", "null"]}),
            json!({"const": {"a": [1, "\u{e9}\"\n"]}}),
            json!({"enum": ["x", 1, null, "x\"y"]}),
            json!({"type": "number"}),
            json!({"type": "integer"}),
            json!({"type": "string", "pattern": "^[a-c]{2,3}$|\"\\d+"}),
            json!({"type": "string", "pattern": "[^\\x00-\\x7f]\\n"})
        ]),
        number("integer"),
        number("number"),
        (0..4u32, 0..4u32).prop_map(|(a, b)| json!({"type": "string", "minLength": a, "maxLength": a + b})),
    ];
    leaf.prop_recursive(depth, 12, 3, |inner| {
        let names = prop::collection::vec(prop::sample::select(vec!["a", "ab", "b", "é", "q\"", ""]), 0..4);
        prop_oneof![
            (
                names,
                prop::collection::vec(inner.clone(), 4),
                any::<u8>(),
                prop::option::of(inner.clone())
            )
                .prop_map(|(names, schemas, required, more)| {
                    let properties: serde_json::Map<String, Value> =
                        names.iter().map(|n| n.to_string()).zip(schemas).collect();
                    let required: Vec<&&str> = names
                        .iter()
                        .zip(0..)
                        .filter(|(_, i)| required >> i & 1 == 1)
                        .map(|(n, _)| n)
                        .collect();
                    let mut schema =
                        json!({"type": "object", "properties": properties, "required": required});
                    match more {
                        Some(more) => schema["additionalProperties"] = more,
                        None => schema["additionalProperties"] = json!(false),
                    }
                    schema
                }),
            (inner.clone(), 0..3u32, 0..3u32).prop_map(
                |(item, a, b)| json!({"type": "array", "items": item, "minItems": a, "maxItems": a + b})
            ),
            (prop::collection::vec(inner.clone(), 1..3), 0..4u32)
                .prop_map(|(items, min)| json!({"type": "array", "prefixItems": items, "minItems": min})),
            prop::collection::vec(inner, 1..3).prop_map(|all| json!({"anyOf": all})),
        ]
    })
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn json_meets_its_schema(schema in schema(3), seed: u64, beams in 1..3usize) {
        let mut constraint = TextConstraint::json_schema(&schema, vocabulary()).unwrap();
        let (text, ended) = write(&mut constraint, seed, beams, 120);
        if ended {
            let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            prop_assert!(accepts(&schema, &schema, &value), "{}", text);
            prop_assert!(constraint.matches(&text));
        }
    }

    #[test]
    fn bounds_are_exact(low in -3000..3000i64, width in 0..3000i64, scale in 0..4u32, n in -70000..70000i64, places in 0..5u32) {
        let value = |n: i64, scale: u32| n as f64 / 10f64.powi(scale as i32);
        let (min, max) = (value(low, scale), value(low + width, scale));
        let number = value(n, places);
        let text = format!("{number:.*}", places as usize);
        let text = if text.trim_start_matches('-').trim_matches(['0', '.']).is_empty() { "0".to_string() } else { text };
        for (lower, upper, inside) in [
            ("minimum", "maximum", (min..=max).contains(&number)),
            ("exclusiveMinimum", "maximum", number > min && number <= max),
            ("minimum", "exclusiveMaximum", number >= min && number < max),
        ] {
            let schema = json!({"type": "number", lower: min, upper: max});
            match TextConstraint::json_schema(&schema, vocabulary()) {
                Ok(mut constraint) => prop_assert_eq!(constraint.matches(&text), inside, "{} {}", schema, text),
                Err(error) => prop_assert!(!inside, "{}", error),
            }
            let schema = json!({"type": "integer", lower: min, upper: max});
            let inside = inside && number.fract() == 0.;
            let text = number.to_string();
            match TextConstraint::json_schema(&schema, vocabulary()) {
                Ok(mut constraint) => prop_assert_eq!(constraint.matches(&text), inside, "{} {}", schema, text),
                Err(error) => prop_assert!(!inside, "{}", error),
            }
        }
    }
}

fn matching(schema: Value, good: &[&str], bad: &[&str]) {
    let mut constraint = TextConstraint::json_schema(&schema, vocabulary()).unwrap();
    for text in good {
        assert!(constraint.matches(text), "{schema} {text}");
    }
    for text in bad {
        assert!(!constraint.matches(text), "{schema} {text}");
    }
}

#[test]
fn schemas_accept_and_refuse() {
    matching(
        json!({"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["b"]}),
        &[
            r#"{"a":1,"b":"x"}"#,
            r#"{"b": "x"}"#,
            r#"{"a": 1, "b": "\u00e9\n"}"#,
        ],
        &[
            r#"{"a":1}"#,
            r#"{"b":"x","a":1}"#,
            r#"{"b":"x",}"#,
            r#"{"b":"x"#,
            r#"{"b":"\ud800"}"#,
        ],
    );
    matching(
        json!({"type": "object", "properties": {"ab": {"const": 1}}, "additionalProperties": {"type": "null"}}),
        &[
            "{}",
            r#"{"ab":1}"#,
            r#"{"a":null}"#,
            r#"{"ab":1,"abc":null}"#,
            r#"{"":null,"é":null}"#,
        ],
        &[r#"{"ab":null}"#, r#"{"ab":1,"ab":null}"#, r#"{"a":1}"#],
    );
    let tree = json!({
        "$defs": {"tree": {
            "type": "object",
            "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            "required": ["value"], "additionalProperties": false,
        }},
        "$ref": "#/$defs/tree",
    });
    matching(
        tree,
        &[
            r#"{"value":1}"#,
            r#"{"value":1,"children":[{"value":2,"children":[]},{"value":3}]}"#,
        ],
        &[r#"{"value":1,"children":[{}]}"#],
    );
    matching(
        json!({}),
        &["[1,{\"a\":[null]}]", "\"x\"", "-1.5e3", "true"],
        &["[1,]", "01", "nul", ""],
    );
    matching(
        json!({"allOf": [
            {"properties": {"a": {"type": "number"}}, "required": ["a"]},
            {"properties": {"a": {"type": "integer"}, "b": {}}, "additionalProperties": false},
        ]}),
        &[r#"{"a":1}"#, r#"{"a":1,"b":[]}"#],
        &[r#"{"a":1.5}"#, r#"{"b":1}"#],
    );
    matching(
        json!({"type": "string", "anyOf": [{"maxLength": 1}, {"enum": ["long"]}]}),
        &[r#""a""#, r#""""#, r#""long""#],
        &[r#""ab""#, "1"],
    );
    matching(
        json!({"type": "string", "format": "date"}),
        &[r#""2024-02-28""#],
        &[r#""2024-13-01""#, r#""2024-04-31""#],
    );
    matching(
        json!({"type": "string", "format": "date-time"}),
        &[r#""2024-02-28T23:59:00Z""#],
        &[r#""2024-02-28""#],
    );
    matching(
        json!({"type": "array", "items": [{"const": 1}], "additionalItems": false}),
        &["[]", "[1]"],
        &["[1,1]"],
    );
}
