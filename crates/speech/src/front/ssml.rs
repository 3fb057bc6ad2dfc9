//! SSML, as far as all voices can follow: `speak`, `p`, `s`, `break`, `prosody rate`, `say-as`, `sub`, `phoneme`.

use std::ops::Range;

use roxmltree::{Document, Node};

use super::english::ipa::arpabet;
use super::say_as::said_as;

/// A part of a text with tags.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Something to say.
    Text {
        /// What is said.
        text: String,
        /// How fast, as a factor.
        rate: f64,
        /// The parts of it, in bytes, that stay as they are: they were read by a tag.
        read: Vec<Range<usize>>,
    },
    /// Seconds of silence.
    Silence(f64),
}

/// How a voice takes phonemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phonemes {
    /// Not at all: the words are said that they stand for.
    None,
    /// As they are: it reads nothing else.
    Alone,
    /// Between brackets, those of English (ARPAbet).
    Bracketed,
}

/// The tags that are known.
const KNOWN: &str = "speak, p, s, break, prosody, say-as, sub, phoneme, emphasis";

/// Whether `text` is meant to be SSML.
pub fn is_ssml(text: &str) -> bool {
    let text = text.trim_start();
    text.strip_prefix("<speak")
        .is_some_and(|rest| rest.starts_with(['>', ' ', '\n', '\t', '/']))
        || text.starts_with("<?xml") && text.contains("<speak")
}

/// The parts of an SSML document; for voices that take `phonemes` these stand in the place of their words.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with its name.
pub fn parts(text: &str, phonemes: Phonemes) -> Result<Vec<Part>, String> {
    if depth(text) > DEEPEST {
        return Err(format!("has tags within tags more than {DEEPEST} deep"));
    }
    let document = Document::parse(text.trim()).map_err(|error| format!("is no XML: {error}"))?;
    let root = document.root_element();
    if root.tag_name().name() != "speak" {
        return Err(format!(
            "begins with <{}>, expected <speak>",
            root.tag_name().name()
        ));
    }
    let mut reader = Reader {
        parts: Vec::new(),
        ended: false,
        phonemes,
    };
    reader.children(root, 1.0)?;
    Ok(reader.parts)
}

/// Parsing deeper ones would use up the stack.
const DEEPEST: usize = 100;

/// How deep tags are in tags, at most.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '<' {
            continue;
        }
        match letters.peek() {
            Some('/') => depth = depth.saturating_sub(1),
            Some('!' | '?') | None => {}
            Some(_) => {
                depth += 1;
                deepest = deepest.max(depth);
                let (mut quote, mut last) = (None, ' ');
                for letter in letters.by_ref() {
                    match quote {
                        Some(mark) if mark == letter => quote = None,
                        Some(_) => {}
                        None if letter == '>' => break,
                        None if letter == '"' || letter == '\'' => quote = Some(letter),
                        None => {}
                    }
                    last = letter;
                }
                if last == '/' {
                    depth -= 1;
                }
            }
        }
    }
    deepest
}

struct Reader {
    parts: Vec<Part>,
    /// Whether what comes next is another sentence.
    ended: bool,
    phonemes: Phonemes,
}

impl Reader {
    fn children(&mut self, node: Node<'_, '_>, rate: f64) -> Result<(), String> {
        for child in node.children() {
            if let Some(text) = child.text().filter(|_| child.is_text()) {
                self.say(text, rate, false);
            } else if child.is_element() {
                self.element(child, rate)?;
            }
        }
        Ok(())
    }

    /// Goes on with the last text if that is as fast: tags within a sentence do not divide it.
    fn say(&mut self, text: &str, rate: f64, read: bool) {
        let goes_on = matches!(self.parts.last(), Some(Part::Text { rate: last, .. }) if *last == rate);
        if !goes_on || self.ended {
            if text.trim().is_empty() {
                return;
            }
            self.parts.push(Part::Text {
                text: String::new(),
                rate,
                read: Vec::new(),
            });
            self.ended = false;
        }
        if let Some(Part::Text {
            text: all,
            read: parts,
            ..
        }) = self.parts.last_mut()
        {
            let begin = all.len();
            all.push_str(text);
            if read {
                parts.push(begin..all.len());
            }
        }
    }

