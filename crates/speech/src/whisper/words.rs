//! Tokens as words.

use sensorium_tokenizer::{DecodeOptions, Tokenizer};

use crate::error::Error;

/// A word and the numbers of its tokens.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Word {
    pub text: String,
    pub tokens: Vec<usize>,
}

/// Languages that put no blanks between words.
pub(super) const UNBROKEN: &[&str] = &["zh", "ja", "th", "lo", "my", "yue"];
/// Belong to the word behind them.
const BEFORE: &str = "\"'“¡¿([{-";
/// Belong to the word before them.
const AFTER: &str = "\"'.。,，!！?？:：”)]}、";

/// What marks can be put to.
pub(super) trait Marked: Default {
    fn text(&self) -> &str;
    /// Begins with `mark`.
    fn begin_with(&mut self, mark: Self);
    /// Ends with `mark`.
    fn end_with(&mut self, mark: Self);
}

impl Marked for Word {
    fn text(&self) -> &str {
        &self.text
    }

    fn begin_with(&mut self, mut mark: Self) {
        mark.end_with(std::mem::take(self));
        *self = mark;
    }

    fn end_with(&mut self, mark: Self) {
        self.text += &mark.text;
        self.tokens.extend(mark.tokens);
    }
}

/// The words of `ids`, where special tokens begin at `special` (`_combine_tokens_into_words` of the reference).
pub(super) fn words(
    tokenizer: &Tokenizer,
    ids: &[i64],
    special: i64,
    language: Option<&str>,
) -> Result<Vec<Word>, Error> {
    Ok(with_marks(words_and_marks(tokenizer, ids, special, language)?))
}

/// The same with marks as words of their own.
pub(super) fn words_and_marks(
    tokenizer: &Tokenizer,
    ids: &[i64],
    special: i64,
    language: Option<&str>,
) -> Result<Vec<Word>, Error> {
    let parts = characters(tokenizer, ids)?;
    let unbroken = language.is_some_and(|language| UNBROKEN.contains(&language));
    Ok(match unbroken {
        true => parts,
        false => joined(parts, ids, special),
    })
}

/// As few tokens each as make whole characters.
fn characters(tokenizer: &Tokenizer, ids: &[i64]) -> Result<Vec<Word>, Error> {
    const UNKNOWN: char = char::REPLACEMENT_CHARACTER;
    let decode = |ids: &[i64]| tokenizer.decode(ids, &DecodeOptions::verbatim());
    let all: Vec<char> = decode(ids)?.chars().collect();
    let (mut parts, mut begin, mut done) = (Vec::new(), 0, 0);
    for end in 1..=ids.len() {
        let text = decode(&ids[begin..end])?;
        // A character that is not whole yet shows as unknown; one that is unknown in the whole text stays so.
        let whole = match text.chars().position(|c| c == UNKNOWN) {
            None => true,
            Some(at) => all.get(done + at).is_none_or(|&c| c == UNKNOWN),
        };
        if whole {
            done += text.chars().count();
            parts.push(Word {
                text,
                tokens: (begin..end).collect(),
            });
            begin = end;
        }
    }
    Ok(parts)
}

/// Words begin with a blank or are punctuation.
fn joined(parts: Vec<Word>, ids: &[i64], special: i64) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for part in parts {
        let trimmed = part.text.trim();
        let punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".contains(trimmed);
        let alone = ids[part.tokens[0]] >= special || part.text.starts_with(' ') || punctuation;
        match words.last_mut().filter(|_| !alone) {
            Some(word) => {
                word.text += &part.text;
                word.tokens.extend(part.tokens);
            }
            None => words.push(part),
        }
    }
    words
}

/// Words with the marks that belong to them.
pub(super) fn with_marks<W: Marked>(mut words: Vec<W>) -> Vec<W> {
    let mut behind = words.len().saturating_sub(1);
    for i in (0..behind).rev() {
        if words[i].text().starts_with(' ') && BEFORE.contains(words[i].text().trim()) {
            let mark = std::mem::take(&mut words[i]);
            words[behind].begin_with(mark);
        } else {
            behind = i;
        }
    }
    let mut before = 0;
    for i in 1..words.len() {
        if !words[before].text().ends_with(' ') && AFTER.contains(words[i].text()) {
            let mark = std::mem::take(&mut words[i]);
            words[before].end_with(mark);
        } else {
            before = i;
        }
    }
    words.retain(|word| !word.text().is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_belongs_to_a_word() {
        let word = |text: &str, token| Word {
            text: text.to_string(),
            tokens: vec![token],
        };
        let words = [
            word(" say", 0),
            word(" (", 1),
            word("so", 2),
            word(")", 3),
            word(".", 4),
            word(" Yes", 5),
        ];
        let found = with_marks(words.to_vec());
        let texts: Vec<&str> = found.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, [" say", " (so).", " Yes"]);
        assert_eq!(found[1].tokens, [1, 2, 3, 4]);
    }
}
