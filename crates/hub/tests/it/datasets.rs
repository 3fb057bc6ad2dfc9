//! Finding and pulling data sets.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sensorium_hub::datasets::{DATASETS, DataFile, DataOptions, DataSet, DataStore};
use sensorium_hub::{Error, NoProgress};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::server::Server;
use crate::{Recorder, says, tree};

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn sha256(bytes: &[u8]) -> &'static str {
    format!("{:x}", Sha256::digest(bytes)).leak()
}

/// The contents of a data set of two files, the same names in each data set.
const RAW: [(&str, &[u8]); 2] = [("images.gz", &[7; 5000]), ("labels.gz", b"0123456789")];

struct Fixture {
    server: Server,
    dir: TempDir,
    table: &'static [DataSet],
}

impl Fixture {
    /// The data sets `tiny` and `other`, at two mirrors on a server that has nothing yet.
    fn new() -> Self {
        let server = Server::start();
        let file = |(name, raw): (&'static str, &'static [u8])| {
            let packed = gzip(raw, 9);
            DataFile {
                name,
                size: packed.len() as u64,
                sha256: sha256(&packed),
                raw_size: raw.len() as u64,
                raw_sha256: sha256(raw),
            }
        };
        let mirrors = ["first", "second"].map(|m| &*format!("{}/{m}/", server.url).leak());
        let set = |name| DataSet {
            name,
            title: "A test",
            licence: "none",
            homepage: "",
            mirrors: Box::leak(Box::new(mirrors)),
            files: Box::leak(Box::new(RAW.map(file))),
        };
        let table = Box::leak(Box::new([set("tiny"), set("other")]));
        Self {
            server,
            dir: tempfile::tempdir().unwrap(),
            table,
        }
    }

