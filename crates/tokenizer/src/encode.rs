//! From text to ids.

use rayon::prelude::*;
use tokenizers::utils::padding::PaddingDirection;
use tokenizers::utils::truncation::{
    TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings,
};
use tokenizers::{EncodeInput, Encoding as Raw, PostProcessor};

use super::{Side, Tokenizer, TokenizerError};

/// Which part of a pair is cut if both together are too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// The longer one, until both are equally long.
    #[default]
    LongestFirst,
    /// The first only.
    OnlyFirst,
    /// The second only.
    OnlySecond,
}

/// How a text that is too long is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Truncation {
    /// Which part of a pair is cut.
    pub cut: Cut,
    /// The most tokens, special ones included; `None` for what the model takes.
    pub max_length: Option<usize>,
    /// How many tokens each of the [overflowing](Encoding::overflowing) pieces shares with the one before.
    pub stride: usize,
}

/// How long the rows of a batch become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Padding {
    /// As they are.
    #[default]
    None,
    /// As long as the longest.
    Longest,
    /// At least so many tokens.
    To(usize),
    /// As long as the model takes; as they are if it has no limit.
    ModelLength,
}

/// How texts are turned into ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Whether the tokens that the model expects around a text are added (`[CLS]`, `</s>`, ...).
    pub special_tokens: bool,
    /// Cuts texts that are too long.
    pub truncation: Option<Truncation>,
    /// Lengthens texts that are too short.
    pub padding: Padding,
    /// Where padding goes; `None` for the tokenizer's own habit.
    pub padding_side: Option<Side>,
    /// Rounds padded lengths up to a multiple.
    pub pad_to_multiple_of: Option<usize>,
}

impl Default for EncodeOptions {
    /// Special tokens, and neither cut nor padded.
    fn default() -> Self {
        Self {
            special_tokens: true,
            truncation: None,
            padding: Padding::None,
            padding_side: None,
            pad_to_multiple_of: None,
        }
    }
}

impl EncodeOptions {
    /// The text alone, without special tokens.
    pub fn plain() -> Self {
        Self {
            special_tokens: false,
            ..Self::default()
        }
    }

    /// Rows of equal length for a model: cut to what it takes, padded to the longest.
    pub fn batch() -> Self {
        Self {
            truncation: Some(Truncation::default()),
            padding: Padding::Longest,
            ..Self::default()
        }
    }
}

/// A text, or two that go together (a question and its context).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextInput<'a> {
    /// One text.
    Single(&'a str),
    /// Two texts.
    Pair(&'a str, &'a str),
}

impl<'a> From<&'a str> for TextInput<'a> {
    fn from(text: &'a str) -> Self {
        Self::Single(text)
    }
}

impl<'a> From<&'a String> for TextInput<'a> {
    fn from(text: &'a String) -> Self {
        Self::Single(text)
    }
}

impl<'a> From<(&'a str, &'a str)> for TextInput<'a> {
    fn from((first, second): (&'a str, &'a str)) -> Self {
        Self::Pair(first, second)
    }
}

/// The tokens of a text. All lists but the last are equally long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Encoding {
    /// The tokens' ids.
    pub ids: Vec<i64>,
    /// 1, and 0 for padding.
    pub attention_mask: Vec<i64>,
    /// Which part of the input a model is to see in each token, 0 or 1.
    pub type_ids: Vec<i64>,
    /// 1 for tokens that were added around the text and for padding, else 0.
    pub special_tokens_mask: Vec<i64>,
    /// The tokens as the vocabulary writes them.
    pub tokens: Vec<String>,
    /// The characters of the text that each token covers, `start..end`; `0..0` for added ones.
    pub offsets: Vec<(usize, usize)>,
    /// Which text of the input each token is from, 0 or 1; `None` for added ones.
    pub sequence_ids: Vec<Option<usize>>,
    /// Which word of its text each token is from; `None` for added ones.
    pub word_ids: Vec<Option<usize>>,
    /// What was cut off, in pieces of the same length.
    pub overflowing: Vec<Encoding>,
}

