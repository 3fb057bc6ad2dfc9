//! What a hub refuses or gets wrong.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sensorium_hub::{Error, Hub, HubOptions, NoProgress};

use crate::pull::{COMMIT, Fixture};
use crate::{says, tree};

#[test]
fn what_the_hub_refuses_is_said() {
    let f = Fixture::new();
    let hub = f.hub(false);
    let error = hub.resolve("acme/missing").unwrap_err();
    says(
        &error,
        &[
            "no model `acme/missing`",
            "could not be pulled",
            "acme/missing does not exist (404)",
        ],
    );
    for status in [401, 403] {
        f.server.status("/api/models/acme/gated/revision/main", status);
        let error = hub.resolve("acme/gated").unwrap_err();
        assert!(matches!(&error, Error::Forbidden { .. }));
        says(
            &error,
            &[
                "/acme/gated does not exist or needs permission",
                "ask for access",
                "HF_TOKEN",
            ],
        );
    }
    f.server.status("/api/models/acme/broken/revision/main", 500);
    says(&hub.resolve("acme/broken").unwrap_err(), &["HTTP status 500"]);
    f.server.file("/api/models/acme/page/revision/main", b"<html>");
    says(
        &hub.resolve("acme/page").unwrap_err(),
        &["did not answer like a model hub"],
    );
    f.server.model(
        "acme/torch",
        COMMIT,
        &[("config.json", b"{}"), ("tf_model.h5", b"x")],
    );
    says(
        &hub.resolve("acme/torch").unwrap_err(),
        &[
            "no model.safetensors or pytorch_model.bin",
            "tf_model.h5 must be converted",
        ],
    );
    f.server.model("acme/text", COMMIT, &[("README.md", b"x")]);
    says(
        &hub.resolve("acme/text").unwrap_err(),
        &["/acme/text has no config.json"],
    );
    // Only the locks are there.
    assert!(
        tree(&f.cache()).iter().all(|file| file.starts_with(".locks/")),
        "{:?}",
        tree(&f.cache())
    );
}

#[test]
fn a_hub_cannot_write_elsewhere() {
    let f = Fixture::new();
    let hub = f.hub(false);
    let outside: &[(&str, &[u8])] = &[
        ("config.json", b"{}"),
        ("../../../../evil.json", b"x"),
        ("/evil.json", b"x"),
        ("model.safetensors", &f.weights),
    ];
    f.server.model("acme/evil", COMMIT, outside);
    hub.resolve("acme/evil").unwrap();
    assert!(!tree(f.dir.path()).iter().any(|file| file.ends_with("evil.json")));

    f.server.set_header(
        &format!("/acme/tiny/resolve/{COMMIT}/config.json"),
        "etag",
        "\"../../x\"",
    );
    says(&hub.resolve("acme/tiny").unwrap_err(), &["its etag is `../../x`"]);
    f.server.model("acme/commit", "../..", &[("config.json", b"{}")]);
    says(
        &hub.resolve("acme/commit").unwrap_err(),
        &["its commit is `../..`"],
    );
}

#[test]
fn no_server_and_no_cache_are_said() {
    let f = Fixture::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let hub = |cache_dir: &Path| {
        let (endpoint, progress) = (format!("http://127.0.0.1:{port}"), Arc::new(NoProgress));
        Hub::new(HubOptions {
            cache_dir: Some(cache_dir.into()),
            offline: false,
            progress,
            endpoint,
            token: None,
        })
    };
    let error = hub(&f.cache()).unwrap().resolve("acme/tiny").unwrap_err();
    says(
        &error,
        &[
            "no model `acme/tiny`",
            "could not be pulled",
            "cannot download http://127.0.0.1",
            "refused",
        ],
    );

    let file = f.dir.path().join("a file");
    fs::write(&file, "x").unwrap();
    says(
        &hub(&file).unwrap().resolve("acme/tiny").unwrap_err(),
        &["cannot write", "a file"],
    );

    says(
        &f.hub(true).resolve("acme/tiny").unwrap_err(),
        &["not in the cache", "--offline forbids pulling it"],
    );
    assert!(f.server.requests().is_empty());
}
