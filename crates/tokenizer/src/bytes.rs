//! The bytes that each token stands for.
//!
//! A grammar that a model's output must obey speaks of text; the model chooses tokens. In between is this
//! table.

use serde_json::Value;

use super::Tokenizer;
use super::pieces::BLANK;

/// How a vocabulary writes bytes, as the steps of its decoder tell.
#[derive(Debug, Default)]
struct Spelling {
    /// Each character is a byte (GPT-2's alphabet).
    byte_level: bool,
    /// `▁`, or another character, is a blank.
    blank: Option<String>,
    /// `<0x0A>` is a byte.
    byte_fallback: bool,
    /// `##` goes on with a word, and all else begins one (WordPiece).
    continuing: Option<String>,
    /// `</w>` ends a word.
    word_end: Option<String>,
}

impl Tokenizer {
    /// For each id the bytes that it adds to a text, blanks included; `None` for special tokens and for ids
    /// that the vocabulary does not have. The table ends with the largest id.
    ///
    /// In byte-level vocabularies, and in those with byte fallback, a token can be a part of a character.
    /// Where words are separate tokens (WordPiece), each one but a continuation is preceded by a blank.
    pub fn token_bytes(&self) -> Vec<Option<Vec<u8>>> {
        let spelling = self.spelling();
        let alphabet = alphabet();
        let added = self.backend.get_added_tokens_decoder();
        let vocab = self.backend.get_vocab(true);
        let size = vocab.values().max().map_or(0, |id| *id as usize + 1);
        let mut table = vec![None; size];
        for (token, id) in vocab {
            table[id as usize] = match added.get(&id) {
                Some(added) if added.special => None,
                Some(_) => Some(token.into_bytes()), // written as it is
                None => Some(spelling.bytes(&token, &alphabet)),
            };
        }
        table
    }

    fn spelling(&self) -> Spelling {
        let mut spelling = Spelling::default();
        if let Some(decoder) = self
            .backend
            .get_decoder()
            .and_then(|d| serde_json::to_value(d).ok())
        {
            spelling.read(&decoder);
        }
        spelling
    }
}

impl Spelling {
    fn read(&mut self, decoder: &Value) {
        let text = |name: &str| decoder[name].as_str().map(String::from);
        match decoder["type"].as_str().unwrap_or_default() {
            "Sequence" => decoder["decoders"]
                .as_array()
                .into_iter()
                .flatten()
                .for_each(|d| self.read(d)),
            "ByteLevel" => self.byte_level = true,
            "ByteFallback" => self.byte_fallback = true,
            "Metaspace" => self.blank = text("replacement").or(Some(BLANK.to_string())),
            "Replace" if decoder["content"] == " " => {
                self.blank = decoder["pattern"]["String"].as_str().map(String::from);
            }
            "WordPiece" => self.continuing = text("prefix"),
            "BPEDecoder" => self.word_end = text("suffix"),
            _ => {}
        }
    }

    fn bytes(&self, token: &str, alphabet: &[char; 256]) -> Vec<u8> {
        if self.byte_fallback
            && let Some(byte) = fallback(token)
        {
            return vec![byte];
        }
        let mut token = token.to_string();
        if let Some(suffix) = self.word_end.as_ref().filter(|s| !s.is_empty()) {
            token = token.replace(suffix.as_str(), " ");
        }
        if let Some(prefix) = &self.continuing {
            token = match token.strip_prefix(prefix.as_str()) {
                Some(rest) => rest.to_string(),
                None => format!(" {token}"),
            };
        }
        if let Some(blank) = self.blank.as_ref().filter(|b| !b.is_empty()) {
            token = token.replace(blank.as_str(), " ");
        }
        if self.byte_level {
            // A character that stands for no byte makes the library take the token as it is written.
            let bytes: Option<Vec<u8>> = token
                .chars()
                .map(|c| alphabet.iter().position(|a| *a == c).map(|byte| byte as u8))
                .collect();
            return bytes.unwrap_or_else(|| token.into_bytes());
        }
        token.into_bytes()
    }
}

/// The byte of `<0xNN>`.
fn fallback(token: &str) -> Option<u8> {
    let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if hex.len() != 2 {
        return None;
    }
    u8::from_str_radix(hex, 16).ok()
}

/// The character that GPT-2's vocabulary writes for each byte: itself if it is printable Latin-1, else one
/// of those from U+0100 on.
fn alphabet() -> [char; 256] {
    let mut next = 0x100;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) {
            return char::from(byte);
        }
        let c = char::from_u32(next).unwrap_or_default(); // below U+0144
        next += 1;
        c
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpt2_writes_a_blank_as_a_g_with_a_dot() {
        let alphabet = alphabet();
        assert_eq!(alphabet[b' ' as usize], 'Ġ');
        assert_eq!(alphabet[b'\n' as usize], 'Ċ');
        assert_eq!(alphabet[0xad], 'Ń');
        let spelling = Spelling {
            byte_level: true,
            ..Spelling::default()
        };
        assert_eq!(spelling.bytes("ĠÃ©", &alphabet), " é".as_bytes());
    }

    #[test]
    fn bytes_have_tokens_of_their_own_in_sentencepiece() {
        let spelling = Spelling {
            byte_fallback: true,
            blank: Some("▁".to_string()),
            ..Spelling::default()
        };
        assert_eq!(spelling.bytes("<0xE2>", &alphabet()), [0xe2]);
        assert_eq!(spelling.bytes("▁a▁", &alphabet()), b" a ");
        assert_eq!(spelling.bytes("<0xE2", &alphabet()), b"<0xE2");
    }
}
