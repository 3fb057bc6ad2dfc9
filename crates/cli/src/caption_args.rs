//! The flags of commands that write words with times.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use sensorium::speech::subtitles::{Format, Shape};

use crate::predict::{Captions, Kind, Place};
use crate::usage;

/// What is written, and where.
#[derive(Debug, clap::Args)]
pub struct CaptionArgs {
    /// Write a file of this kind [default: the text alone]
    #[arg(short, long, value_enum)]
    format: Option<FormatName>,

    /// Write to this file; of several inputs, to files of their names in this folder
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,

    /// Write a file beside each input, of its name
    #[arg(long, conflicts_with = "out")]
    beside: bool,

    /// The most characters of a subtitle's line
    #[arg(long, value_name = "N", help_heading = "Subtitles")]
    max_line_width: Option<usize>,

    /// The most lines of a subtitle
    #[arg(
        long,
        value_name = "N",
        requires = "max_line_width",
        help_heading = "Subtitles"
    )]
    max_line_count: Option<usize>,

    /// The most words of a subtitle's line
    #[arg(long, value_name = "N", help_heading = "Subtitles")]
    max_words_per_line: Option<usize>,

    /// Underline each word while it is said
    #[arg(long, help_heading = "Subtitles")]
    highlight_words: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    /// A line for each part
    Txt,
    /// SubRip subtitles
    Srt,
    /// WebVTT subtitles
    Vtt,
    /// A table: begin and end in milliseconds, text
    Tsv,
    /// Lyrics: the begin of each line
    Lrc,
    /// All that is known
    Json,
}

/// What is wrong where only text would be shown with the times of characters.
pub const CHARS: &str = "--chars says when characters are said, which only JSON shows: add --json";

/// Whether all that is known is shown. `json` is the program's general flag.
pub fn shows_all(captions: Option<&Captions>, json: bool) -> bool {
    captions.map_or(json, |captions| captions.kind == Kind::Json)
}

impl CaptionArgs {
    /// How captions are cut into lines.
    pub fn shape(&self) -> Shape {
        Shape {
            max_line_width: self.max_line_width,
            max_line_count: self.max_line_count,
            max_words_per_line: self.max_words_per_line,
            highlight_words: self.highlight_words,
        }
    }

    /// What is written; none for the text alone. `json` is the program's general flag.
    ///
    /// # Errors
    /// If a flag has no effect on what is written.
    pub fn captions(&self, json: bool) -> Result<Option<Captions>> {
        let captions = self.written(json);
        let kind = captions.as_ref().map(|captions| captions.kind);
        if json && matches!(kind, Some(Kind::Captions(_))) {
            return Err(usage::wrong(
                "--json and --format name two kinds of file: give one of them",
            ));
        }
        if json && self.format.is_none() && matches!(self.named(), Some(Kind::Captions(_))) {
            return Err(usage::wrong(
                "--json and the name in --out stand for two kinds of file: give one of them",
            ));
        }
        let is_cut = matches!(kind, Some(Kind::Captions(Format::Srt | Format::Vtt)));
        if self.shape() != Shape::default() && !is_cut {
            return Err(usage::wrong(
                "lines are cut and words underlined in subtitles alone: add --format srt or vtt",
            ));
        }
        Ok(captions)
    }

    fn written(&self, json: bool) -> Option<Captions> {
        let kind = match self.format {
            Some(FormatName::Json) => Kind::Json,
            Some(FormatName::Txt) => Kind::Captions(Format::Text),
            Some(FormatName::Srt) => Kind::Captions(Format::Srt),
            Some(FormatName::Vtt) => Kind::Captions(Format::Vtt),
            Some(FormatName::Tsv) => Kind::Captions(Format::Tsv),
            Some(FormatName::Lrc) => Kind::Captions(Format::Lrc),
            None if self.out.is_none() && !self.beside => return None,
            None if json => Kind::Json,
            None => self.named().unwrap_or(Kind::Captions(Format::Text)),
        };
        let place = match &self.out {
            _ if self.beside => Place::Beside,
            Some(out) => Place::Path(out.clone()),
            None => Place::Shown,
        };
        Some(Captions::new((kind, self.format.is_some()), self.shape(), place))
    }

    /// The kind of file that the name in `--out` stands for, if it stands for one.
    fn named(&self) -> Option<Kind> {
        let ending = self.out.as_ref()?.extension()?.to_ascii_lowercase();
        Some(Kind::Captions(match ending.to_str()? {
            "json" => return Some(Kind::Json),
            "srt" => Format::Srt,
            "vtt" => Format::Vtt,
            "tsv" => Format::Tsv,
            "lrc" => Format::Lrc,
            "txt" => Format::Text,
            _ => return None,
        }))
    }
}
