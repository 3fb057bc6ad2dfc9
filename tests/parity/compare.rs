//! Comparing a result with what the case expects, by the rules of `check_parity.py`.

use serde_json::{Map, Value};
use tch::{Kind, Tensor};

use crate::case::{Case, Check, Tolerances};

/// How a field came out.
pub enum Verdict {
    Pass,
    /// Within the tolerance, but further off than rounding explains.
    Near(String),
    Fail(String),
}

/// A verdict for each field that the check expects.
pub fn check(case: &Case, check: &Check, result: &Map<String, Value>) -> Vec<(String, Verdict)> {
    let verdict = |field: &str, expected: &Value| {
        let Some(got) = result.get(field) else {
            return Verdict::Fail("is not in the result".to_string());
        };
        if expected.get("tensor").is_some() {
            return match tensor(case, expected, got) {
                Ok(verdict) => verdict,
                Err(problem) => Verdict::Fail(problem),
            };
        }
        match value(&case.tolerances, "", expected, got) {
            Ok(()) => Verdict::Pass,
            Err(note) => Verdict::Fail(note),
        }
    };
    let fields = check.expect.iter();
    fields
        .map(|(field, expected)| (field.clone(), verdict(field, expected)))
        .collect()
}

fn tensor(case: &Case, reference: &Value, got: &Value) -> Result<Verdict, String> {
    let key = reference["tensor"].as_str().unwrap_or_default();
    let stored = case.stored(key).map_err(|e| e.to_string())?;
    let is_float = stored.is_floating_point();
    let mut expected = stored.to_kind(Kind::Double);
    let mut actual = read(case, got)?.to_kind(Kind::Double);
    if let (Some(slices), Some(full)) = (reference["slice"].as_array(), reference["full_shape"].as_array()) {
        let full: Vec<i64> = full.iter().filter_map(Value::as_i64).collect();
        if actual.size() == full {
            for (dim, slice) in slices.iter().enumerate() {
                let part = |i: usize| slice[i].as_i64();
                actual = actual.slice(dim as i64, part(0), part(1), part(2).unwrap_or(1));
            }
        }
    }
    if actual.size() != expected.size() {
        let (found, wanted) = (actual.size(), expected.size());
        return Err(format!("shape {found:?}, expected {wanted:?}"));
    }
    if expected.numel() == 0 {
        return Ok(Verdict::Pass);
    }
    if let Some(mask) = reference["mask"].as_str() {
        let mut mask = case
            .stored(mask)
            .map_err(|e| e.to_string())?
            .ne(0)
            .to_kind(Kind::Double);
        while mask.dim() < expected.dim() {
            mask = mask.unsqueeze(-1);
        }
        (actual, expected) = (actual * &mask, expected * mask);
    }
    let low = expected.lt(-1e29);
    if !low.equal(&actual.lt(-1e29)) {
        return Err("not the same entries are minus infinity".to_string());
    }
    (actual, expected) = (actual.masked_fill(&low, 0.0), expected.masked_fill(&low, 0.0));
    let difference = (&actual - &expected).abs();
    if let Some(allowed) = reference["max_mismatch"].as_f64() {
        let share = difference
            .ne(0.0)
            .to_kind(Kind::Double)
            .mean(Kind::Double)
            .double_value(&[]);
        return Ok(if share <= allowed {
            Verdict::Pass
        } else {
            Verdict::Fail(format!("{share:.5} of the entries differ, {allowed} allowed"))
        });
    }
    let worst = difference.max().double_value(&[]);
    if !worst.is_finite() {
        return Err("not finite".to_string());
    }
    let scale = expected.abs().max().double_value(&[]);
    let note = format!("off by {worst:.3e}, {:.3e} of the largest", worst / scale);
    let Tolerances {
        rtol,
        strict_rtol,
        atol,
        ..
    } = case.tolerances;
    Ok(if !is_float {
        if worst == 0.0 {
            Verdict::Pass
        } else {
            Verdict::Fail("integers differ".to_string())
        }
    } else if worst <= atol + strict_rtol * scale {
        Verdict::Pass
    } else if worst <= atol + rtol * scale {
        Verdict::Near(note)
    } else {
        Verdict::Fail(note)
    })
}

/// A tensor of a result: `{"data", "shape"}` or nested lists.
fn read(case: &Case, got: &Value) -> Result<Tensor, String> {
    let Some(data) = got.get("data").and_then(Value::as_array) else {
        return case.tensor(got).map_err(|e| e.to_string());
    };
    let data: Vec<f64> = data.iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect();
    let shape = got["shape"].as_array().cloned().unwrap_or_default();
    let shape: Vec<i64> = shape.iter().filter_map(Value::as_i64).collect();
    Ok(Tensor::from_slice(&data).view(shape.as_slice()))
}

/// Nested JSON; the error says where the first difference is.
fn value(tolerances: &Tolerances, path: &str, expected: &Value, got: &Value) -> Result<(), String> {
    let differ = || Err(format!("{path}: {}, expected {}", short(got), short(expected)));
    match expected {
        Value::Number(number) if number.is_f64() => {
            let (Some(wanted), Some(found)) = (expected.as_f64(), got.as_f64()) else {
                return differ();
            };
            let allowed = tolerances.score_atol + tolerances.score_rtol * wanted.abs();
            if (wanted - found).abs() <= allowed {
                Ok(())
            } else {
                differ()
            }
        }
        Value::Number(_) => {
            if expected.as_f64() == got.as_f64() {
                Ok(())
            } else {
                differ()
            }
        }
        Value::Array(wanted) => {
            let Some(found) = got.as_array().filter(|found| found.len() == wanted.len()) else {
                return differ();
            };
            let mut pairs = wanted.iter().zip(found).enumerate();
            pairs.try_for_each(|(i, (e, g))| value(tolerances, &format!("{path}[{i}]"), e, g))
        }
        Value::Object(wanted) => {
            let mut fields = wanted.iter();
            fields.try_for_each(|(key, e)| value(tolerances, &format!("{path}.{key}"), e, &got[key]))
        }
        _ if expected == got => Ok(()),
        _ => differ(),
    }
}

fn short(value: &Value) -> String {
    const MOST: usize = 160;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
