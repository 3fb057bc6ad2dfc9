//! Whatever the model prefers, the output matches; what nothing can match is refused.

mod support;

use std::sync::Arc;

use proptest::prelude::*;
use sensorium_generation::{
    Constraint, ConstraintError, Error, Finish, Options, Prompt, TextConstraint, Vocabulary, generate,
};
use serde_json::json;
use support::constraint::{vocabulary, write};
use support::{Toy, config, mix};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn text_matches_its_expression(
        pattern in prop::sample::select(vec![
            "[0-9]{3}-[0-9]{4}", "(yes|no|maybe)", "^a+b*(c|€)?$", r"\w{1,4}@\w+\.(com|org)", "(?i)hello+", ".{0,5}",
            "[^a-z]{2,4}x", "a|b|", r"\p{Greek}{2,6}", "(ab|a)(bc|c)", "x{2,}y?",
        ]),
        seed: u64,
        beams in 1..4usize,
    ) {
        let mut constraint = TextConstraint::regex(pattern, vocabulary()).unwrap();
        let (text, ended) = write(&mut constraint, seed, beams, 60);
        if ended {
            let whole = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
            prop_assert!(whole.is_match(&text), "{:?}", text);
        }
    }

    #[test]
    fn expressions_match_the_same_texts(
        pattern in "(\\(?[ab]{1,2}[|*+?]?\\)?|\\[ab\\]|a\\{1,3\\}|\\.|é){1,5}",
        texts in prop::collection::vec("[abé]{0,6}", 20),
    ) {
        let (Ok(_), Ok(whole)) = (regex::Regex::new(&pattern), regex::Regex::new(&format!("^(?:{pattern})$"))) else { return Ok(()) };
        let Ok(mut constraint) = TextConstraint::regex(&pattern, vocabulary()) else {
            return Err(TestCaseError::fail(pattern));
        };
        for text in texts {
            prop_assert_eq!(constraint.matches(&text), whole.is_match(&text), "{} {}", pattern, text);
        }
    }
}

#[test]
fn what_cannot_be_met_is_an_error() {
    for (schema, reason) in [
        (json!(false), "at `#`, nothing is accepted"),
        (json!({"enum": []}), "at `#`, `enum` has no value"),
        (
            json!({"enum": [1], "type": "string"}),
            "at `#`, no given value has a type that is accepted",
        ),
        (json!({"type": []}), "at `#`, no type is accepted"),
        (
            json!({"allOf": [{"type": "string"}, {"type": "integer"}]}),
            "at `#`, no type is accepted",
        ),
        (
            json!({"type": "integer", "minimum": 3, "maximum": 2}),
            "at `#`, no number lies between the bounds",
        ),
        (
            json!({"type": "integer", "exclusiveMinimum": 2, "exclusiveMaximum": 3}),
            "at `#`, no number lies between the bounds",
        ),
        (
            json!({"type": "number", "minimum": 3, "exclusiveMaximum": 3}),
            "at `#`, no number lies between the bounds",
        ),
        (
            json!({"type": "string", "minLength": 3, "maxLength": 2}),
            "at `#`, `minLength` is greater than `maxLength`",
        ),
        (json!({"type": "string", "pattern": "a^b"}), "regular"),
        (
            json!({"type": "array", "minItems": 3, "maxItems": 2}),
            "at `#`, `minItems` is greater than `maxItems`",
        ),
        (
            json!({"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]}),
            "at `#/properties/a`, `enum` has no value",
        ),
        (
            json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}),
            "the schema at `#` requires itself without end",
        ),
        (
            json!({"$ref": "#"}),
            "the schema at `#` requires itself without end",
        ),
    ] {
        let error = TextConstraint::json_schema(&schema, vocabulary()).unwrap_err();
        let found = error.to_string();
        assert!(
            found == format!("no output can meet the constraint: {reason}") || found.starts_with(reason),
            "{found}"
        );
    }
    assert!(matches!(
        TextConstraint::json_schema(&json!({"not": {}}), vocabulary()).unwrap_err(),
        ConstraintError::Unsupported { keyword, .. } if keyword == "not"
    ));
    for schema in [
        json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}),
        json!({"type": "string", "pattern": "a", "maxLength": 3}),
        json!({"type": "array", "uniqueItems": true}),
        json!({"$ref": "other.json"}),
        json!({"allOf": [{"$ref": "#"}]}),
    ] {
        let error = TextConstraint::json_schema(&schema, vocabulary()).unwrap_err();
        assert!(matches!(error, ConstraintError::Unsupported { .. }), "{error}");
    }
    for schema in [
        json!(1),
        json!({"type": "text"}),
        json!({"$ref": "#/nowhere"}),
        json!({"minLength": -1}),
    ] {
        let error = TextConstraint::json_schema(&schema, vocabulary()).unwrap_err();
        assert!(matches!(error, ConstraintError::Schema { .. }), "{error}");
    }
    for pattern in ["(", r"a\bb", "a^b"] {
        let error = TextConstraint::regex(pattern, vocabulary()).unwrap_err();
        assert!(matches!(error, ConstraintError::Pattern { .. }), "{error}");
    }
    let error = TextConstraint::regex("a[^\\x00-\\x{10ffff}]", vocabulary()).unwrap_err();
    assert!(matches!(error, ConstraintError::Unsatisfiable { .. }), "{error}");
}

#[test]
fn the_end_comes_where_nothing_else_may() {
    let vocabulary = vocabulary();
    let mut constraint = TextConstraint::regex("abc", Arc::clone(&vocabulary)).unwrap();
    for beams in [1, 2] {
        let mut toy = Toy::new(1, vocabulary.len(), &[0]);
        let settings = config(json!({"num_beams": beams, "max_new_tokens": 50}));
        let options = Options {
            constraint: Some(&mut constraint),
            ..Default::default()
        };
        let found = generate(&mut toy, &Prompt::single(&[0]).unwrap(), &settings, options).unwrap();
        assert_eq!(found[0].ids, [97, 98, 99]);
        assert_eq!(found[0].finish, Finish::Constraint);
    }
    // A vocabulary that cannot spell it.
    let vocabulary = Arc::new(Vocabulary::new(vec![b"a".to_vec(), b"c".to_vec()]));
    let mut constraint = TextConstraint::regex("abc", vocabulary).unwrap();
    let mut toy = Toy::new(1, 2, &[0]);
    let options = Options {
        constraint: Some(&mut constraint),
        ..Default::default()
    };
    let error = generate(
        &mut toy,
        &Prompt::single(&[0]).unwrap(),
        &config(json!({})),
        options,
    )
    .unwrap_err();
    assert!(matches!(error, Error::NothingAllowed { row: 0, len: 2 }));
}

#[test]
fn masks_agree_with_steps() {
    let vocabulary = vocabulary();
    let schema =
        json!({"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "number"}}});
    let mut constraint = TextConstraint::json_schema(&schema, Arc::clone(&vocabulary)).unwrap();
    let mut state = constraint.start().unwrap();
    for seed in 0..60u64 {
        let allowed = constraint.allowed(state);
        let by_step: Vec<i64> = (0..vocabulary.len() as i64)
            .filter(|&token| constraint.advance(state, token).is_some())
            .collect();
        let by_mask: Vec<i64> = (0..vocabulary.len() as i64)
            .filter(|&token| allowed.contains(token as usize))
            .collect();
        assert_eq!(by_step, by_mask);
        if by_mask.is_empty() {
            break;
        }
        let token = by_mask[mix(seed, 9) as usize % by_mask.len()];
        state = constraint.advance(state, token).unwrap();
    }
}
