//! Transcripts as files: text, SubRip, WebVTT, TSV, LRC, byte for byte as OpenAI's Whisper writes those it knows.

use std::fmt::Write;

use crate::ctc::Piece;

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
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match format {
        Format::Text => captions
            .iter()
            .try_for_each(|caption| writeln!(text, "{}", caption.text.trim())),
        Format::Srt => {
            let cues = cues(captions, shape).into_iter().zip(1..);
            let time = |seconds| time(seconds, true, ',');
            cues.into_iter().try_for_each(|(cue, number)| {
                writeln!(
                    text,
                    "{number}\n{} --> {}\n{}\n",
                    time(cue.start),
                    time(cue.end),
                    cue.text
                )
            })
        }
        Format::Vtt => {
            text += "WEBVTT\n\n";
            let time = |seconds| time(seconds, false, '.');
            cues(captions, shape).into_iter().try_for_each(|cue| {
                writeln!(text, "{} --> {}\n{}\n", time(cue.start), time(cue.end), cue.text)
            })
        }
        Format::Tsv => {
            text += "start\tend\ttext\n";
            captions.iter().try_for_each(|caption| {
                let line = caption.text.trim().replace('\t', " ");
                writeln!(
                    text,
                    "{}\t{}\t{line}",
                    milliseconds(caption.start),
                    milliseconds(caption.end)
                )
            })
        }
        Format::Lrc => {
            text += "[by:sensorium]\n";
            captions.iter().try_for_each(|caption| {
                let hundredths = (caption.start.max(0.0) * 100.0).round_ties_even() as u64;
                let (minutes, rest) = (hundredths / 6000, hundredths % 6000);
                let line = caption.text.trim();
                writeln!(text, "[{minutes:02}:{:02}.{:02}]{line}", rest / 100, rest % 100)
            })
        }
    };
    text
}

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

/// What is on the screen for a while.
struct Cue {
    start: f64,
    end: f64,
    text: String,
}

fn cues(captions: &[Caption], shape: Shape) -> Vec<Cue> {
    if captions.first().is_none_or(|caption| caption.words.is_empty()) {
        let cue = |caption: &Caption| Cue {
            start: caption.start,
            end: caption.end,
            text: caption.text.trim().replace("-->", "->"),
        };
        return captions.iter().map(cue).collect();
    }
    let mut cues = Vec::new();
    for words in shaped(captions, shape) {
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            continue;
        };
        let (start, end) = (first.start, last.end);
        let text: String = words.iter().map(|word| word.text.as_str()).collect();
        match shape.highlight_words {
            false => cues.push(Cue { start, end, text }),
            true => highlight(&words, &text, &mut cues),
        }
    }
    cues
}

/// A cue for each word, and for each pause between words.
fn highlight(words: &[Piece], text: &str, cues: &mut Vec<Cue>) {
    let mut last = words[0].start;
    for (number, word) in words.iter().enumerate() {
        if milliseconds(last) != milliseconds(word.start) {
            cues.push(Cue {
                start: last,
                end: word.start,
                text: text.to_string(),
            });
        }
        let marked = |(i, other): (usize, &Piece)| match i == number {
            true => underlined(&other.text),
            false => other.text.clone(),
        };
        cues.push(Cue {
            start: word.start,
            end: word.end,
            text: words.iter().enumerate().map(marked).collect(),
        });
        last = word.end;
    }
}

fn underlined(word: &str) -> String {
    let trimmed = word.trim_start();
    format!("{}<u>{trimmed}</u>", &word[..word.len() - trimmed.len()])
}

/// Words of each cue; line breaks are in the words (`iterate_subtitles` of the reference).
fn shaped(captions: &[Caption], shape: Shape) -> Vec<Vec<Piece>> {
    const LONG_PAUSE: f64 = 3.0;
    let keeps = shape.max_line_count.is_none() || shape.max_line_width.is_none();
    let width = shape.max_line_width.filter(|width| *width > 0).unwrap_or(1000);
    let most_words = shape
        .max_words_per_line
        .filter(|words| *words > 0)
        .unwrap_or(1000);
    let (mut cues, mut cue) = (Vec::new(), Vec::<Piece>::new());
    let (mut line, mut lines) = (0, 1);
    let first = captions.iter().flat_map(|caption| &caption.words).next();
    let mut last = first.map_or(0.0, |word| word.start);
    for caption in captions {
        for words in caption.words.chunks(most_words) {
            for (i, word) in words.iter().enumerate() {
                let mut word = word.clone();
                let length = word.text.chars().count();
                let pause = !keeps && word.start - last > LONG_PAUSE;
                let breaks = i == 0 && !cue.is_empty() && keeps;
                if line > 0 && line + length <= width && !pause && !breaks {
                    line += length;
                } else {
                    word.text = word.text.trim().to_string();
                    let full = shape.max_line_count.is_some_and(|most| pause || lines >= most);
                    if (!cue.is_empty() && full) || breaks {
                        cues.push(std::mem::take(&mut cue));
                        lines = 1;
                    } else if line > 0 {
                        lines += 1;
                        word.text.insert(0, '\n');
                    }
                    line = word.text.trim().chars().count();
                }
                last = word.start;
                cue.push(word);
            }
        }
    }
    if !cue.is_empty() {
        cues.push(cue);
    }
    cues
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What OpenAI's writers (release 20250625) made of random captions.
    #[test]
    fn files_are_the_references() {
        let cases: Value = serde_json::from_str(include_str!("../tests/subtitles.json")).expect("JSON");
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
