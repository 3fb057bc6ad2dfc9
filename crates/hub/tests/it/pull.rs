//! Pulling models from a hub on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sensorium_hub::{Error, Hub, HubOptions, Location};
use tempfile::TempDir;

use crate::models::save;
use crate::server::Server;
use crate::{Recorder, says, tree};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub struct Fixture {
    pub server: Server,
    pub dir: TempDir,
    pub weights: Vec<u8>,
    progress: Arc<Recorder>,
}

impl Fixture {
    /// A hub with the model `acme/tiny`, and an empty cache.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("w");
        let names: Vec<String> = (0..2000).map(|i| format!("tensor{i:04}")).collect();
        save(&file, &names.iter().map(String::as_str).collect::<Vec<_>>());
        let weights = fs::read(&file).unwrap();
        fs::remove_file(file).unwrap();
        let server = Server::start();
        let files: &[(&str, &[u8])] = &[
            ("config.json", br#"{"model_type": "tiny"}"#),
            ("tokenizer.json", b"{}"),
            ("pytorch_model.bin", b"not taken"),
            ("onnx/config.json", b"not taken"),
            ("model.safetensors", &weights),
        ];
        server.model("acme/tiny", COMMIT, files);
        Self {
            server,
            dir,
            weights,
            progress: Arc::default(),
        }
    }

    pub fn cache(&self) -> PathBuf {
        self.dir.path().join("hub")
    }

    fn repo(&self) -> PathBuf {
        self.cache().join("models--acme--tiny")
    }

    fn blob(&self) -> PathBuf {
        self.repo().join("blobs").join(self.weights_sha256())
    }

    fn part(&self) -> PathBuf {
        self.blob().with_extension("part")
    }

    pub fn hub(&self, offline: bool) -> Hub {
        Hub::new(HubOptions {
            cache_dir: Some(self.cache()),
            offline,
            progress: self.progress.clone(),
            endpoint: self.server.url.clone(),
            token: Some("secret".to_string()),
        })
        .unwrap()
    }

    fn weights_sha256(&self) -> String {
        use sha2::{Digest, Sha256};
        format!("{:x}", Sha256::digest(&self.weights))
    }

    /// Where the server keeps the weights.
    fn cdn(&self) -> String {
        format!("/cdn/{}", self.weights_sha256())
    }

    /// The ranges of the requests that fetched the weights themselves.
    fn weight_ranges(&self) -> Vec<Option<String>> {
        let fetched = self
            .server
            .requests()
            .into_iter()
            .filter(|r| r.path.starts_with("/cdn/"));
        fetched
            .map(|r| r.range)
            .filter(|r| r.as_deref() != Some("bytes=0-0"))
            .collect()
    }
}

#[test]
fn a_model_is_pulled_once() {
    let f = Fixture::new();
    let model = f.hub(false).resolve("acme/tiny").unwrap();
    assert_eq!(model.name(), "acme/tiny");
    assert_eq!(model.config().unwrap()["model_type"], "tiny");
    assert_eq!(model.weights().unwrap().names().len(), 2000);
    let snapshot = f.repo().join("snapshots").join(COMMIT);
    assert!(matches!(model.location(), Location::Folder(path) if *path == snapshot));
    assert_eq!(
        tree(&snapshot),
        ["config.json", "model.safetensors", "tokenizer.json"]
    );
    assert_eq!(fs::read_to_string(f.repo().join("refs/main")).unwrap(), COMMIT);
    assert_eq!(fs::read(f.blob()).unwrap(), f.weights);
    assert_eq!(tree(&f.repo().join("blobs")).len(), 3);
    #[cfg(unix)]
    assert_eq!(
        fs::read_link(snapshot.join("model.safetensors")).unwrap(),
        Path::new("../../blobs").join(f.weights_sha256())
    );
    let told = f.progress.take();
    assert_eq!(told[0], "config.json 22");
    assert!(told.contains(&format!("model.safetensors {}", f.weights.len())));
    assert_eq!(told.last().unwrap(), "end");

    let requests = f.server.requests();
    assert!(
        requests
            .iter()
            .filter(|r| r.path.contains("/resolve/"))
            .all(|r| { r.authorization.as_deref() == Some("Bearer secret") })
    );
    let fetched_elsewhere = |r: &&crate::server::Request| r.path.starts_with("/cdn/") && r.range.is_none();
    assert_eq!(
        requests.iter().find(fetched_elsewhere).unwrap().authorization,
        None
    );

    // From now on the network is not needed, and not used.
    for offline in [false, true] {
        let model = f.hub(offline).resolve("acme/tiny").unwrap();
        assert_eq!(model.weights().unwrap().names().len(), 2000);
    }
    assert!(f.server.requests().is_empty());

    let cached = f.hub(true).list_cached().unwrap();
    assert_eq!(cached.len(), 1);
    assert_eq!((cached[0].id.as_str(), &cached[0].path), ("acme/tiny", &snapshot));
    assert_eq!(cached[0].bytes, f.weights.len() as u64 + 24);
    says(
        &f.hub(true).resolve("acme/tine").unwrap_err(),
        &["did you mean `acme/tiny`?"],
    );
    assert_eq!(f.hub(true).remove("acme/tiny").unwrap(), cached[0].bytes);
    assert!(!f.repo().exists());
    assert!(f.hub(true).resolve("acme/tiny").is_err());
}

