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
    /// Where they go.
    pub place: Place,
    /// Whether the kind of file was named: a file beside an input may be the user's own.
    named: bool,
    /// The files that were written.
    outputs: RefCell<Outputs>,
}

/// Where transcripts go.
#[derive(Debug)]
pub enum Place {
    /// To standard output.
    Shown,
    /// To a file, or to files with the inputs' names in a folder.
    Path(PathBuf),
    /// To files with the inputs' names beside these.
    Beside,
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
    /// Writes files of this kind, which may have been `named`, to that place.
    pub fn new((kind, named): (Kind, bool), shape: Shape, place: Place) -> Self {
        Self {
            kind,
            shape,
            place,
            named,
            outputs: RefCell::default(),
        }
    }

    /// Says so if several results would go to one place, or the only one to a folder that is not there.
    pub fn check(&self, several: bool) -> Result<()> {
        let one = self.kind != Kind::Json && self.kind != Kind::Captions(Format::Text);
        match &self.place {
            Place::Shown if several && one => {
                bail!(
                    "several inputs make several files: name a folder for them with --out, or ask for --beside"
                )
            }
            Place::Path(out) if several && out.is_file() => {
                bail!(
                    "{} is a file, and there are several inputs: name a folder with --out",
                    out.display()
                )
            }
            Place::Path(out) if !several => match out.parent() {
                Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                    bail!(
                        "{} cannot be written: there is no folder {}",
                        out.display(),
                        folder.display()
                    )
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Writes captions to standard output as they come, if that is where they go.
    pub fn writer(&self) -> Option<subtitles::Writer> {
        match (self.kind, &self.place) {
            (Kind::Captions(format), Place::Shown) => Some(subtitles::Writer::new(format, self.shape)),
            _ => None,
        }
    }

    /// Writes the transcript of `input` to its file; gives back what is to go to standard output.
    pub fn put(&self, input: &str, found: &Transcription, several: bool) -> Result<Option<String>> {
        let text = match self.kind {
            Kind::Captions(format) => subtitles::write(format, &captions(found), self.shape),
            Kind::Json => serde_json::to_string(found)? + "\n",
        };
        let Some(target) = self.target(input, several)? else {
            return Ok(Some(text));
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

    /// The file of `input`; none if its transcript goes to standard output.
    fn target(&self, input: &str, several: bool) -> Result<Option<PathBuf>> {
        let ending = match self.kind {
            Kind::Captions(format) => format.ending(),
            Kind::Json => "json",
        };
        match &self.place {
            Place::Shown => Ok(None),
            Place::Beside if input == "-" => {
                bail!("nothing is beside standard input: name a file with --out")
            }
            Place::Beside => {
                let target = Path::new(input).with_extension(ending);
                if !self.named && target.exists() {
                    bail!(
                        "{} is there already: --format {ending} replaces it",
                        target.display()
                    );
                }
                Ok(Some(target))
            }
            Place::Path(out) if several || out.is_dir() => {
                std::fs::create_dir_all(out)
                    .with_context(|| format!("cannot make the folder {}", out.display()))?;
                let stem = Path::new(input).file_stem();
                let stem = stem.with_context(|| format!("{input} has no name that a file could have"))?;
                Ok(Some(out.join(format!("{}.{ending}", stem.to_string_lossy()))))
            }
            Place::Path(out) => Ok(Some(out.clone())),
        }
    }
}

fn captions(found: &Transcription) -> Vec<Caption> {
    if found.chunks.is_empty() && !found.text.trim().is_empty() {
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
        ..Piece::default()
    };
    Caption {
        start: chunk.timestamp.0,
        end: chunk.timestamp.1,
        text: chunk.text.clone(),
        words: chunk.words.iter().map(word).collect(),
    }
}