    fn element(&mut self, node: Node<'_, '_>, rate: f64) -> Result<(), String> {
        let name = node.tag_name().name();
        let attribute = |wanted: &str| {
            node.attribute(wanted)
                .ok_or_else(|| format!("has a <{name}> without `{wanted}`"))
        };
        let inside = || {
            node.descendants()
                .filter_map(|node| node.text().filter(|_| node.is_text()))
                .collect::<String>()
        };
        match name {
            "p" | "s" => {
                self.ended = true;
                self.children(node, rate)?;
                self.parts
                    .push(Part::Silence(if name == "p" { 0.6 } else { 0.3 }));
            }
            "emphasis" => self.children(node, rate)?,
            "break" => self.parts.push(Part::Silence(silence(node)?)),
            "prosody" => {
                let factor = node.attribute("rate").map_or(Ok(1.0), factor)?;
                let rate = rate * factor;
                if !(0.1..=10.0).contains(&rate) {
                    return Err("has a <prosody rate> of more than ten times as fast or slow".to_string());
                }
                self.children(node, rate)?;
            }
            "sub" => {
                let alias = attribute("alias")?.to_string();
                self.say(&alias, rate, false);
            }
            "phoneme" => {
                let phonemes = attribute("ph")?.to_string();
                match (self.phonemes, node.attribute("alphabet").unwrap_or("ipa")) {
                    (Phonemes::None, _) => self.children(node, rate)?,
                    (Phonemes::Alone, _) => self.say(&phonemes, rate, true),
                    (Phonemes::Bracketed, "x-arpabet" | "x-cmu" | "arpabet" | "cmu") => {
                        self.say(&format!("[[{phonemes}]]"), rate, true);
                    }
                    (Phonemes::Bracketed, "ipa") => {
                        let phonemes =
                            arpabet(&phonemes).map_err(|problem| format!("has a <phoneme> {problem}"))?;
                        self.say(&format!("[[{phonemes}]]"), rate, true);
                    }
                    (Phonemes::Bracketed, other) => {
                        return Err(format!(
                            "has a <phoneme> in the alphabet `{other}`, which is not known; known: ipa, x-arpabet"
                        ));
                    }
                }
            }
            "say-as" => {
                let (how, text) = (attribute("interpret-as")?, inside());
                let (said, read) = match said_as(how, node.attribute("format"), text.trim())? {
                    Some(said) => (said, true),
                    None => (text.clone(), false),
                };
                self.say(&said, rate, read);
            }
            _ => return Err(format!("has a <{name}>, which is not known; known: {KNOWN}")),
        }
        Ok(())
    }
}

/// Seconds.
fn silence(node: Node<'_, '_>) -> Result<f64, String> {
    if let Some(time) = node.attribute("time") {
        let number = |text: &str| text.trim().parse::<f64>().ok();
        let seconds = match time.strip_suffix("ms") {
            Some(milliseconds) => number(milliseconds).map(|x| x / 1000.0),
            None => time.strip_suffix('s').and_then(number),
        };
        return seconds
            .filter(|seconds| (0.0..=60.0).contains(seconds))
            .ok_or_else(|| {
                format!("has a <break> of `{time}`, expected up to 60 s, such as `500ms` or `1.5s`")
            });
    }
    match node.attribute("strength").unwrap_or("medium") {
        "none" => Ok(0.0),
        "x-weak" => Ok(0.1),
        "weak" => Ok(0.2),
        "medium" => Ok(0.4),
        "strong" => Ok(0.7),
        "x-strong" => Ok(1.0),
        other => Err(format!(
            "has a <break> of the strength `{other}`, which is not known"
        )),
    }
}

