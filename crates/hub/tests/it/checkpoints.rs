//! Safetensors: what is saved is what is loaded.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sensorium_blocks::TensorSource;
use sensorium_hub::{Error, SafetensorsFile, SafetensorsProblem, SaveProblem, save_safetensors};
use tch::{Device, Kind, Tensor};

use crate::{says, tree};

pub const KINDS: &[Kind] = &[
    Kind::Double,
    Kind::Float,
    Kind::Half,
    Kind::BFloat16,
    Kind::Int64,
    Kind::Int,
    Kind::Int16,
    Kind::Int8,
    Kind::Uint8,
    Kind::Bool,
];

fn bytes(tensor: &Tensor) -> Vec<u8> {
    let tensor = tensor.contiguous();
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    bytes
}

fn no_metadata() -> BTreeMap<String, String> {
    BTreeMap::new()
}

/// A tensor of any type and shape, any bits in it (a NaN with a payload, too), transposed or not.
fn any_tensor() -> impl Strategy<Value = Tensor> {
    (
        prop::sample::select(KINDS),
        prop::collection::vec(0i64..5, 0..4),
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(|(kind, shape, seed, transposed)| {
            let mut state = seed | 1;
            let numel = shape.iter().product::<i64>() as usize;
            let data: Vec<u8> = (0..numel * kind.elt_size_in_bytes())
                .map(|_| {
                    state = state
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    let byte = (state >> 56) as u8;
                    if kind == Kind::Bool { byte & 1 } else { byte }
                })
                .collect();
            let tensor = Tensor::from_data_size(&data, &shape, kind);
            if transposed && shape.len() > 1 {
                tensor.transpose(0, 1)
            } else {
                tensor
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn saving_and_loading_is_the_identity(
        tensors in prop::collection::btree_map("[a-z._0-9é\"\\\\]{0,12}", any_tensor(), 0..6),
        metadata in prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let tensors: Vec<(String, Tensor)> = tensors.into_iter().collect();
        save_safetensors(&path, &tensors, &metadata).unwrap();

        let file = SafetensorsFile::open(&path).unwrap();
        prop_assert_eq!(file.metadata(), &metadata);
        let names: Vec<&str> = tensors.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(file.names(), names);
        for (name, saved) in &tensors {
            let loaded = file.tensor(name).unwrap();
            prop_assert_eq!(loaded.kind(), saved.kind());
            prop_assert_eq!(file.kind(name), Some(saved.kind()));
            prop_assert_eq!(file.shape(name), Some(saved.size()));
            prop_assert_eq!(loaded.size(), saved.size());
            prop_assert_eq!(bytes(&loaded), bytes(saved));
        }

        // The order in which the tensors come does not matter.
        let again = dir.path().join("again.safetensors");
        let reversed: Vec<(String, Tensor)> = tensors.into_iter().rev().collect();
        save_safetensors(&again, &reversed, &metadata).unwrap();
        prop_assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());

        // The reference implementation reads it.
        let written = fs::read(&path).unwrap();
        let reference = safetensors::SafeTensors::deserialize(&written).unwrap();
        prop_assert_eq!(reference.len(), reversed.len());
    }
}

#[test]
fn the_bytes_are_those_of_the_reference_implementation() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let tensors = [
        ("step".to_string(), Tensor::from_slice(&[7u8])),
        (
            "w".to_string(),
            Tensor::from_slice(&[1f32, 2., 3., 4.]).view([2, 2]),
        ),
        ("b".to_string(), Tensor::from_slice(&[5f32])),
    ];
    let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    save_safetensors(&path, &tensors, &metadata).unwrap();

    let data: Vec<(&str, Vec<u8>)> = tensors
        .iter()
        .map(|(name, t)| (name.as_str(), bytes(t)))
        .collect();
    let views = tensors.iter().zip(&data).map(|((name, t), (_, data))| {
        let dtype = if t.kind() == Kind::Float {
            safetensors::Dtype::F32
        } else {
            safetensors::Dtype::U8
        };
        let shape = t.size().iter().map(|&d| d as usize).collect();
        (
            name,
            safetensors::tensor::TensorView::new(dtype, shape, data).unwrap(),
        )
    });
    let reference = safetensors::serialize(views, Some(metadata.into_iter().collect())).unwrap();
    assert_eq!(fs::read(&path).unwrap(), reference);
}

#[test]
fn tensors_lie_in_the_mapped_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    save_safetensors(
        &path,
        &[("w".to_string(), Tensor::from_slice(&[1f32, 2.]))],
        &no_metadata(),
    )
    .unwrap();
    let file = SafetensorsFile::open(&path).unwrap();
    assert_eq!(
        file.tensor("w").unwrap().data_ptr(),
        file.tensor("w").unwrap().data_ptr()
    );
    assert!(file.tensor("v").is_none());
    assert_eq!(file.origin(), path.display().to_string());
}

#[test]
fn a_saved_file_can_be_replaced_while_its_tensors_are_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let save = |x: f32| {
        save_safetensors(
            &path,
            &[("w".to_string(), Tensor::from_slice(&[x]))],
            &no_metadata(),
        )
    };
    save(1.).unwrap();
    let old = SafetensorsFile::open(&path).unwrap().tensor("w").unwrap();
    save(2.).unwrap();
    let new = SafetensorsFile::open(&path).unwrap().tensor("w").unwrap();
    assert_eq!((old.double_value(&[0]), new.double_value(&[0])), (1., 2.));
}

