//! Tokens as words.

use sensorium_tokenizer::{DecodeOptions, Tokenizer};

use crate::error::Error;

/// A word and the numbers of its tokens.
#[derive(Debug, Clone, PartialEq)]
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

/// The words of `ids`, where special tokens begin at `special` (`_combine_tokens_into_words` of the reference).
pub(super) fn words(
    tokenizer: &Tokenizer,
    ids: &[i64],
    special: i64,
    language: Option<&str>,
) -> Result<Vec<Word>, Error> {
    let parts = characters(tokenizer, ids)?;
    let unbroken = language.is_some_and(|language| UNBROKEN.contains(&language));
    let words = match unbroken {
        true => parts,
        false => joined(parts, ids, special),
    };
    Ok(with_punctuation(words))
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

fn with_punctuation(words: Vec<Word>) -> Vec<Word> {
    let empty = |word: &Word| word.text.is_empty();
    let mut words = words;
    let take = |words: &mut Vec<Word>, i: usize| {
        std::mem::replace(
            &mut words[i],
            Word {
                text: String::new(),
                tokens: Vec::new(),
            },
        )
    };
    let mut behind = words.len().saturating_sub(1);
    for i in (0..behind).rev() {
        if words[i].text.starts_with(' ') && BEFORE.contains(words[i].text.trim()) {
            let mut joined = take(&mut words, i);
            joined.text += &words[behind].text;
            joined.tokens.append(&mut words[behind].tokens);
            words[behind] = joined;
        } else {
            behind = i;
        }
    }
    let mut before = 0;
    for i in 1..words.len() {
        if !words[before].text.ends_with(' ') && AFTER.contains(words[i].text.as_str()) {
            let more = take(&mut words, i);
            words[before].text += &more.text;
            words[before].tokens.extend(more.tokens);
        } else {
            before = i;
        }
    }
    words.retain(|word| !empty(word));
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
        let found = with_punctuation(words.to_vec());
        let texts: Vec<&str> = found.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, [" say", " (so).", " Yes"]);
        assert_eq!(found[1].tokens, [1, 2, 3, 4]);
    }
}
