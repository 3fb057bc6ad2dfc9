//! Setup against a stub Python whose pip "downloads" small wheels made here.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::cache::{Found, Installer};
use super::platform::{Platform, VERSION, Wheel};
use super::{manifest, point};

const WHEEL: &[(&str, &str)] = &[
    ("torch/include/torch/torch.h", "#pragma once\n"),
    ("torch/include/../../../evil.h", "outside"),
    ("torch/lib/libtorch_cpu.so", "a library"),
    ("torch/lib/libtorch_cuda.so", "not needed"),
    ("torch/__init__.py", "not needed"),
];

/// A cache, a stub Python and a platform whose one wheel is [`WHEEL`].
struct Scene {
    folder: tempfile::TempDir,
    platform: Platform,
}

impl Scene {
    /// `pip` is the shell code that runs for `pip download`, with `$DEST` and `$WHEEL` set.
    fn new(pip: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join(format!("torch-{VERSION}-cp311-cp311-any.whl"));
        let mut zip = ZipWriter::new(File::create(&wheel).unwrap());
        for (name, text) in WHEEL {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        let sha256 = manifest::sha256_of(&wheel).unwrap().leak();
        let script = format!(
            "#!/bin/sh\n[ \"$3\" = --version ] && exit 0\necho run >> '{runs}'\nWHEEL='{wheel}'\n\
             while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && DEST=$2; shift; done\n{pip}\n",
            runs = folder.path().join("runs").display(),
            wheel = wheel.display(),
        );
        let python = folder.path().join("python3");
        // Written by another process: a file this one had open may still be "busy" when it is started.
        let write = [
            "-c",
            "printf %s \"$1\" > \"$2\" && chmod +x \"$2\"",
            "sh",
            &script,
        ];
        assert!(
            Command::new("sh")
                .args(write)
                .arg(&python)
                .status()
                .unwrap()
                .success()
        );
        let wheels = vec![Wheel {
            package: "torch",
            version: VERSION,
            sha256,
        }]
        .leak();
        let platform = Platform {
            name: "test",
            pip_tags: &["any"],
            wheels,
            libs: &["libtorch_cpu.so"],
            links_cpu_only: true,
            space: 1,
        };
        Self { folder, platform }
    }

    fn installer(&self) -> Installer<'_> {
        let path = self.folder.path();
        Installer {
            platform: &self.platform,
            cache: path.join("cache"),
            python: path.join("python3"),
        }
    }

    /// Why the installation fails; afterwards the cache must hold nothing but the lock file.
    fn failure(&self) -> String {
        let error = format!("{:#}", self.installer().install(false).unwrap_err());
        let left: Vec<_> = fs::read_dir(self.installer().cache)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(
            left.iter()
                .all(|name| name.display().to_string().ends_with(".lock")),
            "{left:?}"
        );
        error
    }

    fn pip_runs(&self) -> usize {
        fs::read_to_string(self.folder.path().join("runs")).map_or(0, |runs| runs.lines().count())
    }
}

const GOOD_PIP: &str = "cp \"$WHEEL\" \"$DEST\"";

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_first_run_installs_and_a_second_does_nothing() {
    let scene = Scene::new(GOOD_PIP);
    assert_eq!(scene.installer().install(false).unwrap(), Found::Installed);
    let folder = scene.installer().folder();
    assert_eq!(read(folder.join("lib/libtorch_cpu.so")), "a library");
    assert_eq!(read(folder.join("include/torch/torch.h")), "#pragma once\n");
    assert_eq!(read(folder.join("lib/libtorch.so")), "INPUT(-ltorch_cpu)\n");
    assert_eq!(read(folder.join("build-version")), "2.11.0\n");
    assert!(!folder.join("lib/libtorch_cuda.so").exists());
    assert!(!folder.join("wheels").exists());
    assert!(!scene.folder.path().join("evil.h").exists());
    assert_eq!(scene.installer().install(true).unwrap(), Found::Already);
    assert_eq!(scene.pip_runs(), 1);
}

