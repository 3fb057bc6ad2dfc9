//! What the tests of the whole share: the program, recordings, and a small data set drawn on the spot.

pub mod recordings;
pub mod tiny;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program `sensorium`, as this build made it, in a home of its own and without a network.
///
/// # Panics
/// If it has not been built.
pub fn sensorium(home: &Path) -> Command {
    let mut folder = std::env::current_exe().expect("a test knows its own path");
    folder.pop(); // deps/
    folder.pop();
    let program = folder.join(format!("sensorium{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.is_file(),
        "{} is not built: run `cargo build -p sensorium-cli`",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .env("SENSORIUM_HOME", home)
        .env("HF_HOME", home)
        .env_remove("SENSORIUM_DATA");
    command.args(["--offline", "--threads", "1"]).stdin(Stdio::null());
    command
}

/// What a finished program printed on standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a finished program printed on standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The folder of the real MNIST files, where this checkout has one beside it or `SENSORIUM_DATA` says so.
pub fn real_mnist() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/datasets");
    let given = std::env::var_os("SENSORIUM_DATA").map(PathBuf::from);
    given
        .into_iter()
        .chain([beside])
        .map(|data| data.join("mnist"))
        .find(|mnist| mnist.is_dir())
}

/// Writes a data set in MNIST's format: a bright bar whose place tells the class, in noise.
///
/// # Panics
/// If the folder cannot be written.
pub fn write_bars(folder: &Path, train: u32, test: u32) {
    fs::create_dir_all(folder).expect("a folder for the data");
    for (name, count, seed) in [("train", train, 1), ("t10k", test, 2)] {
        let mut noise = Noise(seed);
        let labels: Vec<u8> = (0..count).map(|_| noise.below(10) as u8).collect();
        let mut pixels = Vec::new();
        for &label in &labels {
            let left = 2 + 2 * u32::from(label);
            for at in 0..28 * 28 {
                let inside = (left..left + 3).contains(&(at % 28)) && (4..24).contains(&(at / 28));
                pixels.push(if inside {
                    150 + noise.below(100)
                } else {
                    noise.below(60)
                } as u8);
            }
        }
        let idx = |magic: u32, sizes: &[u32], data: &[u8]| {
            let header = [magic]
                .iter()
                .chain(sizes)
                .flat_map(|n| n.to_be_bytes())
                .collect::<Vec<u8>>();
            [&header, data].concat()
        };
        let write = |kind: &str, bytes: Vec<u8>| {
            fs::write(folder.join(format!("{name}-{kind}-ubyte")), bytes).expect("a data file");
        };
        write("images-idx3", idx(2051, &[count, 28, 28], &pixels));
        write("labels-idx1", idx(2049, &[count], &labels));
    }
}

/// A small generator (xorshift, Marsaglia 2003), so that the data are the same everywhere.
struct Noise(u32);

impl Noise {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % limit
    }
}