    fn serve(&self, mirror: &str, level: u32) {
        for (name, raw) in RAW {
            self.server.file(&format!("/{mirror}/{name}"), &gzip(raw, level));
        }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn store(&self, change: impl FnOnce(&mut DataOptions)) -> DataStore {
        let mut options = DataOptions {
            data_dir: None,
            shared_dir: None,
            cache_dir: Some(self.cache()),
            mirror: None,
            offline: false,
        };
        change(&mut options);
        DataStore::with_table(self.table, options).unwrap()
    }

    fn put(&self, folder: &str, unpacked: bool) -> PathBuf {
        let folder = self.dir.path().join(folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, raw) in RAW {
            match unpacked {
                true => fs::write(folder.join(name.trim_end_matches(".gz")), raw).unwrap(),
                false => fs::write(folder.join(name), gzip(raw, 9)).unwrap(),
            }
        }
        folder
    }
}

#[test]
fn a_data_set_is_pulled_once() {
    let f = Fixture::new();
    f.serve("first", 9);
    let recorder = Recorder::default();
    let folder = f.store(|_| {}).pull("tiny", &recorder).unwrap();
    assert_eq!(folder, f.cache().join("tiny"));
    assert_eq!(
        tree(&f.cache()),
        ["tiny.lock", "tiny/images.gz", "tiny/labels.gz"]
    );
    assert_eq!(
        recorder.take()[0],
        format!("images.gz {}", f.table[0].files[0].size)
    );
    assert_eq!(f.server.requests().len(), 2);

    let offline = f.store(|o| o.offline = true);
    assert_eq!(offline.pull("tiny", &NoProgress).unwrap(), folder);
    assert_eq!(offline.locate("tiny").unwrap(), folder);
    offline.verify("tiny", &folder).unwrap();
    assert!(f.server.requests().is_empty());
}

#[test]
fn a_damaged_file_in_the_cache_is_pulled_again() {
    let f = Fixture::new();
    f.serve("first", 9);
    let folder = f.put("cache/tiny", false);
    fs::write(folder.join("labels.gz"), "damaged").unwrap();
    let offline = f
        .store(|o| o.offline = true)
        .pull("tiny", &NoProgress)
        .unwrap_err();
    assert!(matches!(offline, Error::DataFile { .. }), "{offline}");
    f.store(|_| {}).pull("tiny", &NoProgress).unwrap();
    assert_eq!(f.server.requests().len(), 1, "the good file stays");
    f.store(|_| {}).verify("tiny", &folder).unwrap();
}

#[test]
fn another_data_set_in_the_folder_is_told() {
    let mut f = Fixture::new();
    let changed = f.table[1].files.iter().map(|file| DataFile {
        raw_size: 1,
        raw_sha256: sha256(b"changed"),
        ..file.clone()
    });
    let other = DataSet {
        files: Box::leak(changed.collect()),
        ..f.table[1].clone()
    };
    f.table = Box::leak(Box::new([f.table[0].clone(), other]));
    let folder = f.put("mine", true);
    let store = f.store(|o| o.data_dir = Some(folder.clone()));
    assert_eq!(store.locate("tiny").unwrap(), folder);
    let error = store.locate("other").unwrap_err().to_string();
    assert!(
        error.ends_with("mine holds tiny, not other; name the folder of other"),
        "{error}"
    );
    // Data of one's own, in the same form, are nobody's business.
    for (name, _) in RAW {
        fs::write(folder.join(name.trim_end_matches(".gz")), "own").unwrap();
    }
    assert_eq!(store.locate("other").unwrap(), folder);
}

#[test]
fn the_next_mirror_helps() {
    let f = Fixture::new();
    f.serve("second", 9);
    f.server.file("/first/images.gz", b"wrong");
    let folder = f.store(|_| {}).pull("tiny", &NoProgress).unwrap();
    f.store(|_| {}).verify("tiny", &folder).unwrap();
}

#[test]
fn a_copy_gzipped_in_another_way_is_the_same_data() {
    let f = Fixture::new();
    f.serve("first", 0);
    let folder = f.store(|_| {}).pull("tiny", &NoProgress).unwrap();
    assert!(fs::metadata(folder.join("images.gz")).unwrap().len() > f.table[0].files[0].size);
}

#[test]
fn a_mirror_of_ones_own_takes_the_place_of_the_others() {
    let f = Fixture::new();
    f.serve("mine/tiny", 9);
    let mirror = format!("{}/mine/", f.server.url);
    f.store(|o| o.mirror = Some(mirror))
        .pull("tiny", &NoProgress)
        .unwrap();
    assert!(
        f.server
            .requests()
            .iter()
            .all(|r| r.path.starts_with("/mine/tiny/"))
    );
}

#[test]
fn a_cut_connection_is_resumed() {
    let f = Fixture::new();
    f.serve("first", 9);
    f.server.cut("/first/images.gz", &[10, 0]);
    says(
        &f.store(|_| {}).pull("tiny", &NoProgress).unwrap_err(),
        &["/second/images.gz does not exist"],
    );
    assert_eq!(
        fs::metadata(f.cache().join("tiny/images.gz.part")).unwrap().len(),
        10
    );
    f.server.requests();
    f.store(|_| {}).pull("tiny", &NoProgress).unwrap();
    assert_eq!(f.server.requests()[0].range.as_deref(), Some("bytes=10-"));
}

#[test]
fn wrong_bytes_are_refused_and_deleted() {
    let f = Fixture::new();
    let pull = || f.store(|_| {}).pull("tiny", &NoProgress).unwrap_err();
    for wrong in [
        gzip(b"other data", 9),
        b"<html>not here</html>".to_vec(),
        gzip(&[7; 5001], 9),
        Vec::new(),
    ] {
        for mirror in ["first", "second"] {
            f.server.file(&format!("/{mirror}/images.gz"), &wrong);
        }
        let error = pull();
        assert!(matches!(&error, Error::Checksum { .. }), "{error:?}");
        says(
            &error,
            &[
                "/second/images.gz gave a wrong file, which was deleted",
                "SHA-256",
            ],
        );
        assert_eq!(tree(&f.cache()), ["tiny.lock"]);
    }
}

#[test]
fn data_is_found_where_it_is() {
    let f = Fixture::new();
    let own = f.put("data/tiny", false);
    let unpacked = f.put("loose", true);
    let in_cache = f.put("cache/tiny", false);
    let data = f.dir.path().join("data");

    let locate = |change: &dyn Fn(&mut DataOptions)| f.store(change).locate("tiny").unwrap();
    assert_eq!(locate(&|_| {}), in_cache);
    assert_eq!(locate(&|o| o.shared_dir = Some(data.clone())), own);
    assert_eq!(locate(&|o| o.shared_dir = Some("/nonexistent".into())), in_cache);
    assert_eq!(locate(&|o| o.data_dir = Some(data.clone())), own);
    assert_eq!(locate(&|o| o.data_dir = Some(own.clone())), own);
    assert_eq!(locate(&|o| o.data_dir = Some(unpacked.clone())), unpacked);
    f.store(|_| {}).verify("tiny", &own).unwrap();
    f.store(|_| {}).verify("tiny", &unpacked).unwrap();

    // The files of another data set have the same names.
    let other = f.put("data/other", false);
    assert!(f.store(|o| o.data_dir = Some(other)).locate("tiny").is_err());
}

#[test]
fn what_is_missing_is_said() {
    let f = Fixture::new();
    let store = f.store(|_| {});
    let error = store.locate("tiny").unwrap_err();
    says(
        &error,
        &[
            "data set `tiny` not found",
            "no folder",
            "sensorium datasets pull tiny",
            "--data DIR",
        ],
    );
    let folder = f.put("tiny", false);
    fs::remove_file(folder.join("labels.gz")).unwrap();
    let given = f.store(|o| o.data_dir = Some(folder.clone()));
    says(
        &given.locate("tiny").unwrap_err(),
        &[folder.to_str().unwrap(), "has no labels.gz"],
    );
    says(
        &store.locate("tine").unwrap_err(),
        &["no data set `tine` (did you mean `tiny`?); there are tiny, other"],
    );
    says(
        &store.pull("x", &NoProgress).unwrap_err(),
        &["no data set `x`; there are tiny, other"],
    );
    let offline = f.store(|o| o.offline = true);
    says(
        &offline.pull("tiny", &NoProgress).unwrap_err(),
        &["data set `tiny`", "--offline forbids"],
    );
    assert!(f.server.requests().is_empty());

    fs::write(folder.join("labels.gz"), gzip(b"0123456780", 9)).unwrap();
    says(
        &store.verify("tiny", &folder).unwrap_err(),
        &["labels.gz is not the published file", "pull it again"],
    );
}

#[test]
fn the_cards_agree_with_the_table() {
    let cards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    for set in DATASETS {
        let card = fs::read_to_string(cards.join(format!("{}.md", set.name))).unwrap();
        for mirror in set.mirrors {
            assert!(card.contains(mirror), "{}: {mirror}", set.name);
        }
        for file in set.files {
            for fact in [
                file.name,
                file.sha256,
                file.raw_sha256,
                &file.size.to_string(),
                &file.raw_size.to_string(),
            ] {
                assert!(card.contains(fact), "{}: {fact}", set.name);
            }
        }
    }
}

/// The real files, where the machine has them.
#[test]
fn the_published_files_are_those_of_the_table() {
    let options = DataOptions {
        cache_dir: Some("/nonexistent".into()),
        ..DataOptions::default()
    };
    let store = DataStore::new(options).unwrap();
    for set in DATASETS {
        match store.locate(set.name) {
            Ok(folder) => store.verify(set.name, &folder).unwrap(),
            Err(_) => eprintln!("{} is not here: not checked", set.name),
        }
    }
}