#[test]
fn a_damaged_installation_is_replaced() {
    let scene = Scene::new(GOOD_PIP);
    scene.installer().install(false).unwrap();
    let library = scene.installer().folder().join("lib/libtorch_cpu.so");
    fs::write(&library, "a librarY").unwrap(); // the same size: seen by the full check alone
    assert_eq!(scene.installer().install(false).unwrap(), Found::Already);
    assert_eq!(scene.installer().install(true).unwrap(), Found::Installed);
    assert_eq!(read(&library), "a library");
    fs::remove_file(&library).unwrap();
    assert_eq!(scene.installer().install(false).unwrap(), Found::Installed);
    assert_eq!(read(&library), "a library");
}

#[test]
fn what_an_interrupted_run_left_is_not_trusted() {
    let scene = Scene::new(GOOD_PIP);
    let installer = scene.installer();
    let partial = installer
        .cache
        .join(format!("{}.partial-1", scene.platform.folder()));
    fs::create_dir_all(partial.join("lib")).unwrap();
    fs::write(partial.join("lib/libtorch_cpu.so"), "half").unwrap();
    fs::create_dir_all(installer.folder().join("lib")).unwrap(); // made by hand, without a manifest
    fs::write(installer.folder().join("lib/libtorch_cpu.so"), "half").unwrap();
    assert_eq!(installer.install(false).unwrap(), Found::Installed);
    assert_eq!(read(installer.folder().join("lib/libtorch_cpu.so")), "a library");
    assert!(!partial.exists());
}

#[test]
fn two_setups_at_once_download_once() {
    let scene = Scene::new(&format!("sleep 0.3; {GOOD_PIP}"));
    let installed = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                if scene.installer().install(false).unwrap() == Found::Installed {
                    installed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!((installed.into_inner(), scene.pip_runs()), (1, 1));
}

#[test]
fn a_failing_pip_is_quoted() {
    let error = Scene::new("echo 'ERROR: no route to the index' >&2; exit 1").failure();
    assert!(
        error.contains("no route to the index") && error.contains("LIBTORCH"),
        "{error}"
    );
}

#[test]
fn a_wheel_with_another_hash_is_refused() {
    let error = Scene::new("echo other > \"$DEST/$(basename \"$WHEEL\")\"").failure();
    assert!(
        error.contains("SHA-256") && error.contains("torch-2.11.0"),
        "{error}"
    );
}

#[test]
fn a_wheel_that_never_came_is_noticed() {
    let error = Scene::new("true").failure();
    assert!(error.contains("not there"), "{error}");
}

#[test]
fn a_missing_python_or_pip_says_what_to_install() {
    let scene = Scene::new(GOOD_PIP);
    let mut installer = scene.installer();
    installer.python = "no-such-python".into();
    let error = format!("{:#}", installer.install(false).unwrap_err());
    assert!(
        error.contains("no-such-python") && error.contains("install"),
        "{error}"
    );
    installer.python = "false".into();
    let error = format!("{:#}", installer.install(false).unwrap_err());
    assert!(error.contains("has no pip"), "{error}");
}

#[test]
fn too_little_room_is_said_before_the_download() {
    let mut scene = Scene::new(GOOD_PIP);
    scene.platform.space = u64::MAX;
    assert!(scene.failure().contains("make room"));
    assert_eq!(scene.pip_runs(), 0);
}

#[test]
fn a_cache_that_cannot_be_written_says_so() {
    let scene = Scene::new(GOOD_PIP);
    let mut installer = scene.installer();
    fs::write(scene.folder.path().join("file"), "").unwrap();
    installer.cache = scene.folder.path().join("file/cache"); // root may write anywhere else
    let error = format!("{:#}", installer.install(false).unwrap_err());
    assert!(
        error.contains("cannot write to the cache") && error.contains("SENSORIUM_HOME"),
        "{error}"
    );
}

#[test]
fn the_link_replaces_a_link_but_never_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (link, one, two) = (
        folder.path().join(".libtorch"),
        folder.path().join("one"),
        folder.path().join("two"),
    );
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    assert!(point(&link, &one).unwrap());
    assert!(!point(&link, &one).unwrap());
    assert!(point(&link, &two).unwrap());
    assert_eq!(fs::read_link(&link).unwrap(), two);
    fs::remove_file(&link).unwrap();
    fs::create_dir(&link).unwrap();
    assert!(
        point(&link, &two)
            .unwrap_err()
            .to_string()
            .contains("is a folder")
    );
}
