//! Speed beside the peers: the same weights, data and threads, engines in turn, medians and ratios.
//!
//! ```text
//! cargo run --release -p sensorium-benches -- mnist DATA_DIR --python PYTHON
//! cargo run --release -p sensorium-benches -- classify target/release/sensorium examples/samples/digits/7.png --python PYTHON
//! cargo run --release -p sensorium-benches -- decode MODEL_DIR --python PYTHON
//! cargo run --release -p sensorium-benches -- train-lm TEXT --python PYTHON
//! cargo run --release -p sensorium-benches -- translate MODEL_DIR SENTENCES.json --python PYTHON
//! cargo run --release -p sensorium-benches -- transcribe MODEL_DIR RECORDING.wav --python PYTHON
//! cargo run --release -p sensorium-benches -- speak MODEL_DIR --python PYTHON
//! ```

mod classify;
mod decode;
mod mnist;
mod speak;
mod table;
mod train_lm;
mod transcribe;
mod translate;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Times Sensorium beside its peers")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
    #[command(flatten)]
    shared: Shared,
}

#[derive(clap::Args)]
struct Shared {
    /// A Python that has the peers' packages; without it only ours is timed
    #[arg(long, global = true)]
    python: Option<PathBuf>,
    /// Threads of every engine
    #[arg(long, global = true, default_value_t = 2)]
    threads: i32,
    /// Times that the engines follow each other
    #[arg(long, global = true, default_value_t = 3)]
    rounds: usize,
}

#[derive(Subcommand)]
enum Bench {
    /// mnist-cnn: an epoch of training and the test set, beside Keras/TensorFlow and PyTorch eager
    Mnist {
        /// Folder with the four MNIST files
        data: PathBuf,
    },
    /// One picture from the start of the process, beside Keras/TensorFlow and PyTorch eager
    Classify(classify::Arguments),
    /// A language model: prompt and single tokens, beside transformers and llama.cpp
    Decode(decode::Arguments),
    /// A small GPT on the characters of a text, beside PyTorch eager
    TrainLm(train_lm::Arguments),
    /// A translator of Marian's shape, greedily and with beams, beside transformers and CTranslate2
    Translate(translate::Arguments),
    /// Windows of a recording through Whisper, beside transformers and CTranslate2
    Transcribe(transcribe::Arguments),
    /// A sentence by a voice of VITS's shape, beside transformers
    Speak(speak::Arguments),
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    sensorium_blocks::keep_freed_memory();
    tch::set_num_threads(cli.shared.threads);
    match cli.bench {
        Bench::Mnist { data } => mnist::run(&data, &cli.shared),
        Bench::Classify(arguments) => classify::run(&arguments, &cli.shared),
        Bench::Decode(arguments) => decode::run(&arguments, &cli.shared),
        Bench::TrainLm(arguments) => train_lm::run(&arguments, &cli.shared),
        Bench::Translate(arguments) => translate::run(&arguments, &cli.shared),
        Bench::Transcribe(arguments) => transcribe::run(&arguments, &cli.shared),
        Bench::Speak(arguments) => speak::run(&arguments, &cli.shared),
    }
}
