//! How a checkpoint is told from which language to which it translates.

use serde_json::Value;

use super::languages::{name, same};
use crate::tokenizer::Tokenizer;
use crate::{Error, TextToText};

/// What a checkpoint translates, and how it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    /// One language to another one; either may not be known.
    Pair {
        from: Option<String>,
        to: Option<String>,
    },
    /// Marian: one language to those whose `>>code<<` begins the source.
    TargetPrefix {
        from: Option<String>,
        targets: Vec<Code>,
    },
    /// A token for each language: the source's is put among its tokens, the target's comes first in what is
    /// written (M2M-100, NLLB, mBART).
    Tokens(Vec<Code>),
    /// An instruction before the text (T5).
    Instruction,
}

/// A language of a checkpoint and its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    pub code: String,
    pub id: i64,
}

/// What is done to a source for a pair of languages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Direction {
    /// Before the text.
    pub prefix: String,
    /// The source language's token, in place of another language's.
    pub source: Option<i64>,
    /// The first token that is written.
    pub target: Option<i64>,
}

impl Scheme {
    /// The scheme of an open checkpoint.
    pub fn of(pipeline: &TextToText, config: &Value) -> Self {
        let tokenizer = pipeline.tokenizer();
        let model_type = config.get("model_type").and_then(Value::as_str);
        if model_type == Some("t5") {
            return Self::Instruction;
        }
        let setting = |name: &str| {
            tokenizer
                .setting(name)
                .and_then(Value::as_str)
                .map(str::to_string)
        };
        let from = setting("source_lang");
        if model_type == Some("marian") {
            let targets = codes(tokenizer, |token| token.strip_prefix(">>")?.strip_suffix("<<"));
            if targets.is_empty() {
                let to = setting("target_lang");
                return Self::Pair { from, to };
            }
            return Self::TargetPrefix { from, targets };
        }
        let tokens = codes(tokenizer, language_token);
        match tokens.is_empty() {
            true => Self::Pair {
                from,
                to: setting("target_lang"),
            },
            false => Self::Tokens(tokens),
        }
    }

    /// What is done to go `from` one language `to` another.
    ///
    /// # Errors
    /// If the checkpoint does not translate these languages, or several are possible and none is named.
    pub fn direction(&self, from: Option<&str>, to: Option<&str>) -> Result<Direction, Error> {
        match self {
            Self::Pair {
                from: source,
                to: target,
            } => {
                for (asked, there, end) in [(from, source, "from"), (to, target, "to")] {
                    if let (Some(asked), Some(there)) = (asked, there)
                        && !same(asked, there)
                    {
                        return Err(unknown(asked, end, std::slice::from_ref(there)));
                    }
                }
                Ok(Direction::default())
            }
            Self::TargetPrefix {
                from: source,
                targets,
            } => {
                if let (Some(asked), Some(there)) = (from, source)
                    && !same(asked, there)
                    && there.len() <= 3
                {
                    return Err(unknown(asked, "from", std::slice::from_ref(there)));
                }
                let target = pick(to, "to", targets)?;
                Ok(Direction {
                    prefix: format!(">>{}<< ", target.code),
                    ..Direction::default()
                })
            }
            Self::Tokens(codes) => {
                let source = from.map(|from| pick(Some(from), "from", codes)).transpose()?;
                Ok(Direction {
                    source: source.map(|code| code.id),
                    target: Some(pick(to, "to", codes)?.id),
                    ..Direction::default()
                })
            }
            Self::Instruction => {
                let named = |code: Option<&str>, end: &'static str| -> Result<String, Error> {
                    let code = code.ok_or(Error::LanguageNeeded {
                        end,
                        known: String::new(),
                    })?;
                    Ok(name(code).map_or_else(|| code.to_string(), str::to_string))
                };
                let (from, to) = (named(from, "from")?, named(to, "to")?);
                Ok(Direction {
                    prefix: format!("translate {from} to {to}: "),
                    ..Direction::default()
                })
            }
        }
    }

    /// The tokens of languages.
    pub fn language_ids(&self) -> Vec<i64> {
        match self {
            Self::Tokens(codes) => codes.iter().map(|code| code.id).collect(),
            _ => Vec::new(),
        }
    }
}

