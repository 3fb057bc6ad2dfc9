//! Text in pieces: sentences, or what a voice can say of one.

use super::initials::is_initial;
use super::{Word, bracketed};

/// What is silent behind a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// The piece ends within a sentence, where nothing is to be heard.
    Word,
    /// At a comma or its like.
    Clause,
    /// At the end of a sentence.
    Sentence,
    /// At the end of a paragraph.
    Paragraph,
}

/// Words that are said in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The words.
    pub words: Vec<Word>,
    /// What follows.
    pub pause: Pause,
}

impl Piece {
    /// The words, with blanks between them.
    pub fn text(&self) -> String {
        let said: Vec<&str> = self.words.iter().map(|word| word.said.as_str()).collect();
        said.join(" ")
    }

    /// The same in parts of at most this `share` of its length; as it is if it cannot be divided.
    pub fn divided(self, share: f64) -> Vec<Piece> {
        let whole = length(&self.words);
        let most = ((whole as f64 * share) as usize)
            .min(whole.saturating_sub(1))
            .max(1);
        let mut found = Vec::new();
        divide(self.words, self.pause, most, &mut found);
        found
    }
}

/// The `words` of `text` in pieces of at most `most` characters: whole sentences, else clauses, else words, else parts
/// of a word. Nothing is left out.
pub fn pieces(text: &str, words: Vec<Word>, most: usize) -> Vec<Piece> {
    let most = most.max(1);
    let mut found = Vec::new();
    let mut sentence = Vec::new();
    let said = |i: Option<usize>| words.get(i?).map(|word: &Word| word.said.as_str());
    let ends: Vec<(bool, bool)> = (0..words.len())
        .map(|i| {
            let paragraph = words.get(i + 1).is_none_or(|next| {
                is_paragraph(&text[words[i].written.end.min(next.written.start)..next.written.start])
            });
            let sentence = mark(&words[i].said).is_some_and(|mark| ".!?…。！？".contains(mark))
                && !is_initial(said(i.checked_sub(1)), &words[i].said, said(Some(i + 1)));
            (paragraph, sentence)
        })
        .collect();
    for (word, (ends_paragraph, ends_sentence)) in words.into_iter().zip(ends) {
        sentence.push(word);
        if ends_paragraph || ends_sentence {
            let pause = if ends_paragraph {
                Pause::Paragraph
            } else {
                Pause::Sentence
            };
            divide(std::mem::take(&mut sentence), pause, most, &mut found);
        }
    }
    found
}

fn is_paragraph(between: &str) -> bool {
    between.matches('\n').count() > 1
}

/// The mark at a word's end, closing quotes and brackets aside.
fn mark(said: &str) -> Option<char> {
    said.trim_end_matches(['"', '\'', '”', '’', ')', ']', '»'])
        .chars()
        .next_back()
}

fn is_clause(word: &Word) -> bool {
    mark(&word.said).is_some_and(|mark| ",;:—–، ،，；：、".contains(mark))
}

fn length(words: &[Word]) -> usize {
    words
        .iter()
        .map(|word| word.said.chars().count() + 1)
        .sum::<usize>()
        .saturating_sub(1)
}

/// Puts a sentence into `found`, in parts of at most `most` characters.
fn divide(mut words: Vec<Word>, pause: Pause, most: usize, found: &mut Vec<Piece>) {
    while length(&words) > most {
        let mut fit = (1..=words.len())
            .take_while(|&count| length(&words[..count]) <= most)
            .last()
            .unwrap_or(0);
        if fit == 0 {
            // One word is too long: what fits of it.
            if let Some(rest) = cut(&mut words[0], most) {
                words.insert(1, rest);
            } else if words.len() == 1 {
                break;
            }
            fit = 1;
        }
        // The last clause that fits, unless that would leave a stub.
        let clause = words[..fit].iter().rposition(is_clause).map(|at| at + 1);
        let clause = clause.filter(|&count| length(&words[..count]) * 4 > most);
        let count = clause.unwrap_or(fit);
        let rest = words.split_off(count);
        let pause = if clause.is_some() {
            Pause::Clause
        } else {
            Pause::Word
        };
        found.push(Piece { words, pause });
        words = rest;
    }
    found.push(Piece { words, pause });
}

