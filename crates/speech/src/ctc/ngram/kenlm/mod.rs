//! KenLM's binary formats (Heafield 2011, "KenLM: Faster and Smaller Language Model Queries"), version 5: hash tables that
//! are probed, and tries, which may have quantised weights and packed pointers.
//!
//! N-grams lie with their words in reverse: what is found for a word is followed by the word before it. A file is used
//! where it lies; what is damaged in it gives wrong scores, but nothing else.

mod bytes;
mod hashed;
mod header;
mod trie;
mod words;

use std::borrow::Cow;

use super::Table;
use bytes::Bytes;
use hashed::Hashed;
use header::{Header, Layout};
use trie::Trie;
use words::Words;

pub(super) use header::is_one;

/// A file, and where in it things are.
#[derive(Debug)]
pub(super) struct KenLm {
    bytes: Bytes,
    order: usize,
    words: Words,
    search: Search,
    unseen: Option<u32>,
}

/// How n-grams are found.
#[derive(Debug)]
enum Search {
    Hashed(Hashed),
    Trie(Trie),
}

/// An n-gram's logarithms, with base 10.
#[derive(Debug, Clone, Copy)]
struct Gram {
    score: f32,
    /// What is added where a longer one is missing.
    backoff: f32,
}

/// From an n-gram to those with a word more before it.
#[derive(Debug, Clone)]
enum Node {
    /// The words so far.
    Hash(u64),
    /// The places of the longer ones.
    Range(u64, u64),
}

/// What KenLM gives to unseen words where the ARPA file had nothing for them.
const NOTHING_KNOWN: f32 = -99.0;

impl KenLm {
    /// The model in a file's `bytes`.
    ///
    /// # Errors
    /// What is wrong, if it cannot be used.
    pub fn new(bytes: Cow<'static, [u8]>) -> Result<Self, String> {
        let bytes = Bytes(bytes);
        let header = Header::read(&bytes)?;
        let mut layout = Layout::new(&header, &bytes);
        let (words, search) = match header.is_trie() {
            false => (
                Words::hashed(&header, &bytes, &mut layout)?,
                Search::Hashed(Hashed::new(&header, &mut layout)?),
            ),
            true => (
                Words::sorted(&header, &bytes, &mut layout)?,
                Search::Trie(Trie::new(&header, &bytes, &mut layout)?),
            ),
        };
        if header.has_words {
            words::check(&bytes, layout.at(), words.count())?;
        }
        let mut model = Self {
            order: header.counts.len(),
            bytes,
            words,
            search,
            unseen: None,
        };
        model.unseen = (model.unigram(0).0.score > NOTHING_KNOWN).then_some(0);
        Ok(model)
    }

    fn unigram(&self, word: u32) -> (Gram, Node) {
        match &self.search {
            Search::Hashed(search) => search.unigram(&self.bytes, word),
            Search::Trie(search) => search.unigram(&self.bytes, word),
        }
    }

    /// The n-gram of `length` words which `word` begins and the words of `node` go on.
    fn longer(&self, node: &Node, length: usize, word: u32) -> Option<(Gram, Node)> {
        match (&self.search, node) {
            (Search::Hashed(search), Node::Hash(hash)) => search.longer(&self.bytes, *hash, length, word),
            (Search::Trie(search), Node::Range(begin, end)) => {
                search.longer(&self.bytes, (*begin, *end), length, word)
            }
            _ => None,
        }
    }

    /// The n-grams of the last word of `words`, the last two, and so on, for as long as there are any.
    fn suffixes(&self, words: impl DoubleEndedIterator<Item = u32>) -> impl Iterator<Item = Gram> {
        let mut found: Option<Node> = None;
        let lengths = 1..=self.order;
        lengths.zip(words.rev()).map_while(move |(length, word)| {
            let (gram, node) = match &found {
                None => self.unigram(word),
                Some(node) => self.longer(node, length, word)?,
            };
            found = Some(node);
            Some(gram)
        })
    }
}

impl Table for KenLm {
    fn order(&self) -> usize {
        self.order
    }

    fn word(&self, word: &str) -> Option<u32> {
        self.words.find(&self.bytes, word)
    }

    fn unseen(&self) -> Option<u32> {
        self.unseen
    }

    fn score(&self, context: &[u32], word: u32) -> f32 {
        let all = context.iter().copied().chain([word]);
        let (mut score, mut length) = (f32::NAN, 0);
        for gram in self.suffixes(all) {
            score = gram.score;
            length += 1;
        }
        // Contexts as long as what was found, and longer, were not followed by the word.
        let backoffs = self.suffixes(context.iter().copied()).skip(length - 1);
        score + backoffs.map(|gram| gram.backoff).sum::<f32>()
    }
}
