//! SubRip (SRT) and WebVTT: the words of the cues change, a cue at a time.

use super::{Document, lines};

pub(super) fn parse(text: &str, document: &mut Document) {
    let all: Vec<(&str, &str)> = lines(text).collect();
    let mut i = 0;
    while i < all.len() {
        let (line, end) = all[i];
        document.keep(line);
        document.keep(end);
        i += 1;
        if !line.contains("-->") {
            continue; // a header, a note, a number, a blank line
        }
        let count = all[i..]
            .iter()
            .take_while(|(line, _)| !line.trim().is_empty())
            .count();
        cue(&all[i..i + count], document);
        i += count;
    }
}

/// The lines of one cue, as one text unless they are the turns of a dialogue.
fn cue(lines: &[(&str, &str)], document: &mut Document) {
    let Some((last, rest)) = lines.split_last() else {
        return;
    };
    let dialogue = lines
        .iter()
        .any(|(line, _)| line.trim_start().starts_with(['-', '–']));
    if dialogue || lines.iter().any(|(line, _)| line.contains('<')) {
        for (line, end) in lines {
            tagged(line, document);
            document.keep(end);
        }
        return;
    }
    let mut text = String::new();
    for (line, _) in rest {
        text += line.trim_end();
        text.push(' ');
    }
    text += last.0;
    document.add(&text, lines.len());
    document.keep(last.1);
}

/// Words between `<tags>`.
fn tagged(line: &str, document: &mut Document) {
    let mut rest = line;
    while let Some(begin) = rest.find('<') {
        let Some(length) = rest[begin..].find('>') else {
            break;
        };
        document.add(&rest[..begin], 1);
        document.keep(&rest[begin..=begin + length]);
        rest = &rest[begin + length + 1..];
    }
    document.add(rest, 1);
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::shouted;

    #[test]
    fn numbers_times_and_tags_stay() {
        let text = "1\r\n00:00:01,000 --> 00:00:02,500\r\nHello\r\nout there\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n<i>one</i> two\r\n";
        let expected = "1\r\n00:00:01,000 --> 00:00:02,500\r\nHELLO\nOUT THERE\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n<i>ONE</i> TWO\r\n";
        assert_eq!(shouted(text, Format::Subtitles), expected);
        let text = "WEBVTT\n\nNOTE hello\n\nintro\n00:01.000 --> 00:02.000 align:start\n- yes\n- no\n";
        let expected = "WEBVTT\n\nNOTE hello\n\nintro\n00:01.000 --> 00:02.000 align:start\n- YES\n- NO\n";
        assert_eq!(shouted(text, Format::Subtitles), expected);
    }
}
