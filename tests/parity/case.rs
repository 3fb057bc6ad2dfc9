//! Reading a case folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sensorium_blocks::TensorSource;
use sensorium_hub::{Model, SafetensorsFile};
use serde::Deserialize;
use serde_json::{Map, Value};
use tch::{Kind, Tensor};

/// One case: a checkpoint and its checks.
pub struct Case {
    pub name: String,
    pub folder: PathBuf,
    pub tolerances: Tolerances,
    pub checks: Vec<Check>,
    tensors: Option<SafetensorsFile>,
}

/// How close numbers must come.
#[derive(Deserialize)]
pub struct Tolerances {
    pub rtol: f64,
    pub strict_rtol: f64,
    pub atol: f64,
    pub score_rtol: f64,
    pub score_atol: f64,
}

/// One thing to compute.
#[derive(Deserialize)]
pub struct Check {
    pub id: String,
    pub kind: String,
    pub input: Map<String, Value>,
    pub expect: Map<String, Value>,
    #[serde(default)]
    pub params: Option<Map<String, Value>>,
    pub pipeline: Option<String>,
}

impl Check {
    /// One of the check's parameters.
    pub fn param(&self, name: &str) -> Option<&Value> {
        self.params.as_ref()?.get(name).filter(|value| !value.is_null())
    }
}

#[derive(Deserialize)]
struct Expected {
    case: String,
    tolerances: Tolerances,
    checks: Vec<Check>,
}

impl Case {
    pub fn open(folder: &Path) -> Result<Self> {
        let text = fs::read(folder.join("expected.json"))?;
        let expected: Expected = serde_json::from_slice(&text).context("expected.json")?;
        let tensors = folder.join("expected.safetensors");
        let tensors = tensors.is_file().then(|| SafetensorsFile::open(&tensors));
        Ok(Self {
            name: expected.case,
            folder: folder.to_path_buf(),
            tolerances: expected.tolerances,
            checks: expected.checks,
            tensors: tensors.transpose()?,
        })
    }

    /// The case's checkpoint.
    pub fn model(&self) -> Model {
        Model::in_folder(self.name.clone(), &self.folder)
    }

    /// A tensor of `expected.safetensors`.
    pub fn stored(&self, key: &str) -> Result<Tensor> {
        let tensor = self.tensors.as_ref().and_then(|tensors| tensors.tensor(key));
        tensor.with_context(|| format!("expected.safetensors has no `{key}`"))
    }

    /// An input: nested lists, or a reference to a stored tensor.
    pub fn tensor(&self, value: &Value) -> Result<Tensor> {
        if let Some(key) = value.get("tensor").and_then(Value::as_str) {
            return self.stored(key);
        }
        let mut shape = Vec::new();
        let mut inner = value;
        while let Value::Array(values) = inner {
            shape.push(values.len() as i64);
            match values.first() {
                Some(first) => inner = first,
                None => break,
            }
        }
        let mut flat = Vec::new();
        flatten(value, &mut flat)?;
        let whole = flat.iter().all(|n| n.is_i64());
        let numbers: Vec<f64> = flat.iter().filter_map(|n| n.as_f64()).collect();
        if numbers.len() as i64 != shape.iter().product::<i64>() {
            bail!("ragged lists");
        }
        let tensor = Tensor::from_slice(&numbers).view(shape.as_slice());
        Ok(tensor.to_kind(if whole { Kind::Int64 } else { Kind::Float }))
    }
}

fn flatten<'a>(value: &'a Value, flat: &mut Vec<&'a Value>) -> Result<()> {
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| flatten(value, flat)),
        Value::Number(_) => {
            flat.push(value);
            Ok(())
        }
        other => bail!("{other} is no number"),
    }
}