#[test]
fn what_cannot_be_saved_is_said_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let one = || Tensor::from_slice(&[1f32]);
    let complex = Tensor::zeros([2], (Kind::ComplexFloat, Device::Cpu));
    let save = |tensors: &[(String, Tensor)]| save_safetensors(&path, tensors, &no_metadata()).unwrap_err();

    let error = save(&[("z".to_string(), complex)]);
    assert!(matches!(
        &error,
        Error::SaveTensor {
            problem: SaveProblem::Kind(_),
            ..
        }
    ));
    says(
        &error,
        &["tensor `z`", "x.safetensors", "no type for ComplexFloat"],
    );
    says(
        &save(&[("w".to_string(), one()), ("w".to_string(), one())]),
        &["`w`", "two of that name"],
    );
    says(
        &save(&[("__metadata__".to_string(), one())]),
        &["`__metadata__`", "reserved"],
    );
    assert!(tree(dir.path()).is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let error = save_safetensors(Path::new("/dev/full"), &[], &no_metadata()).unwrap_err();
    says(&error, &["cannot write /dev/full", "No space left on device"]);
}

#[test]
fn what_is_no_checkpoint_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let check = |contents: &[u8], parts: &[&str]| {
        let path = dir.path().join("m.safetensors");
        fs::write(&path, contents).unwrap();
        let error = SafetensorsFile::open(&path).unwrap_err();
        says(&error, &["m.safetensors"]);
        says(&error, parts);
    };
    let file =
        |header: &str, data: &[u8]| [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();

    check(b"", &["it is empty"]);
    check(b"abc", &["cut short, 3 bytes of 8"]);
    check(&file("{}", b"")[..9], &["cut short, 9 bytes of 10"]);
    check(b"PK\x03\x04 and so on", &["a header of", "another format"]);
    check(
        b"version https://git-lfs.github.com/spec/v1\n",
        &["Git LFS pointer", "git lfs pull"],
    );
    check(&file("{\"w\":", b""), &["its header is wrong", "line 1 column 5"]);
    check(&file("[]", b""), &["its header is wrong"]);

    let w = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    check(&file(&w("F32", "[2]", "[0,8]"), &[0; 4]), &["cut short"]);
    check(&file(&w("F32", "[2]", "[0,8]"), &[0; 9]), &["1 bytes follow"]);
    check(&file(&w("F32", "[2]", "[4,12]"), &[0; 12]), &["offset", "`w`"]);
    check(
        &file(&w("F32", "[3]", "[0,8]"), &[0; 8]),
        &["header is wrong", "invalid shape"],
    );
    check(
        &file(&w("F8_E4M3", "[2]", "[0,2]"), &[0; 2]),
        &["tensor `w`", "F8_E4M3"],
    );
    check(&file(&w("U64", "[1]", "[0,8]"), &[0; 8]), &["tensor `w`", "U64"]);
    check(
        &file(&w("X", "[1]", "[0,8]"), &[0; 8]),
        &["header is wrong", "unknown variant `X`"],
    );
    check(
        &file(&w("U8", "[0,18446744073709551615]", "[0,0]"), b""),
        &["impossible shape"],
    );

    let error = SafetensorsFile::open(dir.path()).unwrap_err();
    says(&error, &["cannot read", "not a regular file"]);
    says(
        &SafetensorsFile::open(&dir.path().join("no")).unwrap_err(),
        &["cannot read", "No such file"],
    );
}

#[test]
fn offsets_that_overflow_are_refused() {
    // Eight tensors of 2^61 bytes each: their sum does not fit in 64 bits.
    let size = 1u64 << 61;
    let entry = |i: u64| {
        let end = i
            .wrapping_add(1)
            .wrapping_mul(size)
            .wrapping_sub(u64::from(i == 7));
        let len = end.wrapping_sub(i * size);
        format!(
            r#""t{i}":{{"dtype":"U8","shape":[{len}],"data_offsets":[{},{end}]}}"#,
            i * size
        )
    };
    let header = format!("{{{}}}", (0..8).map(entry).collect::<Vec<_>>().join(","));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    let error = SafetensorsFile::from_static("m", file.leak()).unwrap_err();
    assert!(matches!(&error, Error::Safetensors { .. }), "{error}");
    let Error::Safetensors { problem, .. } = error else {
        unreachable!()
    };
    assert!(matches!(
        problem,
        SafetensorsProblem::Truncated { .. } | SafetensorsProblem::Header(_)
    ));
}
