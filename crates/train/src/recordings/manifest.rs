//! Lists of recordings with their texts.

use serde_json::Value;

use super::tree::ending;

/// A line of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// A path, or a recording's name without its ending.
    pub audio: String,
    pub text: String,
    pub speaker: Option<String>,
}

const AUDIO: &[&str] = &[
    "audio",
    "audio_filepath",
    "path",
    "file",
    "file_name",
    "filename",
    "wav",
    "utterance",
    "id",
];
const TEXT: &[&str] = &[
    "text",
    "sentence",
    "transcript",
    "transcription",
    "normalized_text",
];
const SPEAKER: &[&str] = &["speaker", "speaker_id", "client_id"];

/// Whether the file's first line looks like a manifest's.
pub(super) fn is_one(name: &str, text: &str) -> bool {
    let first: String = text.lines().take(1).collect();
    match ending(name).as_str() {
        "json" | "jsonl" => rows(name, &first).is_ok_and(|rows| rows.len() == 1),
        "csv" | "tsv" => rows(name, &first).is_ok(),
        _ => false,
    }
}

/// The rows of a manifest.
pub(super) fn rows(name: &str, text: &str) -> Result<Vec<Row>, String> {
    match ending(name).as_str() {
        "json" | "jsonl" => json_lines(text),
        "tsv" => table(text, b'\t'),
        _ if text.lines().take(1).any(|line| line.contains('|')) => Ok(piped(text)),
        _ => table(text, b','),
    }
}

fn json_lines(text: &str) -> Result<Vec<Row>, String> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let value: Value =
                serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
            let find = |names: &[&str]| {
                let found = names.iter().find_map(|name| value.get(name));
                found.and_then(Value::as_str).map(str::to_string)
            };
            let (Some(audio), Some(text)) = (find(AUDIO), find(TEXT)) else {
                return Err(format!(
                    "line {} lacks `audio` or `text` (other names: {}; {})",
                    number + 1,
                    AUDIO[1..].join(", "),
                    TEXT[1..].join(", ")
                ));
            };
            Ok(Row {
                audio,
                text,
                speaker: find(SPEAKER),
            })
        })
        .collect()
}

fn table(text: &str, delimiter: u8) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .quoting(delimiter == b',')
        .from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |names: &[&str]| {
        names.iter().find_map(|name| {
            headers
                .iter()
                .position(|header| header.trim().eq_ignore_ascii_case(name))
        })
    };
    let (Some(audio), Some(said)) = (column(AUDIO), column(TEXT)) else {
        return Err(format!(
            "has no column `audio` or no column `text` (other names: {}; {})",
            AUDIO[1..].join(", "),
            TEXT[1..].join(", ")
        ));
    };
    let speaker = column(SPEAKER);
    reader
        .records()
        .map(|record| {
            let record = record.map_err(|error| error.to_string())?;
            let get = |column: usize| record.get(column).unwrap_or_default().trim().to_string();
            Ok(Row {
                audio: get(audio),
                text: get(said),
                speaker: speaker.map(get),
            })
        })
        .collect()
}

/// LJ Speech's: name, text, and perhaps the text in words, with bars between them.
fn piped(text: &str) -> Vec<Row> {
    let lines = text.lines().filter_map(|line| {
        let mut parts = line.split('|');
        let audio = parts.next()?.trim().to_string();
        let text = parts.next_back()?.trim().to_string();
        Some(Row {
            audio,
            text,
            speaker: None,
        })
    });
    lines.collect()
}
