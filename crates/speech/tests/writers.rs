//! Captions of all kinds, however odd, are written so that they can be read again.

use proptest::prelude::*;
use sensorium_speech::Piece;
use sensorium_speech::subtitles::{Caption, Format, Shape, Writer, write};

/// Letters of all kinds, and what means something in a file.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "-->",
        "\t",
        "\n",
        "\r\n",
        "\n\n",
        "\u{2028}",
        "\u{b}",
        "\0",
        "WEBVTT",
        "1",
        "[00:01.00]",
        " ",
        "é",
        "日本",
        "👩‍👩‍👧",
        "\u{202e}",
        "</u>",
        "&",
        "\u{feff}",
        "NOTE",
        "00:00:01,000 --> 00:00:02,000",
    ]);
    let odd = odd.prop_map(str::to_string);
    prop::collection::vec(prop_oneof![odd, "\\PC{0,6}", any::<String>()], 0..5)
        .prop_map(|parts| parts.concat())
}

fn moment() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.0..5000.0f64,
        1 => prop::sample::select(vec![0.0, -3.0, 1e7, 1e300, f64::INFINITY, f64::NAN, 359_999.999_6]),
    ]
}

fn captions() -> impl Strategy<Value = Vec<Caption>> {
    let word = (text(), moment(), moment()).prop_map(|(text, start, end)| Piece {
        text,
        start,
        end,
        ..Piece::default()
    });
    let words = prop_oneof![Just(Vec::new()), prop::collection::vec(word, 0..6)];
    let caption = (text(), moment(), moment(), words).prop_map(|(text, start, end, words)| Caption {
        start,
        end,
        text,
        words,
    });
    prop::collection::vec(caption, 0..6)
}

fn shape() -> impl Strategy<Value = Shape> {
    let size = || prop::option::of(0..30usize);
    (size(), size(), size(), any::<bool>()).prop_map(
        |(max_line_width, max_line_count, max_words_per_line, highlight_words)| Shape {
            max_line_width,
            max_line_count,
            max_words_per_line,
            highlight_words,
        },
    )
}

/// A record that was read: its times in milliseconds, and its text.
type Record = (u64, u64, String);

/// `01:02:03,004` or `02:03.004` in milliseconds.
fn clock(text: &str, point: char) -> u64 {
    let (whole, thousandths) = text.split_once(point).expect("a point");
    assert_eq!(thousandths.len(), 3, "{text}");
    let parts: Vec<&str> = whole.split(':').collect();
    assert!(parts.len() == 3 || point == '.' && parts.len() == 2, "{text}");
    let parts = parts.iter().map(|part| {
        assert!(part.len() >= 2, "{text}");
        part.parse::<u64>().expect("a number")
    });
    let seconds = parts.fold(0, |sum, part| sum * 60 + part);
    seconds * 1000 + thousandths.parse::<u64>().expect("a number")
}

/// What a strict reader finds in SubRip and WebVTT.
fn cues(file: &str, format: Format) -> Vec<Record> {
    let mut lines = file.split('\n').peekable();
    if format == Format::Vtt {
        assert_eq!((lines.next(), lines.next()), (Some("WEBVTT"), Some("")));
    }
    let mut records = Vec::new();
    loop {
        while lines.next_if_eq(&"").is_some() {}
        if lines.peek().is_none() {
            return records;
        }
        let point = match format {
            Format::Srt => {
                let number = lines.next().expect("a number");
                assert_eq!(number, (records.len() + 1).to_string());
                ','
            }
            _ => '.',
        };
        let times = lines.next().expect("times");
        let (start, end) = times.split_once(" --> ").expect("an arrow");
        let mut text = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.is_empty()) {
            assert!(!line.contains("-->") && !line.contains('\r'), "{line:?}");
            text.push(line);
        }
        records.push((clock(start, point), clock(end, point), text.join("\n")));
    }
}

/// What a strict reader finds in tables and lyrics.
fn lines(file: &str, format: Format) -> Vec<Record> {
    assert!(file.ends_with('\n') || file.is_empty());
    let mut lines = file.split_terminator('\n');
    let head = match format {
        Format::Tsv => Some("start\tend\ttext"),
        Format::Lrc => Some("[by:sensorium]"),
        _ => None,
    };
    if head.is_some() {
        assert_eq!(lines.next(), head);
    }
    let record = |line: &str| match format {
        Format::Tsv => {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields.len(), 3, "{line:?}");
            let number = |text: &str| text.parse::<u64>().expect("a number");
            (number(fields[0]), number(fields[1]), fields[2].to_string())
        }
        Format::Lrc => {
            let (time, text) = line
                .strip_prefix('[')
                .and_then(|line| line.split_once(']'))
                .expect("a time");
            let (minutes, seconds) = time.split_once(':').expect("minutes");
            let hundredths: u64 = seconds.replace('.', "").parse().expect("a number");
            let minutes: u64 = minutes.parse().expect("a number");
            let start = minutes.saturating_mul(6000).saturating_add(hundredths);
            (start, start, text.to_string())
        }
        _ => (0, 0, line.to_string()),
    };
    lines.map(record).collect()
}

/// Letters, without blanks, and without arrows where the writers change them.
fn letters(text: &str, arrows: bool) -> String {
    let kept = |letter: &char| !letter.is_whitespace() && (arrows || !"->".contains(*letter));
    text.chars().filter(kept).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_can_be_read_again(captions in captions(), shape in shape()) {
        let of_words = captions.first().is_some_and(|caption| !caption.words.is_empty());
        for format in [Format::Text, Format::Srt, Format::Vtt, Format::Tsv, Format::Lrc] {
            let file = write(format, &captions, shape);
            let records = match format {
                Format::Srt | Format::Vtt => cues(&file, format),
                _ => lines(&file, format),
            };
            let mut latest = 0;
            for (start, end, _) in &records {
                prop_assert!(latest <= *start && start <= end, "{:?} {}", format, file);
                latest = *start;
            }
            if of_words && matches!(format, Format::Srt | Format::Vtt) {
                if !shape.highlight_words {
                    let found: String = records.iter().map(|record| letters(&record.2, false)).collect();
                    let words = captions.iter().flat_map(|caption| &caption.words);
                    let said: String = words.map(|word| letters(&word.text, false)).collect();
                    prop_assert_eq!(found, said);
                }
                continue;
            }
            prop_assert_eq!(records.len(), captions.len(), "{:?} {}", format, file);
            for (record, caption) in records.iter().zip(&captions) {
                let arrows = !matches!(format, Format::Srt | Format::Vtt);
                prop_assert_eq!(letters(&record.2, arrows), letters(&caption.text, arrows));
            }
        }
    }

    #[test]
    fn bit_by_bit_is_as_at_once(captions in captions(), shape in shape()) {
        for format in [Format::Text, Format::Srt, Format::Vtt, Format::Tsv, Format::Lrc] {
            let mut writer = Writer::new(format, shape);
            let mut file = String::new();
            for caption in &captions {
                file += &writer.push(caption);
            }
            file += &writer.finish();
            prop_assert_eq!(file, write(format, &captions, shape));
        }
    }
}
