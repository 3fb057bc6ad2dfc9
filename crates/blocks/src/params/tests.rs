use super::*;
use crate::MemorySource;

fn source() -> Arc<dyn TensorSource> {
    let options = (Kind::Float, Device::Cpu);
    let tensors = [("a.weight", [2, 3]), ("a.bias", [2, 1]), ("b", [4, 1])];
    let tensors = tensors.map(|(name, shape)| (name.to_string(), Tensor::ones(shape, options)));
    Arc::new(MemorySource::new(tensors))
}

#[test]
fn errors_name_the_tensor() {
    let params = Params::stored(source());
    let error = (&params / "a").weight("gain", &[2], Init::Const(0.)).unwrap_err();
    assert_eq!(error.to_string(), "memory: tensor `a.gain` [2] is missing");
    let error = (&params / "a")
        .weight("weight", &[3, 2], Init::Const(0.))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "memory: tensor `a.weight`: expected shape [3, 2], found [2, 3]"
    );
    let _ = (&params / "a")
        .weight("weight", &[2, 3], Init::Const(0.))
        .unwrap();
    let error = params.check_all_used().unwrap_err();
    assert_eq!(
        error.to_string(),
        "memory: 2 tensors the model has no place for: `a.bias`, `b`"
    );
}

#[test]
fn stored_tensors_are_shared_and_trainable_ones_copied() {
    let source = source();
    let stored = source.tensor("b").unwrap();
    let shared = Params::stored(Arc::clone(&source))
        .weight("b", &[4, 1], Init::He)
        .unwrap();
    assert_eq!(shared.data_ptr(), stored.data_ptr());
    assert!(!shared.requires_grad());
    let copy = Params::trainable(source).weight("b", &[4, 1], Init::He).unwrap();
    assert_ne!(copy.data_ptr(), stored.data_ptr());
    assert!(copy.requires_grad());
}

#[test]
fn frozen_tensors_are_saved_but_not_learned() {
    let params = Params::trainable(source()).freezing("a.");
    let frozen = (&params / "a").weight("weight", &[2, 3], Init::He).unwrap();
    let learned = params.weight("b", &[4, 1], Init::He).unwrap();
    assert!(!frozen.requires_grad() && learned.requires_grad());
    let roles: Vec<Role> = params.all().iter().map(|param| param.role).collect();
    assert_eq!(roles, [Role::Buffer, Role::Weight]);
    assert_eq!(params.count(), 4);
}

#[test]
fn drawn_tensors_are_fresh_ones_whatever_is_stored() {
    let params = Params::trainable(source()).drawing("a.", 7).drawing("head.", 7);
    let fresh = Params::fresh(7);
    for (name, shape) in [("a.weight", [5, 3]), ("head.weight", [4, 2])] {
        assert_eq!(params.has(name), Some(true));
        let drawn = params.weight(name, &shape, Init::He).unwrap();
        assert!(drawn.requires_grad());
        assert!(drawn.equal(&fresh.weight(name, &shape, Init::He).unwrap()));
    }
    let stored = params.weight("b", &[4, 1], Init::He).unwrap();
    assert!(stored.eq(1.0).all().int64_value(&[]) == 1);
    assert_eq!(params.has("c"), Some(false));
}

#[test]
fn fresh_values_depend_on_seed_and_name_only() {
    let draw = |seed, names: [&str; 2]| {
        let params = Params::fresh(seed);
        names.map(|n| params.weight(n, &[3, 3], Init::He).unwrap())
    };
    let [a, b] = draw(1, ["a", "b"]);
    let [b2, a2] = draw(1, ["b", "a"]);
    let [a3, _] = draw(2, ["a", "b"]);
    assert!(a.equal(&a2) && b.equal(&b2));
    assert!(!a.equal(&b) && !a.equal(&a3));
}

#[test]
fn kinds_convert_on_the_way_in() {
    let params = Params::stored(source()).of_kind(Kind::Half);
    assert_eq!(params.weight("b", &[4, 1], Init::He).unwrap().kind(), Kind::Half);
}

#[test]
fn a_mixed_checkpoint_becomes_one_kind() {
    let of = |kind, count: i64| Tensor::ones([count], (kind, Device::Cpu));
    let mixed: [(&str, Tensor); 5] = [
        ("many", of(Kind::BFloat16, 6)),
        ("few", of(Kind::Float, 3)),
        ("wide", of(Kind::Double, 3)),
        ("count", of(Kind::Int64, 1)),
        ("codes", of(Kind::Int8, 9)),
    ];
    let mixed = mixed.map(|(name, tensor)| (name.to_string(), tensor));
    let params = Params::stored(Arc::new(MemorySource::new(mixed)));
    for (name, count) in [("many", 6), ("few", 3), ("wide", 3)] {
        let tensor = params.weight(name, &[count], Init::He).unwrap();
        assert_eq!(tensor.kind(), Kind::BFloat16, "{name}");
    }
    assert_eq!(
        params.buffer("count", &[1], Init::He).unwrap().kind(),
        Kind::Int64
    );
    let error = params.weight("codes", &[9], Init::He).unwrap_err();
    assert_eq!(
        error.to_string(),
        "memory: tensor `codes`: expected floating-point numbers, found Int8"
    );
    let doubles = MemorySource::new([("w".to_string(), of(Kind::Double, 2))]);
    let weight = Params::stored(Arc::new(doubles))
        .weight("w", &[2], Init::He)
        .unwrap();
    assert_eq!(weight.kind(), Kind::Float);
}
