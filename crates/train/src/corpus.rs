//! Text to train language models on: a file, a folder, a CSV with a column of texts.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::error::{Result, TrainError};

/// Training and validation texts; each string is a document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Texts {
    /// To learn.
    pub train: Vec<String>,
    /// To validate on.
    pub validation: Vec<String>,
}

/// How a corpus is read.
#[derive(Debug, Clone)]
pub struct CorpusOptions {
    /// The column of a CSV or TSV that has the texts; unless named, `text`, or the only column.
    pub column: Option<String>,
    /// Share of a text without a validation file of its own that is held out, from its end.
    pub held_out: f64,
}

impl Default for CorpusOptions {
    fn default() -> Self {
        Self {
            column: None,
            held_out: 0.1,
        }
    }
}

/// Names that the two files of a folder may have, without their endings.
const TRAIN: &[&str] = &["train", "training", "input"];
const VALIDATION: &[&str] = &["valid", "validation", "val", "dev", "test"];
const ENDINGS: &[&str] = &["txt", "csv", "tsv", "txt.gz", "csv.gz", "tsv.gz"];

/// Reads `path`: a text file, a CSV or TSV, either gzipped or not, or a folder that has `train` and perhaps
/// `valid` in one of these forms.
///
/// # Errors
/// If a file is missing, unreadable, not UTF-8 or empty, or the column is not in it.
pub fn read(path: &Path, options: &CorpusOptions) -> Result<Texts> {
    let (train, validation) = if path.is_dir() {
        let find = |names: &[&str]| find(path, names);
        let train = find(TRAIN).ok_or_else(|| {
            problem(path, "has no training text: expected train.txt, train.csv, train.tsv or input.txt, or one of these gzipped")
        })?;
        (train, find(VALIDATION))
    } else {
        (path.to_path_buf(), None)
    };
    let train = documents(&train, options)?;
    if let Some(validation) = validation {
        let validation = documents(&validation, options)?;
        return Ok(Texts { train, validation });
    }
    Ok(hold_out(train, options.held_out))
}

/// The last share of the documents; of a single one, of its characters.
fn hold_out(mut documents: Vec<String>, share: f64) -> Texts {
    if documents.len() == 1 {
        let text = documents.remove(0);
        let kept = text.chars().count();
        let kept = (kept as f64 * (1.0 - share)) as usize;
        let cut = text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at);
        let (train, validation) = text.split_at(cut);
        return Texts {
            train: vec![train.to_string()],
            validation: vec![validation.to_string()],
        };
    }
    let kept = (documents.len() as f64 * (1.0 - share)) as usize;
    let validation = documents.split_off(kept);
    Texts {
        train: documents,
        validation,
    }
}

fn find(dir: &Path, names: &[&str]) -> Option<PathBuf> {
    let candidates = names.iter().flat_map(|name| {
        ENDINGS
            .iter()
            .map(move |ending| dir.join(format!("{name}.{ending}")))
    });
    candidates.into_iter().find(|path| path.is_file())
}

/// The documents of a file: the whole of a text, each row of a table.
fn documents(path: &Path, options: &CorpusOptions) -> Result<Vec<String>> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let gzipped = name.ends_with(".gz");
    let stem = name.trim_end_matches(".gz");
    let text = text_of(path, gzipped)?;
    let documents = if stem.ends_with(".csv") {
        rows(path, &text, b',', options)?
    } else if stem.ends_with(".tsv") {
        rows(path, &text, b'\t', options)?
    } else {
        vec![text]
    };
    if documents.iter().all(|text| text.trim().is_empty()) {
        return Err(problem(path, "has no text in it"));
    }
    Ok(documents)
}

/// The lines of a text, gzipped or not.
///
/// # Errors
/// If the file is unreadable, not UTF-8 or has no text in it.
pub fn lines(path: &Path) -> Result<Vec<String>> {
    let text = text_of(path, path.extension().is_some_and(|ending| ending == "gz"))?;
    if text.trim().is_empty() {
        return Err(problem(path, "has no text in it"));
    }
    Ok(text.lines().map(str::to_string).collect())
}

fn text_of(path: &Path, gzipped: bool) -> Result<String> {
    let read = |error| TrainError::Corpus {
        path: path.to_path_buf(),
        problem: format!("cannot be read: {error}"),
    };
    let mut file = File::open(path).map_err(read)?;
    let mut bytes = Vec::new();
    if gzipped {
        GzDecoder::new(file).read_to_end(&mut bytes).map_err(read)?;
    } else {
        file.read_to_end(&mut bytes).map_err(read)?;
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        problem(
            path,
            &format!("is not UTF-8: the byte at {at} begins no character"),
        )
    })
}

/// One column of a table with a header.
fn rows(path: &Path, text: &str, delimiter: u8, options: &CorpusOptions) -> Result<Vec<String>> {
    let csv_error = |error: csv::Error| problem(path, &format!("is no table: {error}"));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(csv_error)?.clone();
    let named = options.column.as_deref().unwrap_or("text");
    let column = match header
        .iter()
        .position(|name| name.trim().eq_ignore_ascii_case(named))
    {
        Some(column) => column,
        None if options.column.is_none() && header.len() == 1 => 0,
        None => {
            let there: Vec<String> = header.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("has no column `{named}`; its columns are {}", there.join(", "));
            return Err(problem(path, &message));
        }
    };
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(csv_error)?;
        rows.push(record.get(column).unwrap_or_default().to_string());
    }
    Ok(rows)
}

pub(crate) fn problem(path: &Path, problem: &str) -> TrainError {
    TrainError::Corpus {
        path: path.to_path_buf(),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn read_all(dir: &Path, path: &str) -> Result<Texts> {
        read(&dir.join(path), &CorpusOptions::default())
    }

    #[test]
    fn the_end_of_a_text_is_held_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.txt"), "ÄÖÜäöüßabc").unwrap();
        let texts = read_all(dir.path(), "a.txt").unwrap();
        assert_eq!(
            (texts.train, texts.validation),
            (vec!["ÄÖÜäöüßab".into()], vec!["c".into()])
        );
    }

    #[test]
    fn tables_and_folders_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut train = flate2::write::GzEncoder::new(
            File::create(dir.path().join("train.csv.gz")).unwrap(),
            flate2::Compression::fast(),
        );
        train
            .write_all(b"id,text\n1,\"one, two\nthree\"\n2,four\n")
            .unwrap();
        train.finish().unwrap();
        fs::write(dir.path().join("valid.csv"), "Text\nfive\n").unwrap();
        let texts = read_all(dir.path(), "").unwrap();
        assert_eq!(texts.train, ["one, two\nthree", "four"]);
        assert_eq!(texts.validation, ["five"]);
    }

    #[test]
    fn problems_name_the_file_and_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.csv"), "id,body\n1,x\n").unwrap();
        fs::write(dir.path().join("b.txt"), b"abc\xff").unwrap();
        fs::write(dir.path().join("c.txt"), " \n").unwrap();
        let message = |path| read_all(dir.path(), path).unwrap_err().to_string();
        assert!(message("a.csv").ends_with("a.csv has no column `text`; its columns are `id`, `body`"));
        assert!(message("b.txt").contains("b.txt is not UTF-8: the byte at 3"));
        assert!(message("c.txt").ends_with("has no text in it"));
        assert!(message("d.txt").contains("d.txt cannot be read"));
        assert!(message("").contains("has no training text"));
    }
}