/// The tokens of the vocabulary that `code_of` finds a language in.
fn codes(tokenizer: &Tokenizer, code_of: impl Fn(&str) -> Option<&str>) -> Vec<Code> {
    let mut found = Vec::new();
    for id in 0..tokenizer.vocab_size() as i64 {
        if let Some(token) = tokenizer.token(id)
            && let Some(code) = code_of(&token)
        {
            found.push(Code {
                code: code.to_string(),
                id,
            });
        }
    }
    found
}

/// `__de__` (M2M-100), `de_DE` (mBART), `deu_Latn` (NLLB).
fn language_token(token: &str) -> Option<&str> {
    if let Some(code) = token.strip_prefix("__").and_then(|rest| rest.strip_suffix("__")) {
        let letters = (2..=3).contains(&code.len()) && code.chars().all(|c| c.is_ascii_lowercase());
        return letters.then_some(code);
    }
    let (language, rest) = token.split_once('_')?;
    let lower = (2..=3).contains(&language.len()) && language.chars().all(|c| c.is_ascii_lowercase());
    let country = rest.len() == 2 && rest.chars().all(|c| c.is_ascii_uppercase());
    let mut letters = rest.chars();
    let script = rest.len() == 4
        && letters.next().is_some_and(|c| c.is_ascii_uppercase())
        && letters.all(|c| c.is_ascii_lowercase());
    (lower && (country || script)).then_some(token)
}

fn pick<'a>(asked: Option<&str>, end: &'static str, codes: &'a [Code]) -> Result<&'a Code, Error> {
    let known: Vec<String> = codes.iter().map(|code| code.code.clone()).collect();
    let Some(asked) = asked else {
        return Err(Error::LanguageNeeded {
            end,
            known: known.join(", "),
        });
    };
    let exact = codes.iter().find(|code| code.code.eq_ignore_ascii_case(asked));
    let found = exact.or_else(|| codes.iter().find(|code| same(asked, &code.code)));
    found.ok_or_else(|| unknown(asked, end, &known))
}

fn unknown(asked: &str, end: &'static str, known: &[String]) -> Error {
    Error::Language {
        asked: asked.to_string(),
        end,
        known: known.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_languages_are_recognised() {
        for token in ["__de__", "__ast__", "de_DE", "deu_Latn"] {
            assert!(language_token(token).is_some(), "{token}");
        }
        for token in ["__", "a_b", "de_de", "snake_case", "▁en_XX1", "__DE__"] {
            assert_eq!(language_token(token), None);
        }
    }

    #[test]
    fn directions() {
        let code = |code: &str, id| Code {
            code: code.to_string(),
            id,
        };
        let tokens = Scheme::Tokens(vec![code("eng_Latn", 5), code("deu_Latn", 6)]);
        let direction = tokens.direction(Some("en"), Some("de")).unwrap();
        assert_eq!((direction.source, direction.target), (Some(5), Some(6)));
        let message = tokens.direction(Some("en"), Some("tlh")).unwrap_err().to_string();
        assert_eq!(
            message,
            "the model does not translate to `tlh`; it knows eng_Latn, deu_Latn"
        );
        assert!(tokens.direction(None, None).is_err());

        let pair = Scheme::Pair {
            from: Some("eng".to_string()),
            to: Some("deu".to_string()),
        };
        assert_eq!(pair.direction(None, Some("de")).unwrap(), Direction::default());
        assert!(pair.direction(Some("fr"), None).is_err());
        let t5 = Scheme::Instruction.direction(Some("en"), Some("de")).unwrap();
        assert_eq!(t5.prefix, "translate English to German: ");
    }
}