impl Tokenizer {
    /// Encodes one text, or a pair of texts.
    ///
    /// # Errors
    /// If it cannot be cut or padded as the options say.
    pub fn encode<'a>(
        &self,
        input: impl Into<TextInput<'a>>,
        options: &EncodeOptions,
    ) -> Result<Encoding, TokenizerError> {
        let mut raw = [self.encode_one(input.into(), options)?];
        self.pad(&mut raw, options)?;
        let [raw] = raw;
        Ok(self.encoding(raw))
    }

    /// Encodes several texts or pairs, on all cores; with [`Padding::Longest`] they come out equally long.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_batch<'a, I>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        options: &EncodeOptions,
    ) -> Result<Vec<Encoding>, TokenizerError>
    where
        I: Into<TextInput<'a>>,
    {
        let inputs: Vec<TextInput<'a>> = inputs.into_iter().map(I::into).collect();
        let mut raw = inputs
            .into_par_iter()
            .map(|input| self.encode_one(input, options))
            .collect::<Result<Vec<_>, _>>()?;
        self.pad(&mut raw, options)?;
        Ok(raw.into_iter().map(|row| self.encoding(row)).collect())
    }

    /// The ids of a text, special tokens included unless `special_tokens` is false.
    ///
    /// # Errors
    /// If the tokenizer has no token for a part of the text and none that means "unknown".
    pub fn ids(&self, text: &str, special_tokens: bool) -> Result<Vec<i64>, TokenizerError> {
        let options = EncodeOptions {
            special_tokens,
            ..EncodeOptions::default()
        };
        Ok(self.encode(text, &options)?.ids)
    }

    /// The number of special tokens that are added to a text, or to a pair.
    pub fn added_to_input(&self, pair: bool) -> usize {
        self.processor.as_ref().map_or(0, |p| p.added_tokens(pair))
    }

    fn encode_one(&self, input: TextInput<'_>, options: &EncodeOptions) -> Result<Raw, TokenizerError> {
        // The backend has no post-processor: these are the bare tokens.
        let bare = |text: &str| {
            let input = EncodeInput::Single(text.into());
            self.backend
                .encode_char_offsets(input, false)
                .map_err(TokenizerError::Encode)
        };
        let (first, second) = match input {
            TextInput::Single(text) => (bare(text)?, None),
            TextInput::Pair(first, second) => {
                let mut second = bare(second)?;
                second.set_type_ids(vec![1; second.len()]);
                (bare(first)?, Some(second))
            }
        };
        let (mut first, mut second) = self.cut(first, second, options)?;
        first.set_sequence_id(0);
        if let Some(second) = &mut second {
            second.set_sequence_id(1);
        }
        match &self.processor {
            Some(processor) => processor
                .process(first, second, options.special_tokens)
                .map_err(TokenizerError::Encode),
            None => Ok(match second {
                Some(second) => Raw::merge([first, second], false),
                None => first,
            }),
        }
    }

    fn cut(
        &self,
        first: Raw,
        second: Option<Raw>,
        options: &EncodeOptions,
    ) -> Result<(Raw, Option<Raw>), TokenizerError> {
        let Some(truncation) = options.truncation else {
            return Ok((first, second));
        };
        let Some(max_length) = truncation.max_length.or(self.settings.model_max_length) else {
            return Ok((first, second));
        };
        let special = if options.special_tokens {
            self.added_to_input(second.is_some())
        } else {
            0
        };
        let room = max_length
            .checked_sub(special)
            .ok_or(TokenizerError::MaxLength { max_length, special })?;
        let stride = truncation.stride;
        if stride > 0 && stride >= room {
            return Err(TokenizerError::Stride { stride, room });
        }
        let params = TruncationParams {
            direction: match self.settings.truncation_side {
                Side::Left => TruncationDirection::Left,
                Side::Right => TruncationDirection::Right,
            },
            max_length: room,
            strategy: match truncation.cut {
                Cut::LongestFirst => TruncationStrategy::LongestFirst,
                Cut::OnlyFirst => TruncationStrategy::OnlyFirst,
                Cut::OnlySecond => TruncationStrategy::OnlySecond,
            },
            stride,
        };
        check_stride(&first, second.as_ref(), &params)?;
        truncate_encodings(first, second, &params)
            .map_err(|problem| TokenizerError::Truncate { max_length, problem })
    }

    fn pad(&self, rows: &mut [Raw], options: &EncodeOptions) -> Result<(), TokenizerError> {
        let mut length = match options.padding {
            Padding::None => return Ok(()),
            Padding::Longest => rows.iter().map(Raw::len).max().unwrap_or(0),
            Padding::To(length) => length,
            Padding::ModelLength => match self.settings.model_max_length {
                Some(length) => length,
                None => return Ok(()),
            },
        };
        if let Some(multiple) = options.pad_to_multiple_of.filter(|m| *m > 0) {
            length = length.next_multiple_of(multiple);
        }
        let (token, id) = self.special("pad_token").ok_or(TokenizerError::NoPadToken)?;
        let side = match options.padding_side.unwrap_or(self.settings.padding_side) {
            Side::Left => PaddingDirection::Left,
            Side::Right => PaddingDirection::Right,
        };
        for row in rows {
            row.pad(length, id as u32, 0, token, side);
        }
        Ok(())
    }
}

/// The library insists that what a part is cut to is longer than the stride.
fn check_stride(first: &Raw, second: Option<&Raw>, params: &TruncationParams) -> Result<(), TokenizerError> {
    let (a, b) = (first.len(), second.map_or(0, Raw::len));
    let stride = params.stride;
    if stride == 0 || a + b <= params.max_length {
        return Ok(());
    }
    let excess = a + b - params.max_length;
    // The shortest that a part can be cut to.
    let room = match params.strategy {
        TruncationStrategy::LongestFirst if second.is_none() => params.max_length,
        TruncationStrategy::LongestFirst => (params.max_length / 2).min(a.min(b).max(1)),
        TruncationStrategy::OnlyFirst => a.saturating_sub(excess),
        TruncationStrategy::OnlySecond => b.saturating_sub(excess),
    };
    // A part that is not cut does not matter, but one that is cut to nothing is reported by the library.
    if room > 0 && stride >= room {
        return Err(TokenizerError::Stride { stride, room });
    }
    Ok(())
}

impl Tokenizer {
    fn encoding(&self, mut raw: Raw) -> Encoding {
        let wide = |ids: &[u32]| ids.iter().map(|&id| i64::from(id)).collect();
        let overflowing = raw
            .take_overflowing()
            .into_iter()
            .map(|piece| self.encoding(piece))
            .collect();
        // The library keeps the text of what has no token; the vocabulary's word for it is `<unk>`.
        let token = |id: &u32| self.backend.id_to_token(*id).unwrap_or_default();
        Encoding {
            ids: wide(raw.get_ids()),
            attention_mask: wide(raw.get_attention_mask()),
            type_ids: wide(raw.get_type_ids()),
            special_tokens_mask: wide(raw.get_special_tokens_mask()),
            tokens: raw.get_ids().iter().map(token).collect(),
            offsets: raw.get_offsets().to_vec(),
            sequence_ids: raw.get_sequence_ids(),
            word_ids: raw.get_word_ids().iter().map(|w| w.map(|w| w as usize)).collect(),
            overflowing,
        }
    }
}
