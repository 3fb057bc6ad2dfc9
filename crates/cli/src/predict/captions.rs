//! Transcripts as subtitles and their like, to standard output or to files.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sensorium::Transcription;
use sensorium::hub::atomic;
use sensorium::speech::Piece;
use sensorium::speech::subtitles::{self, Caption, Format, Shape};

use crate::outputs::Outputs;

/// How transcripts are written.
#[derive(Debug)]
pub struct Captions {
    /// The kind of file.
    pub kind: Kind,
    /// How captions are cut.
    pub shape: Shape,
    /// A file, or a folder for files with the inputs' names; standard output if there is none.
    pub out: Option<PathBuf>,
    /// The files that were written.
    pub outputs: RefCell<Outputs>,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text with or without times.
    Captions(Format),
    /// All that is known.
    Json,
}

impl Captions {
    /// Says so if several results would go to one place.
    pub fn check(&self, several: bool) -> Result<()> {
        let one = self.kind != Kind::Json && self.kind != Kind::Captions(Format::Text);
        match &self.out {
            None if several && one => {
                bail!("several inputs make several files: name a folder for them with --out")
            }
            Some(out) if several && out.is_file() => {
                bail!(
                    "{} is a file, and there are several inputs: name a folder with --out",
                    out.display()
                )
            }
            _ => Ok(()),
        }
    }

    /// Writes captions to standard output as they come, if that is where they go.
    pub fn writer(&self) -> Option<subtitles::Writer> {
        match (self.kind, &self.out) {
            (Kind::Captions(format), None) => Some(subtitles::Writer::new(format, self.shape)),
            _ => None,
        }
    }

    /// Writes the transcript of `input` to its file; gives back what is to go to standard output.
    pub fn put(&self, input: &str, found: &Transcription, several: bool) -> Result<Option<String>> {
        let text = match self.kind {
            Kind::Captions(format) => subtitles::write(format, &captions(found), self.shape),
            Kind::Json => serde_json::to_string(found)? + "\n",
        };
        let Some(out) = &self.out else {
            return Ok(Some(text));
        };
        let target = match several || out.is_dir() {
            true => {
                std::fs::create_dir_all(out)
                    .with_context(|| format!("cannot make the folder {}", out.display()))?;
                let stem = Path::new(input).file_stem();
                let stem = stem.with_context(|| format!("{input} has no name that a file could have"))?;
                let ending = match self.kind {
                    Kind::Captions(format) => format.ending(),
                    Kind::Json => "json",
                };
                out.join(format!("{}.{ending}", stem.to_string_lossy()))
            }
            false => out.clone(),
        };
        if Path::new(input).exists() && target.canonicalize().ok() == Path::new(input).canonicalize().ok() {
            bail!(
                "{} would be replaced: name another file with --out",
                target.display()
            );
        }
        self.outputs.borrow_mut().take(&target, input)?;
        atomic::write_bytes(&target, text.as_bytes())?;
        Ok(None)
    }
}

fn captions(found: &Transcription) -> Vec<Caption> {
    if found.chunks.is_empty() {
        return vec![Caption {
            text: found.text.clone(),
            ..Caption::default()
        }];
    }
    found.chunks.iter().map(caption).collect()
}

pub fn caption(chunk: &sensorium::Chunk) -> Caption {
    let word = |word: &sensorium::Word| Piece {
        text: word.text.clone(),
        start: word.timestamp.0,
        end: word.timestamp.1,
    };
    Caption {
        start: chunk.timestamp.0,
        end: chunk.timestamp.1,
        text: chunk.text.clone(),
        words: chunk.words.iter().map(word).collect(),
    }
}
