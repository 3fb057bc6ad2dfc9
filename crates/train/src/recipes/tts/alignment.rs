//! When each phoneme of a recording is said: CTM and TextGrid files, as forced aligners write them.

use std::fs;
use std::path::Path;

use crate::corpus::problem;
use crate::error::Result;

/// A phoneme, or a mark where the voice is silent, and when it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// What is said.
    pub phoneme: String,
    /// In seconds.
    pub end: f64,
}

/// Reads the alignment of the recording `name` in `folder`, `name.ctm` or `name.TextGrid`; none if there is no file.
/// What it leaves out for longer than a `frame`, in seconds, is silent.
///
/// # Errors
/// If the file cannot be read or makes no sense.
pub fn read(folder: &Path, name: &str, frame: f64) -> Result<Option<Vec<Segment>>> {
    type Parse = fn(&str, f64) -> Option<Vec<Segment>>;
    for (ending, parse) in [("ctm", ctm as Parse), ("TextGrid", |text, _| text_grid(text))] {
        let path = folder.join(format!("{name}.{ending}"));
        if !path.is_file() {
            continue;
        }
        let text =
            fs::read_to_string(&path).map_err(|error| problem(&path, &format!("cannot be read: {error}")))?;
        let segments = parse(&text, frame).filter(|segments| {
            !segments.is_empty() && segments.is_sorted_by(|a, b| a.end <= b.end) && segments[0].end >= 0.0
        });
        let wrong = || problem(&path, "is no alignment, or its times do not rise");
        return segments.map(Some).ok_or_else(wrong);
    }
    Ok(None)
}

/// Writes `name.ctm` in `folder`, which is made.
///
/// # Errors
/// If it cannot be written.
pub fn write(folder: &Path, name: &str, segments: &[Segment]) -> Result<()> {
    let mut begin = 0.0;
    let mut text = String::new();
    for Segment { phoneme, end } in segments {
        text += &format!("{name} 1 {begin:.4} {:.4} {phoneme}\n", end - begin);
        begin = *end;
    }
    fs::create_dir_all(folder).map_err(|error| problem(folder, &format!("cannot be made: {error}")))?;
    Ok(sensorium_hub::atomic::write_bytes(
        &folder.join(format!("{name}.ctm")),
        text.as_bytes(),
    )?)
}

/// Where nothing is said.
const SILENCE: &str = ",";

/// What aligners call silence is a mark.
fn named(phoneme: &str) -> String {
    match ["", "sil", "sp", "spn", "<eps>"].contains(&phoneme.to_lowercase().as_str()) {
        true => SILENCE.to_string(),
        false => phoneme.to_string(),
    }
}

/// `recording channel begin length phoneme` a line; many aligners leave silences out.
fn ctm(text: &str, frame: f64) -> Option<Vec<Segment>> {
    let mut segments: Vec<Segment> = Vec::new();
    let lines = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with(";;"));
    for line in lines {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [_, _, begin, length, phoneme, ..] = parts[..] else {
            return None;
        };
        let (begin, length) = (begin.parse::<f64>().ok()?, length.parse::<f64>().ok()?);
        let phoneme = named(phoneme);
        let end = segments.last().map_or(0.0, |last| last.end);
        if begin - end > frame {
            match segments.last_mut() {
                Some(last) if last.phoneme == SILENCE => last.end = begin,
                _ if phoneme == SILENCE => {}
                _ => segments.push(Segment {
                    phoneme: SILENCE.to_string(),
                    end: begin,
                }),
            }
        }
        segments.push(Segment {
            phoneme,
            end: begin + length,
        });
    }
    Some(segments)
}

/// The tier `phones` (the last one if none is called so) of a TextGrid in Praat's long form, as the Montreal Forced
/// Aligner writes it.
fn text_grid(text: &str) -> Option<Vec<Segment>> {
    let mut tiers: Vec<(String, Vec<Segment>)> = Vec::new();
    let mut end = None;
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim();
        let quoted = || value.trim_matches('"').to_string();
        match key.trim() {
            "name" => tiers.push((quoted(), Vec::new())),
            "xmax" => end = value.parse::<f64>().ok(),
            "text" => {
                let (_, segments) = tiers.last_mut()?;
                let phoneme = named(&quoted());
                segments.push(Segment { phoneme, end: end? });
            }
            _ => {}
        }
    }
    let phones = tiers.iter().position(|(name, _)| name == "phones");
    let at = phones.or(tiers.len().checked_sub(1))?;
    Some(tiers.swap_remove(at).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let segments = [("HH", 0.1), ("AY1", 0.35)].map(|(phoneme, end)| Segment {
            phoneme: phoneme.to_string(),
            end,
        });
        let place = folder.path().join("alignments");
        write(&place, "a", &segments).unwrap();
        assert_eq!(read(&place, "a", 0.016).unwrap(), Some(segments.to_vec()));
        assert_eq!(read(&place, "b", 0.016).unwrap(), None);
    }

    #[test]
    fn both_kinds_are_read() {
        let expected = [("HH", 0.1), ("AY1", 0.35), (",", 0.5)].map(|(phoneme, end)| Segment {
            phoneme: phoneme.to_string(),
            end,
        });
        let close = |found: Option<Vec<Segment>>| {
            let found = found.expect("an alignment");
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.phoneme, expected.phoneme);
                assert!((found.end - expected.end).abs() < 1e-9);
            }
        };
        let ctm = |text| ctm(text, 0.016);
        close(ctm("a 1 0.0 0.1 HH\na 1 0.1 0.25 AY1\na 1 0.35 0.15 ,\n"));
        close(ctm("a 1 0.0 0.1 HH\na 1 0.11 0.24 AY1\na 1 0.35 0.15 SIL\n"));
        let tier = |name: &str, intervals: &str| {
            format!(
                "    item [1]:\n        class = \"IntervalTier\"\n        name = \"{name}\"\n        xmin = 0\n        xmax = 0.5\n{intervals}"
            )
        };
        let interval = |xmax: f64, text: &str| {
            format!(
                "        intervals [1]:\n            xmin = 0\n            xmax = {xmax}\n            text = \"{text}\"\n"
            )
        };
        let phones = [interval(0.1, "HH"), interval(0.35, "AY1"), interval(0.5, "")].concat();
        let text = tier("phones", &phones) + &tier("words", &interval(0.5, "hi"));
        close(text_grid(&text));
        assert_eq!(ctm("a 1 x 0.1 HH"), None);
        assert_eq!(ctm("a 1 0.1 HH"), None);
        assert_eq!(text_grid("hello"), None);
    }

    #[test]
    fn what_a_ctm_leaves_out_is_silent() {
        let found = |text| -> Vec<(String, f64)> {
            let segments = ctm(text, 0.016).expect("an alignment").into_iter();
            segments.map(|segment| (segment.phoneme, segment.end)).collect()
        };
        let expected = |segments: &[(&str, f64)]| -> Vec<(String, f64)> {
            let segments = segments.iter();
            segments.map(|(name, end)| ((*name).to_string(), *end)).collect()
        };
        assert_eq!(
            found("a 1 0.5 0.25 HH\na 1 0.75 0.25 AY1\na 1 1.5 0.5 T\n"),
            expected(&[(",", 0.5), ("HH", 0.75), ("AY1", 1.0), (",", 1.5), ("T", 2.0)])
        );
        // A silence is told once.
        assert_eq!(
            found("a 1 0.5 0.25 sil\na 1 1.0 0.25 HH\na 1 1.5 0.5 ,\n"),
            expected(&[(",", 1.0), ("HH", 1.25), (",", 2.0)])
        );
    }
}
