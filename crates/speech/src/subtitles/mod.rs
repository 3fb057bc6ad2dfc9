//! Transcripts as files: text, SubRip, WebVTT, TSV, LRC, byte for byte as OpenAI's Whisper writes those it knows, but for
//! what would end a record in the middle.

mod lines;

use crate::ctc::Piece;

use lines::{Cue, Lines};

/// Something said, with its times.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Caption {
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
    /// What is said.
    pub text: String,
    /// Its words with the blanks before them; none if their times are not known.
    pub words: Vec<Piece>,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line for each caption.
    Text,
    /// SubRip.
    Srt,
    /// WebVTT.
    Vtt,
    /// Begin and end in milliseconds, text.
    Tsv,
    /// Lyrics: the begin of each line.
    Lrc,
}

impl Format {
    /// The ending of such a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Tsv => "tsv",
            Self::Lrc => "lrc",
        }
    }
}

/// How captions are cut to fit a screen, where the times of words are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// The most characters of a line.
    pub max_line_width: Option<usize>,
    /// The most lines of a caption; with a width, captions are cut anew wherever they began.
    pub max_line_count: Option<usize>,
    /// The most words of a line.
    pub max_words_per_line: Option<usize>,
    /// Each word in turn is underlined while it is said.
    pub highlight_words: bool,
}

/// The file's content.
pub fn write(format: Format, captions: &[Caption], shape: Shape) -> String {
    let mut writer = Writer::new(format, shape);
    let text: String = captions.iter().map(|caption| writer.push(caption)).collect();
    text + &writer.finish()
}

/// Writes a file caption by caption.
///
/// Captions begin no earlier than the one before, and end no earlier than they begin; a text has no line breaks that
/// would end a record.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    lines: Lines,
    /// Whether anything was written.
    begun: bool,
    /// Cues that were written.
    cues: usize,
    /// When the last one began, in seconds.
    latest: f64,
}

impl Writer {
    /// Begins a file.
    pub fn new(format: Format, shape: Shape) -> Self {
        Self {
            format,
            lines: Lines::new(shape),
            begun: false,
            cues: 0,
            latest: 0.0,
        }
    }

    /// What the file goes on with. Where captions are cut anew, this caption's words may come with the next one's.
    pub fn push(&mut self, caption: &Caption) -> String {
        let mut text = self.head();
        match self.format {
            Format::Srt | Format::Vtt => {
                let cues = self.lines.push(caption);
                self.write_cues(cues, &mut text);
            }
            Format::Text | Format::Tsv | Format::Lrc => {
                let (start, end) = self.times(caption.start, caption.end);
                let line = one_line(&caption.text);
                let line = line.trim();
                text += &match self.format {
                    Format::Text => format!("{line}\n"),
                    Format::Tsv => {
                        let line = line.replace('\t', " ");
                        format!("{}\t{}\t{line}\n", milliseconds(start), milliseconds(end))
                    }
                    _ => {
                        let hundredths = (start * 100.0).round_ties_even() as u64;
                        let (minutes, rest) = (hundredths / 6000, hundredths % 6000);
                        format!("[{minutes:02}:{:02}.{:02}]{line}\n", rest / 100, rest % 100)
                    }
                };
            }
        }
        text
    }

    /// What the file ends with.
    pub fn finish(mut self) -> String {
        let mut text = self.head();
        let cues = self.lines.finish();
        self.write_cues(cues, &mut text);
        text
    }

    /// What the file begins with, once.
    fn head(&mut self) -> String {
        let head = match self.format {
            Format::Text | Format::Srt => "",
            Format::Vtt => "WEBVTT\n\n",
            Format::Tsv => "start\tend\ttext\n",
            Format::Lrc => "[by:sensorium]\n",
        };
        match std::mem::replace(&mut self.begun, true) {
            true => String::new(),
            false => head.to_string(),
        }
    }

