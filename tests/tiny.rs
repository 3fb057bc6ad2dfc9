//! A tiny language model with random weights, in a folder of its own that a test may spoil.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::{sensorium, stderr};

/// The model's files; it takes 128 tokens.
const FILES: [&str; 5] = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// A chat template that any tokenizer can write: a letter for who speaks.
pub const TEMPLATE: &str = "{% for m in messages %}{{ m.role[0] + ':' + m.content + '\\n' }}{% endfor %}\
                            {% if add_generation_prompt %}a:{% endif %}";

/// A copy of the model that `tests/parity/cases` has, in a home of its own.
pub struct Tiny {
    home: TempDir,
}

impl Default for Tiny {
    fn default() -> Self {
        Self::new()
    }
}

impl Tiny {
    /// As it is in the repository.
    ///
    /// # Panics
    /// If it cannot be copied.
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/cases/opt-pre");
        let folder = home.path().join("tiny");
        fs::create_dir(&folder).expect("a folder for the model");
        for file in FILES {
            fs::copy(original.join(file), folder.join(file)).expect("the model's files are there");
        }
        Self { home }
    }

    /// With a chat template.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn with_template(template: &str) -> Self {
        let tiny = Self::new();
        fs::write(tiny.file("chat_template.jinja"), template).expect("a template");
        tiny
    }

    /// The path of one of the model's files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join("tiny").join(name)
    }

    /// The path of a file beside the model.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Changes one of its JSON files.
    ///
    /// # Panics
    /// If it is none.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let bytes = fs::read(self.file(name)).expect("the file");
        let mut value = serde_json::from_slice(&bytes).expect("JSON");
        change(&mut value);
        fs::write(self.file(name), value.to_string()).expect("the file is written");
    }

    /// Changes what the weights' file says of its tensors: name, dtype, shape and place of each.
    ///
    /// # Panics
    /// If it is damaged already.
    pub fn edit_tensors(&self, change: impl FnOnce(&mut Value)) {
        let path = self.file("model.safetensors");
        let bytes = fs::read(&path).expect("the weights");
        let (length, rest) = bytes.split_at(8);
        let length = u64::from_le_bytes(length.try_into().expect("8 bytes"));
        let (header, data) = rest.split_at(length as usize);
        let mut header: Value = serde_json::from_slice(header).expect("a header");
        change(&mut header);
        let header = header.to_string();
        let length = (header.len() as u64).to_le_bytes();
        fs::write(&path, [&length, header.as_bytes(), data].concat()).expect("the weights are written");
    }

    /// Runs the program in the folder beside the model, which is called `tiny` there.
    ///
    /// # Panics
    /// If it cannot be run.
    pub fn run(&self, args: &[&str], stdin: &[u8]) -> Output {
        let mut command = sensorium(self.home.path());
        command.current_dir(self.home.path()).args(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut input = child.stdin.take().expect("its standard input");
        let _ = input.write_all(stdin); // it may end without reading
        drop(input);
        child.wait_with_output().expect("the program ends")
    }

    /// Runs the program and expects one sentence that has each of `expected` in it, and exit status 1.
    ///
    /// # Panics
    /// If it is otherwise.
    pub fn refuses(&self, args: &[&str], stdin: &[u8], expected: &[&str]) {
        let output = self.run(args, stdin);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: more than a sentence: {said}");
        assert!(said.starts_with("error: "), "{args:?}: {said}");
        assert!(!said.contains("a bug in Sensorium"), "{args:?}: {said}");
        for text in expected {
            assert!(said.contains(text), "{args:?}: no `{text}` in: {said}");
        }
    }
}
