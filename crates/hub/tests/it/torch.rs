//! PyTorch's checkpoints: files that torch 2.11 has written, and files that it would not write.
//!
//! `tests/torch/make_fixtures.py` makes the files; the same tensors as safetensors say what is right.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sensorium_blocks::TensorSource;
use sensorium_hub::{Error, Model, SafetensorsFile, ShardedSafetensors, TorchFile, TorchProblem};
use tch::Kind;

use crate::says;

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/torch")
        .join(file)
}

/// Opens `bytes` and reads all of it, if it can be opened.
fn read(bytes: Vec<u8>) -> Result<usize, TorchProblem> {
    let file = match TorchFile::from_static("test", bytes.leak()) {
        Ok(file) => file,
        Err(Error::Torch { problem, .. }) => return Err(problem),
        Err(other) => panic!("{other}"),
    };
    for name in file.names() {
        let tensor = file.tensor(name).unwrap();
        assert_eq!(Some(tensor.size()), file.shape(name));
        if tensor.numel() > 0 && tensor.kind() != Kind::Bool {
            let _ = tensor.to_kind(Kind::Double).sum(Kind::Double).double_value(&[]);
        }
    }
    Ok(file.names().len())
}

fn assert_same(found: &dyn TensorSource, expected: &dyn TensorSource) {
    assert_eq!(found.names(), expected.names());
    for name in expected.names() {
        let (found, expected) = (found.tensor(name).unwrap(), expected.tensor(name).unwrap());
        assert_eq!(found.kind(), expected.kind(), "{name}");
        assert!(found.is_contiguous(), "{name}");
        assert!(found.equal(&expected), "{name}: {found} {expected}");
    }
}

#[test]
fn tensors_are_those_that_torch_saved() {
    let expected = SafetensorsFile::open(&path("state.safetensors")).unwrap();
    for file in ["state.bin", "legacy.bin", "nested.bin"] {
        let found = TorchFile::open(&path(file)).unwrap();
        assert_same(&found, &expected);
        assert_eq!(found.kind("half"), Some(Kind::Half));
        assert!(found.tensor("nothing").is_none() && found.shape("nothing").is_none());
    }
}

#[test]
fn tensors_lie_in_the_file() {
    let file = TorchFile::open(&path("state.bin")).unwrap();
    let again = TorchFile::open(&path("state.bin")).unwrap();
    for name in ["plain", "parameter", "tied"] {
        let place = |f: &TorchFile| f.tensor(name).unwrap().data_ptr();
        assert_eq!(place(&file), place(&again), "{name} was copied");
    }
}

#[test]
fn models_take_safetensors_first() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::in_folder("m", folder.path());
    fs::write(folder.path().join("config.json"), "{}").unwrap();
    fs::copy(path("state.bin"), folder.path().join("pytorch_model.bin")).unwrap();
    assert!(model.weights().unwrap().origin().ends_with("pytorch_model.bin"));
    fs::copy(path("state.safetensors"), folder.path().join("model.safetensors")).unwrap();
    assert!(model.weights().unwrap().origin().ends_with("model.safetensors"));
}

#[test]
fn shards_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let at = |file: &str| folder.path().join(file);
    for (file, kind) in [
        ("state.bin", "pytorch_model.bin"),
        ("state.safetensors", "model.safetensors"),
    ] {
        fs::copy(path(file), at("a")).unwrap();
        fs::copy(path(file), at("b")).unwrap();
        let index = at(&format!("{kind}.index.json"));
        let map = r#"{"metadata": {"total_size": 1}, "weight_map": {"plain": "a", "half": "b"}}"#;
        fs::write(&index, map).unwrap();
        let weights = Model::in_folder("m", folder.path()).weights().unwrap();
        assert_eq!(weights.names(), ["half", "plain"]);
        assert_eq!(weights.tensor("plain").unwrap().size(), [2, 3]);
        if kind.starts_with("model") {
            assert!(ShardedSafetensors::open(&index).is_ok());
        }
        fs::write(&index, r#"{"weight_map": {"nope": "a"}}"#).unwrap();
        let error = Model::in_folder("m", folder.path()).weights().err().unwrap();
        says(&error, &["tensor `nope` is not in a"]);
        fs::remove_file(index).unwrap();
    }
}

#[test]
fn what_is_no_weights_is_refused_by_name() {
    let error = |file: &str| TorchFile::open(&path(file)).unwrap_err();
    says(
        &error("module.bin"),
        &["module.bin", "it refers to `torch.nn.modules.linear.Linear`"],
    );
    says(&error("script.bin"), &["it is a TorchScript program"]);
    says(&error("make_fixtures.py"), &["it is another format"]);
    assert!(matches!(read(Vec::new()), Err(TorchProblem::Empty)));
    let pointer = b"version https://git-lfs.github.com/spec/v1\n".to_vec();
    assert!(matches!(read(pointer), Err(TorchProblem::LfsPointer)));
    let missing = TorchFile::open(&path("none.bin")).unwrap_err();
    says(&missing, &["cannot read", "none.bin"]);
}