    fn write_cues(&mut self, cues: Vec<Cue>, file: &mut String) {
        for cue in cues {
            let (start, end) = self.times(cue.start, cue.end);
            let text = cue_text(&cue.text);
            self.cues += 1;
            *file += &match self.format {
                Format::Srt => {
                    let [start, end] = [start, end].map(|seconds| time(seconds, true, ','));
                    format!("{}\n{start} --> {end}\n{text}\n\n", self.cues)
                }
                _ => {
                    let [start, end] = [start, end].map(|seconds| time(seconds, false, '.'));
                    format!("{start} --> {end}\n{text}\n\n")
                }
            };
        }
    }

    /// Times that go forward.
    fn times(&mut self, start: f64, end: f64) -> (f64, f64) {
        self.latest = start.max(self.latest);
        (self.latest, end.max(self.latest))
    }
}

/// What some reader takes for the end of a line.
fn is_break(letter: char) -> bool {
    matches!(
        letter,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

fn one_line(text: &str) -> String {
    text.replace(is_break, " ")
}

/// A cue's text without what would end it: blank lines and arrows.
fn cue_text(text: &str) -> String {
    let mut text = text.to_string();
    while text.contains("-->") {
        text = text.replace("-->", "->");
    }
    if !text.contains(is_break) {
        return text;
    }
    let lines = text.split(is_break).filter(|line| !line.trim().is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Milliseconds; none of what is before the beginning, or no number.
fn milliseconds(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1000.0).round_ties_even() as u64
}

fn time(seconds: f64, hours_always: bool, point: char) -> String {
    let all = milliseconds(seconds);
    let (hours, minutes) = (all / 3_600_000, all / 60_000 % 60);
    let hours = match hours > 0 || hours_always {
        true => format!("{hours:02}:"),
        false => String::new(),
    };
    format!(
        "{hours}{minutes:02}:{:02}{point}{:03}",
        all / 1000 % 60,
        all % 1000
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The reference leaves arrows in words, which readers take for the times of a cue.
    fn without_arrows(file: &str) -> String {
        let line = |line: &str| match line.starts_with(|letter: char| letter.is_ascii_digit()) {
            true => line.to_string(),
            false => line.replace("-->", "->"),
        };
        file.split('\n').map(line).collect::<Vec<_>>().join("\n")
    }

    /// What OpenAI's writers (release 20250625) made of random captions.
    #[test]
    fn files_are_the_references() {
        let cases: Value = serde_json::from_str(include_str!("../../tests/subtitles.json")).expect("JSON");
        let cases = cases.as_array().expect("a list");
        assert!(cases.len() >= 20);
        for case in cases {
            let number = |value: &Value| value.as_f64().expect("a number");
            let string = |value: &Value| value.as_str().expect("a text").to_string();
            let words = |segment: &Value| -> Vec<Piece> {
                let words = segment.get("words").and_then(Value::as_array);
                let word = |word: &Value| Piece {
                    text: string(&word["word"]),
                    start: number(&word["start"]),
                    end: number(&word["end"]),
                    ..Piece::default()
                };
                words.into_iter().flatten().map(word).collect()
            };
            let caption = |segment: &Value| Caption {
                start: number(&segment["start"]),
                end: number(&segment["end"]),
                text: string(&segment["text"]),
                words: words(segment),
            };
            let captions: Vec<Caption> = case["segments"]
                .as_array()
                .expect("a list")
                .iter()
                .map(caption)
                .collect();
            let count = |name: &str| case["shape"][name].as_u64().map(|n| n as usize);
            let shape = Shape {
                max_line_width: count("max_line_width"),
                max_line_count: count("max_line_count"),
                max_words_per_line: count("max_words_per_line"),
                highlight_words: case["shape"]["highlight_words"] == Value::Bool(true),
            };
            for format in [Format::Text, Format::Srt, Format::Vtt, Format::Tsv] {
                let expected = string(&case["files"][format.ending()]);
                let expected = match format {
                    Format::Srt | Format::Vtt => without_arrows(&expected),
                    _ => expected,
                };
                assert_eq!(write(format, &captions, shape), expected, "{format:?} {shape:?}");
            }
        }
    }

    #[test]
    fn lyrics_have_hundredths() {
        let caption = Caption {
            start: 61.236,
            text: " la la".to_string(),
            ..Caption::default()
        };
        let text = write(Format::Lrc, &[caption], Shape::default());
        assert_eq!(text, "[by:sensorium]\n[01:01.24]la la\n");
    }
}