fn factor(rate: &str) -> Result<f64, String> {
    let named = match rate {
        "x-slow" => Some(0.5),
        "slow" => Some(0.75),
        "medium" | "default" => Some(1.0),
        "fast" => Some(1.25),
        "x-fast" => Some(1.6),
        _ => None,
    };
    let number = |text: &str| text.parse::<f64>().ok();
    let found = named.or_else(|| match rate.strip_suffix('%') {
        // `+10%` is relative, `110%` is not.
        Some(share) if share.starts_with(['+', '-']) => number(share).map(|share| 1.0 + share / 100.0),
        Some(share) => number(share).map(|share| share / 100.0),
        None => number(rate),
    });
    found
        .filter(|factor| (0.1..=10.0).contains(factor))
        .ok_or_else(|| format!("has a <prosody> with the rate `{rate}`, expected `slow`, `120%` or a factor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, rate: f64, read: &[&str]) -> Part {
        let place = |part: &&str| text.find(part).map(|at| at..at + part.len());
        Part::Text {
            text: text.to_string(),
            rate,
            read: read.iter().filter_map(place).collect(),
        }
    }

    #[test]
    fn tags_are_read() {
        let found = parts(
            "<speak>Hi<break time='500ms'/><prosody rate='slow'>you <say-as interpret-as='digits'>12</say-as></prosody>\
             <p><s>A &amp; B</s></p><sub alias='World Wide Web'>WWW</sub><phoneme ph='x'>ch</phoneme></speak>",
            Phonemes::None,
        );
        let expected = vec![
            text("Hi", 1.0, &[]),
            Part::Silence(0.5),
            text("you one two", 0.75, &["one two"]),
            text("A & B", 1.0, &[]),
            Part::Silence(0.3),
            Part::Silence(0.6),
            text("World Wide Webch", 1.0, &[]),
        ];
        assert_eq!(found, Ok(expected));
        assert_eq!(
            parts("<speak><phoneme ph='ˈa'>x</phoneme></speak>", Phonemes::Alone),
            Ok(vec![text("ˈa", 1.0, &["ˈa"])])
        );
        assert_eq!(
            parts(
                "<speak><phoneme ph='həˈloʊ'>x</phoneme></speak>",
                Phonemes::Bracketed
            ),
            Ok(vec![text("[[HH AH0 L OW1]]", 1.0, &["[[HH AH0 L OW1]]"])])
        );
        assert!(is_ssml("  <speak version='1.1'>") && !is_ssml("<speaker>") && !is_ssml("speak"));
    }

    #[test]
    fn tags_within_a_sentence_do_not_divide_it() {
        for (document, expected) in [
            (
                "Call <say-as interpret-as='digits'>12</say-as> now.",
                vec![text("Call one two now.", 1.0, &["one two"])],
            ),
            ("tom<emphasis>ato</emphasis>es", vec![text("tomatoes", 1.0, &[])]),
            (
                "the <sub alias='World Wide Web'>WWW</sub>, <emphasis>too</emphasis>",
                vec![text("the World Wide Web, too", 1.0, &[])],
            ),
            (
                "a <phoneme ph='həˈloʊ'>x</phoneme>.",
                vec![text("a [[HH AH0 L OW1]].", 1.0, &["[[HH AH0 L OW1]]"])],
            ),
            (
                "a <prosody rate='slow'>b</prosody> c",
                vec![text("a ", 1.0, &[]), text("b", 0.75, &[]), text(" c", 1.0, &[])],
            ),
            (
                "a <prosody rate='medium'>b</prosody> c",
                vec![text("a b c", 1.0, &[])],
            ),
            (
                "a<s>b</s>",
                vec![text("a", 1.0, &[]), text("b", 1.0, &[]), Part::Silence(0.3)],
            ),
            (
                "a<break/> b",
                vec![text("a", 1.0, &[]), Part::Silence(0.4), text(" b", 1.0, &[])],
            ),
        ] {
            let found = parts(&format!("<speak>{document}</speak>"), Phonemes::Bracketed);
            assert_eq!(found, Ok(expected), "{document}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let deep = format!(
            "<speak>{}x{}</speak>",
            "<p>".repeat(100_000),
            "</p>".repeat(100_000)
        );
        assert!(parts(&deep, Phonemes::None).unwrap_err().contains("deep"));
        assert_eq!(depth("<a b='/>'><c/><d e=\">\"></d></a>"), 2);
        for (document, part) in [
            ("<speak>", "is no XML"),
            ("<speak><audio/></speak>", "<audio>, which is not known"),
            ("<speak><break time='long'/></speak>", "`long`"),
            ("<speak><break time='900s'/></speak>", "up to 60 s"),
            ("<speak><prosody rate='-100%'>x</prosody></speak>", "`-100%`"),
            ("<speak><sub>x</sub></speak>", "without `alias`"),
            ("<speak><say-as interpret-as='song'>x</say-as></speak>", "`song`"),
            (
                "<speak><say-as interpret-as='cardinal'>hello</say-as></speak>",
                "`hello`, which is no number",
            ),
            (
                "<speak><say-as interpret-as='date' format='mdy'>31/31/2024</say-as></speak>",
                "`31/31/2024`",
            ),
            ("<speak><phoneme ph='ʘ'>x</phoneme></speak>", "`ʘ`"),
            ("<p>x</p>", "expected <speak>"),
        ] {
            let problem = parts(document, Phonemes::Bracketed).unwrap_err();
            assert!(problem.contains(part), "{document}: {problem}");
        }
    }
}