/// Leaves about `most` characters in `word` and gives back the others, if there are any. Phonemes are whole in both, and
/// in brackets.
fn cut(word: &mut Word, most: usize) -> Option<Word> {
    let said = &word.said;
    let at = said.char_indices().nth(most)?.0;
    let phonemes = bracketed(said)
        .into_iter()
        .find(|phonemes| phonemes.start < at && at < phonemes.end);
    let (first, rest) = match phonemes {
        Some(phonemes) => {
            let (begin, end) = (phonemes.start + 2, phonemes.end - 2);
            let is_between = |blank: &usize| {
                !said[begin..*blank].trim().is_empty() && !said[*blank..end].trim().is_empty()
            };
            let blanks = || {
                said[begin..end]
                    .match_indices(' ')
                    .map(|(blank, _)| begin + blank)
                    .filter(is_between)
            };
            let blank = blanks()
                .take_while(|blank| *blank <= at)
                .last()
                .or(blanks().next());
            match blank {
                Some(blank) => (
                    format!("{}]]", &said[..blank]),
                    format!("[[{}", &said[blank + 1..]),
                ),
                None => (said[..phonemes.end].to_string(), said[phonemes.end..].to_string()),
            }
        }
        None => (said[..at].to_string(), said[at..].to_string()),
    };
    word.said = first;
    (!rest.is_empty()).then(|| Word {
        written: word.written.clone(),
        said: rest,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::verbatim;
    use super::*;

    fn split(text: &str, most: usize) -> Vec<(String, Pause)> {
        let pieces = pieces(text, verbatim(text), most);
        pieces.iter().map(|piece| (piece.text(), piece.pause)).collect()
    }

    #[test]
    fn sentences_clauses_and_words() {
        let found = split("One, two. “Three!”\n\nFour five", 100);
        let expected = [
            ("One, two.", Pause::Sentence),
            ("“Three!”", Pause::Paragraph),
            ("Four five", Pause::Paragraph),
        ];
        assert_eq!(found, expected.map(|(text, pause)| (text.to_string(), pause)));
        let found = split("one two, three four five", 12);
        let expected = [
            ("one two,", Pause::Clause),
            ("three four", Pause::Word),
            ("five", Pause::Paragraph),
        ];
        assert_eq!(found, expected.map(|(text, pause)| (text.to_string(), pause)));
        let found = split(
            "George W. Bush and J. K. Rowling ate vitamin C. Oranges have it.",
            100,
        );
        let expected = [
            ("George W. Bush and J. K. Rowling ate vitamin C.", Pause::Sentence),
            ("Oranges have it.", Pause::Paragraph),
        ];
        assert_eq!(found, expected.map(|(text, pause)| (text.to_string(), pause)));
        assert_eq!(split("abcdefg", 3).len(), 3);
        assert_eq!(split(" \n\n ", 3), []);
    }

    #[test]
    fn phonemes_are_never_cut() {
        let phonemes = "AH0 ".repeat(100);
        for (text, most) in [
            (format!("one [[{phonemes}]], two"), 50),
            (format!("[[{phonemes}]]"), 5),
            ("[[ AH0]] [[AH0AH0AH0]]x".to_string(), 3),
            ("[[AH0 ]]".to_string(), 1),
        ] {
            let count = text.matches("AH0").count();
            let pieces = split(&text, most);
            let said: Vec<&str> = pieces.iter().map(|(text, _)| text.as_str()).collect();
            assert!(pieces.iter().all(|(text, _)| !text.is_empty()));
            assert_eq!(said.concat().matches("AH0").count(), count, "{said:?}");
            for piece in said {
                assert!(piece.chars().count() <= most + 10, "{piece}");
                assert_eq!(
                    piece.matches("[[").count(),
                    piece.matches("]]").count(),
                    "{piece}"
                );
            }
        }
    }

    #[test]
    fn a_piece_is_divided_until_it_cannot_be() {
        let piece = |text| pieces(text, verbatim(text), 100).swap_remove(0);
        let parts = |text, share| -> Vec<(String, Pause)> {
            let parts = piece(text).divided(share).into_iter();
            parts.map(|part| (part.text(), part.pause)).collect()
        };
        let expected = [("one two", Pause::Word), ("six ten", Pause::Paragraph)];
        assert_eq!(
            parts("one two six ten", 0.5),
            expected.map(|(text, pause)| (text.to_string(), pause))
        );
        assert_eq!(parts("a", 0.5).len(), 1);
        assert_eq!(parts("ab", 0.999).len(), 2);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "[a-zé .,!\n”]{0,200}", most in 1usize..40) {
            let pieces = pieces(&text, verbatim(&text), most);
            let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
            let said: String = pieces.iter().map(Piece::text).collect();
            prop_assert_eq!(letters(&said), letters(&text));
            for piece in &pieces {
                prop_assert!(piece.text().chars().count() <= most);
            }
        }
    }
}