/// A file of the old format whose state dict is `pickle`.
fn old_file(pickle: &[u8]) -> Vec<u8> {
    let magic: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    [magic, b"\x80\x02M\xe9\x03.", b"\x80\x02}.", pickle, b"\x80\x02]."].concat()
}

#[test]
fn nothing_is_ever_called() {
    for (module, name) in [
        ("os", "system"),
        ("builtins", "eval"),
        ("torch", "load"),
        ("torch", "hub.load"),
    ] {
        let pickle = format!("\u{2}c{module}\n{name}\n(X\u{4}\0\0\0exitt\u{52}.");
        let pickle = [b"\x80", pickle.as_bytes()].concat();
        match read(old_file(&pickle)) {
            Err(TorchProblem::Forbidden { name: found }) => assert_eq!(found, format!("{module}.{name}")),
            other => panic!("{module}.{name}: {other:?}"),
        }
    }
}

#[test]
fn tensors_stay_within_their_storage() {
    // {"t": _rebuild_tensor_v2(("storage", FloatStorage, "0", "cpu", 2), offset, shape, strides)}
    let file = |offset: i32, shape: [i32; 2], strides: [i32; 2]| {
        let int = |n: i32| [b"J".to_vec(), n.to_le_bytes().to_vec()].concat();
        let text = |s: &str| [b"X".to_vec(), (s.len() as u32).to_le_bytes().to_vec(), s.into()].concat();
        let pair = |p: [i32; 2]| [int(p[0]), int(p[1]), b"\x86".to_vec()].concat();
        let pickle = [
            b"\x80\x02}".to_vec(),
            text("t"),
            b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
            text("storage"),
            b"ctorch\nFloatStorage\n".to_vec(),
            text("0"),
            text("cpu"),
            b"K\x02NtQ".to_vec(),
            int(offset),
            pair(shape),
            pair(strides),
            b"tRs.".to_vec(),
        ];
        let mut bytes = old_file(&pickle.concat());
        bytes.pop(); // the end of the empty list of storages
        bytes.extend(text("0"));
        bytes.extend(b"a.");
        bytes.extend(2u64.to_le_bytes());
        bytes.extend([1f32, 2.].iter().flat_map(|x| x.to_le_bytes()));
        read(bytes)
    };
    assert!(matches!(file(0, [2, 1], [1, 1]), Ok(1)));
    assert!(matches!(file(1, [1, 1], [1, 1]), Ok(1)));
    assert!(matches!(file(0, [1000, 1], [0, 0]), Ok(1)), "repeated");
    assert!(matches!(file(9, [0, 1], [1, 1]), Ok(1)), "empty");
    for (offset, shape, strides) in [
        (1, [2, 1], [1, 1]),
        (0, [3, 1], [1, 1]),
        (0, [2, 1], [2, 1]),
        (-1, [1, 1], [1, 1]),
        (0, [-1, 1], [1, 1]),
        (0, [2, 1], [-1, 1]),
        (i32::MAX, [i32::MAX, i32::MAX], [i32::MAX, i32::MAX]),
        (0, [i32::MAX, i32::MAX], [0, 0]),
        (0, [100_000, 100_000], [0, 0]),
    ] {
        let found = file(offset, shape, strides);
        assert!(
            matches!(found, Err(TorchProblem::Tensor { .. })),
            "{offset} {shape:?} {found:?}"
        );
    }
}

#[test]
fn every_truncation_is_an_error() {
    for file in ["state.bin", "legacy.bin"] {
        let bytes = fs::read(path(file)).unwrap();
        assert!(read(bytes.clone()).is_ok());
        for len in (0..bytes.len()).step_by(7).chain(bytes.len() - 64..bytes.len()) {
            assert!(
                read(bytes[..len].to_vec()).is_err(),
                "{file}: {len} of {} bytes",
                bytes.len()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn changed_bytes_never_panic(
        file in prop::sample::select(vec!["state.bin", "legacy.bin"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = fs::read(path(file)).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(bytes);
    }

    /// Changes where they matter: in the list of tensors, and in the archive's table of contents.
    #[test]
    fn changed_descriptions_never_panic(
        old in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = fs::read(path(if old { "legacy.bin" } else { "state.bin" })).unwrap();
        let (len, part) = (bytes.len(), if old { 4000 } else { 3000 });
        for (i, (at, byte)) in changes.into_iter().enumerate() {
            let at = at.index(part.min(len));
            let at = if !old && i % 2 == 0 { len - 1 - at } else { at };
            bytes[at] = byte;
        }
        let _ = read(bytes);
    }

    #[test]
    fn any_pickle_is_no_crash(ops in prop::collection::vec(
        prop::sample::select(b"(.)]}0122aeqhrjtusbRQNKMJX\x85\x86\x87\x88\x8a\x8c\x8f\x90\x91\x93\x94\x95c\n\x00\x01\x02".to_vec()),
        0..64,
    )) {
        let _ = read(old_file(&[b"\x80\x02", &ops[..]].concat()));
    }
}
