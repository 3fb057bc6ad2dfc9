//! Results as JSON.

use serde_json::{Value, json};
use tch::{Kind, Tensor};

/// `{"data": […], "shape": […]}`; what JSON cannot say (infinities) as ±1e30.
pub fn of_tensor(tensor: &Tensor) -> Value {
    let shape = tensor.size();
    if tensor.is_floating_point() {
        let flat = tensor.to_kind(Kind::Double).contiguous().view(-1);
        let data: Vec<f64> = Vec::try_from(flat).unwrap_or_default();
        let data: Vec<Value> = data
            .into_iter()
            .map(|x| {
                if x.is_nan() {
                    Value::Null
                } else {
                    json!(x.clamp(-1e30, 1e30))
                }
            })
            .collect();
        return json!({ "data": data, "shape": shape });
    }
    let flat = tensor.to_kind(Kind::Int64).contiguous().view(-1);
    json!({ "data": Vec::<i64>::try_from(flat).unwrap_or_default(), "shape": shape })
}

/// Ids: one, or a list.
pub fn ids(value: &Value) -> Vec<i64> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_i64).collect(),
        one => one.as_i64().into_iter().collect(),
    }
}
