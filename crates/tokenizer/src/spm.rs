//! SentencePiece's model files (`spiece.model`, `tokenizer.model`, `source.spm`), as far as they matter.
//!
//! A file is a protocol buffer, `ModelProto` of SentencePiece's `sentencepiece_model.proto`: pieces with
//! their scores, and how the text is normalised before it is split.

/// A SentencePiece model.
#[derive(Debug, Default)]
pub(super) struct Spm {
    pub pieces: Vec<Piece>,
    pub algorithm: u64,
    pub byte_fallback: bool,
    pub unk_id: u64,
    /// Rewrites characters and groups of them, in the library's own form; empty if nothing is rewritten.
    pub charsmap: Vec<u8>,
}

/// A piece of text that is a token.
#[derive(Debug)]
pub(super) struct Piece {
    pub text: String,
    /// The logarithm of its probability, or minus its rank.
    pub score: f32,
    pub kind: u64,
}

/// `TrainerSpec.ModelType`: pairs are joined by rank.
pub(super) const BPE: u64 = 2;
/// `TrainerSpec.ModelType`: words, which nobody uses.
pub(super) const WORD: u64 = 3;
/// `SentencePiece.Type`: a special token.
pub(super) const CONTROL: u64 = 3;
/// `SentencePiece.Type`: a piece that is never split.
pub(super) const USER_DEFINED: u64 = 4;

/// A field's value.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Reads a model.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn read(bytes: &[u8]) -> Result<Spm, String> {
    let mut spm = Spm {
        algorithm: 1,
        ..Spm::default()
    };
    fields(bytes, |number, field| {
        match (number, field) {
            (1, Field::Bytes(bytes)) => spm.pieces.push(piece(bytes)?),
            (2, Field::Bytes(bytes)) => fields(bytes, |number, field| {
                match (number, field) {
                    (3, Field::Number(n)) => spm.algorithm = n,
                    (35, Field::Number(n)) => spm.byte_fallback = n != 0,
                    (40, Field::Number(n)) => spm.unk_id = n,
                    _ => {}
                }
                Ok(())
            })?,
            (3, Field::Bytes(bytes)) => fields(bytes, |number, field| {
                if let (2, Field::Bytes(map)) = (number, field) {
                    spm.charsmap = map.to_vec();
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    if spm.pieces.is_empty() {
        return Err("it is no SentencePiece model: it has no pieces".to_string());
    }
    Ok(spm)
}

fn piece(bytes: &[u8]) -> Result<Piece, String> {
    let mut piece = Piece {
        text: String::new(),
        score: 0.,
        kind: 1,
    };
    fields(bytes, |number, field| {
        match (number, field) {
            (1, Field::Bytes(text)) => piece.text = String::from_utf8_lossy(text).into_owned(),
            (2, Field::Number(bits)) => piece.score = f32::from_bits(bits as u32),
            (3, Field::Number(kind)) => piece.kind = kind,
            _ => {}
        }
        Ok(())
    })?;
    Ok(piece)
}

/// Calls `take` with each field of a message.
fn fields(mut rest: &[u8], mut take: impl FnMut(u64, Field<'_>) -> Result<(), String>) -> Result<(), String> {
    let damaged = || "it is cut short, or no SentencePiece model".to_string();
    while !rest.is_empty() {
        let key = varint(&mut rest).ok_or_else(damaged)?;
        let field = match key & 7 {
            0 => Field::Number(varint(&mut rest).ok_or_else(damaged)?),
            1 => Field::Number(fixed(&mut rest, 8).ok_or_else(damaged)?),
            5 => Field::Number(fixed(&mut rest, 4).ok_or_else(damaged)?),
            2 => {
                let len = varint(&mut rest).and_then(|n| usize::try_from(n).ok());
                let split = len.and_then(|len| rest.split_at_checked(len));
                let (bytes, more) = split.ok_or_else(damaged)?;
                rest = more;
                Field::Bytes(bytes)
            }
            _ => return Err(damaged()),
        };
        take(key >> 3, field)?;
    }
    Ok(())
}

/// A number in groups of seven bits.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (byte, more) = rest.split_first()?;
        *rest = more;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn fixed(rest: &mut &[u8], len: usize) -> Option<u64> {
    let (bytes, more) = rest.split_at_checked(len)?;
    *rest = more;
    Some(bytes.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_models_are_errors() {
        let piece = b"\x0a\x03\xe2\x96\x81\x15\x00\x00\x80\xbf\x18\x03";
        let model = [b"\x0a\x0c", &piece[..], b"\x12\x02\x18\x02"].concat();
        let spm = read(&model).unwrap();
        assert_eq!((spm.pieces[0].text.as_str(), spm.pieces[0].score), ("▁", -1.));
        assert_eq!((spm.pieces[0].kind, spm.algorithm), (CONTROL, BPE));
        for len in [1, 5, 13, 15, 17] {
            assert!(read(&model[..len]).is_err(), "{len}");
        }
        assert!(read(b"").is_err());
        assert!(read(&[0xff; 40]).is_err());
    }
}