#[test]
fn a_new_commit_shares_the_old_files() {
    let f = Fixture::new();
    f.hub(false).pull("acme/tiny").unwrap();
    let newer = "f".repeat(40);
    f.server.model(
        "acme/tiny",
        &newer,
        &[("config.json", b"{\"v\": 2}"), ("model.safetensors", &f.weights)],
    );
    f.server.requests();
    assert_eq!(
        f.hub(false).resolve("acme/tiny").unwrap().config().unwrap()["model_type"],
        "tiny"
    );
    let model = f.hub(false).pull("acme/tiny").unwrap();
    assert_eq!(model.config().unwrap()["v"], 2);
    assert_eq!(model.weights().unwrap().names().len(), 2000);
    assert!(f.weight_ranges().is_empty());
    assert_eq!(
        f.hub(true).resolve("acme/tiny").unwrap().config().unwrap()["v"],
        2
    );
}

#[test]
fn a_cut_connection_is_resumed() {
    let f = Fixture::new();
    f.server.cut(&f.cdn(), &[1000, 500]);
    f.hub(false).resolve("acme/tiny").unwrap();
    assert_eq!(
        f.weight_ranges(),
        [None, Some("bytes=1000-".into()), Some("bytes=1500-".into())]
    );
    assert_eq!(fs::read(f.blob()).unwrap(), f.weights);
    assert!(!f.part().exists());
    let told = f.progress.take().join(" ");
    assert!(
        told.contains(&format!("model.safetensors {} +1500", f.weights.len())),
        "{told}"
    );
}

#[test]
fn an_interrupted_pull_goes_on_where_it_stopped() {
    let f = Fixture::new();
    f.server.cut(&f.cdn(), &[1000, 0]);
    let error = f.hub(false).resolve("acme/tiny").unwrap_err();
    says(
        &error,
        &[
            "no model `acme/tiny`",
            "only in part",
            "could not be pulled",
            "model.safetensors",
        ],
    );
    assert_eq!(fs::read(f.part()).unwrap(), f.weights[..1000]);
    // Half a model is no model, for other programs neither.
    assert!(f.hub(true).resolve("acme/tiny").is_err());
    assert!(f.hub(true).list_cached().unwrap().is_empty());
    assert!(!f.repo().join("refs/main").exists());

    f.server.requests();
    f.hub(false).resolve("acme/tiny").unwrap();
    assert_eq!(f.weight_ranges(), [Some("bytes=1000-".into())]);
    assert_eq!(fs::read(f.blob()).unwrap(), f.weights);
}

#[test]
fn a_download_that_only_lacked_its_name_is_taken() {
    let f = Fixture::new();
    fs::create_dir_all(f.blob().parent().unwrap()).unwrap();
    fs::write(f.part(), &f.weights).unwrap();
    f.hub(false).resolve("acme/tiny").unwrap();
    assert_eq!(fs::read(f.blob()).unwrap(), f.weights);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let f = Fixture::new();
    fs::create_dir_all(f.blob().parent().unwrap()).unwrap();
    fs::write(f.part(), b"something else").unwrap();
    // `hf-hub` itself needs a range for the size, which the page before the redirect gives
    f.server.ignore_ranges(&f.cdn());
    f.server.set_header(
        &f.cdn(),
        "content-range",
        &format!("bytes 0-0/{}", f.weights.len()),
    );
    f.hub(false).resolve("acme/tiny").unwrap();
    assert_eq!(fs::read(f.blob()).unwrap(), f.weights);
}

#[test]
fn wrong_bytes_are_refused_and_deleted() {
    let f = Fixture::new();
    let mut wrong = f.weights.clone();
    *wrong.last_mut().unwrap() ^= 1;
    f.server.replace_body(&f.cdn(), &wrong);
    let error = f.hub(false).resolve("acme/tiny").unwrap_err();
    assert!(matches!(&error, Error::Checksum { .. }), "{error:?}");
    says(
        &error,
        &[
            "model.safetensors gave a wrong file, which was deleted",
            &f.weights_sha256(),
        ],
    );
    assert!(!f.blob().exists() && !f.part().exists() && !f.repo().join("refs/main").exists());

    // If only what an earlier pull left was wrong, the file is pulled anew.
    f.server.replace_body(&f.cdn(), &f.weights);
    fs::write(f.part(), b"wrong").unwrap();
    f.server.requests();
    f.hub(false).resolve("acme/tiny").unwrap();
    assert_eq!(f.weight_ranges(), [Some("bytes=5-".into()), None]);
}

#[test]
fn two_pulls_at_once_download_once() {
    let f = Fixture::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| f.hub(false).pull("acme/tiny").unwrap());
        }
    });
    assert_eq!(f.weight_ranges(), [None]);
    assert_eq!(fs::read(f.blob()).unwrap(), f.weights);
}

#[test]
fn shards_are_pulled_too() {
    let f = Fixture::new();
    save(&f.dir.path().join("1"), &["a"]);
    save(&f.dir.path().join("2"), &["b"]);
    let [one, two] = ["1", "2"].map(|file| fs::read(f.dir.path().join(file)).unwrap());
    let files: &[(&str, &[u8])] = &[
        ("config.json", b"{}"),
        (
            "model.safetensors.index.json",
            br#"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#,
        ),
        ("m-1.safetensors", &one),
        ("m-2.safetensors", &two),
        ("other.safetensors", b"not taken"),
    ];
    f.server.model("big", COMMIT, files);
    assert_eq!(
        f.hub(false).resolve("big").unwrap().weights().unwrap().names(),
        ["a", "b"]
    );
    assert_eq!(
        f.hub(true).resolve("big").unwrap().weights().unwrap().names(),
        ["a", "b"]
    );
    fs::remove_file(
        f.cache()
            .join("models--big/snapshots")
            .join(COMMIT)
            .join("m-2.safetensors"),
    )
    .unwrap();
    says(&f.hub(true).resolve("big").unwrap_err(), &["only in part"]);
}
