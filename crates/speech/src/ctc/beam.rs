//! Prefix beam search (Hannun et al. 2014, arXiv 1408.2873): the likeliest text over all its spellings in time, with a
//! language model's opinion of its words.

use std::collections::HashMap;

use super::ngram::NGrams;
use crate::vocabulary::Vocabulary;

/// How texts are searched.
#[derive(Debug, Clone)]
pub struct BeamSearch {
    /// Texts that are kept at each step.
    pub beams: usize,
    /// What knows which words follow each other.
    pub language_model: Option<NGrams>,
    /// How much its logarithms count.
    pub weight: f64,
    /// Added for each word, as a language model likes few.
    pub word_bonus: f64,
    /// Words that are added a bonus for.
    pub hot_words: Vec<String>,
    /// The bonus, as a logarithm.
    pub hot_bonus: f64,
}

impl Default for BeamSearch {
    /// A hundred beams and the weights that pyctcdecode begins with.
    fn default() -> Self {
        Self {
            beams: 100,
            language_model: None,
            weight: 0.5,
            word_bonus: 1.5,
            hot_words: Vec::new(),
            hot_bonus: 10.0,
        }
    }
}

/// A token that is less likely is not followed up.
const LEAST: f32 = -5.0;
/// A text that is so much less likely than the best is dropped.
const FAR: f64 = 10.0;

/// A text, by how likely its spellings so far are that end with a blank or with its last token.
#[derive(Debug, Clone)]
struct Beam {
    blank: f64,
    token: f64,
    /// What is known of its words.
    words: Words,
}

#[derive(Debug, Clone, Default)]
struct Words {
    /// The last words, for the language model.
    state: Vec<u32>,
    /// The word that is being spelt.
    open: String,
    /// What the complete words add.
    score: f64,
}

impl Beam {
    fn heard(&self) -> f64 {
        sum(self.blank, self.token)
    }

    fn score(&self) -> f64 {
        self.heard() + self.words.score
    }
}

/// Prefixes that share their beginnings: each token of a kept one with the one before it.
#[derive(Default)]
struct Tree {
    /// Node 1 is the first.
    nodes: Vec<(usize, usize)>,
    known: HashMap<(usize, usize), usize>,
}

/// A prefix of the tree, or one that is longer by a token and not kept yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Prefix {
    Known(usize),
    Longer(usize, usize),
}

impl Tree {
    /// Nothing.
    const ROOT: usize = 0;

    fn last(&self, node: usize) -> Option<usize> {
        let (_, token) = self.nodes.get(node.checked_sub(1)?)?;
        Some(*token)
    }

    fn longer(&self, node: usize, token: usize) -> Prefix {
        let known = self.known.get(&(node, token));
        known.map_or(Prefix::Longer(node, token), |&node| Prefix::Known(node))
    }

    /// The node of a prefix that is kept from now on.
    fn node(&mut self, prefix: Prefix) -> usize {
        match prefix {
            Prefix::Known(node) => node,
            Prefix::Longer(before, token) => {
                self.nodes.push((before, token));
                let node = self.nodes.len();
                self.known.insert((before, token), node);
                node
            }
        }
    }

    fn tokens(&self, prefix: Prefix) -> Vec<usize> {
        let (mut node, mut tokens) = match prefix {
            Prefix::Known(node) => (node, Vec::new()),
            Prefix::Longer(node, token) => (node, vec![token]),
        };
        while let Some(&(before, token)) = node.checked_sub(1).and_then(|at| self.nodes.get(at)) {
            tokens.push(token);
            node = before;
        }
        tokens.reverse();
        tokens
    }
}

/// `log(exp a + exp b)`
fn sum(a: f64, b: f64) -> f64 {
    let (most, least) = if a > b { (a, b) } else { (b, a) };
    match most == f64::NEG_INFINITY {
        true => most,
        false => most + (least - most).exp().ln_1p(),
    }
}

impl BeamSearch {
    /// The tokens of the best text, blanks and repetitions taken out, for log probabilities `[steps][vocabulary]`.
    pub fn search(&self, steps: &[Vec<f32>], vocabulary: &Vocabulary) -> Vec<usize> {
        let start = Beam {
            blank: 0.0,
            token: f64::NEG_INFINITY,
            words: Words {
                state: self.language_model.as_ref().map_or(Vec::new(), NGrams::begin),
                ..Words::default()
            },
        };
        let mut tree = Tree::default();
        let mut beams: Vec<(usize, Beam)> = vec![(Tree::ROOT, start)];
        for scores in steps {
            let likeliest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let followed: Vec<usize> = (0..scores.len())
                .filter(|&id| scores[id] >= LEAST || scores[id] == likeliest)
                .collect();
            let mut next: HashMap<Prefix, Beam> = HashMap::new();
            for (node, beam) in &beams {
                for &id in &followed {
                    let score = f64::from(scores[id]);
                    let stay = |next: &mut HashMap<Prefix, Beam>, blank: f64, token: f64| {
                        let same = next.entry(Prefix::Known(*node)).or_insert_with(|| Beam {
                            blank: f64::NEG_INFINITY,
                            token: f64::NEG_INFINITY,
                            words: beam.words.clone(),
                        });
                        same.blank = sum(same.blank, blank);
                        same.token = sum(same.token, token);
                    };
                    if id == vocabulary.blank {
                        stay(&mut next, beam.heard() + score, f64::NEG_INFINITY);
                        continue;
                    }
                    // The last token again: it lasts, or after a blank is said twice.
                    let again = tree.last(*node) == Some(id);
                    if again {
                        stay(&mut next, f64::NEG_INFINITY, beam.token + score);
                    }
                    let heard = if again { beam.blank } else { beam.heard() };
                    if heard == f64::NEG_INFINITY {
                        continue;
                    }
                    let grown = next.entry(tree.longer(*node, id)).or_insert_with(|| Beam {
                        blank: f64::NEG_INFINITY,
                        token: f64::NEG_INFINITY,
                        words: self.grown(&beam.words, &vocabulary.letter(id), vocabulary.is_of_words()),
                    });
                    grown.token = sum(grown.token, heard + score);
                }
            }
            let mut found: Vec<(Prefix, Beam)> = next.into_iter().collect();
            // Equal ones by their tokens, so that the result does not depend on the map's order.
            found.sort_by(|(a, x), (b, y)| {
                let scores = y.score().total_cmp(&x.score());
                scores.then_with(|| tree.tokens(*a).cmp(&tree.tokens(*b)))
            });
            found.truncate(self.beams.max(1));
            let best = found.first().map_or(0.0, |(_, beam)| beam.score());
            found.retain(|(_, beam)| beam.score() >= best - FAR);
            beams = found
                .into_iter()
                .map(|(prefix, beam)| (tree.node(prefix), beam))
                .collect();
        }
        let finished = |beam: &Beam| {
            let words = self.closed(&beam.words);
            let end = self
                .language_model
                .as_ref()
                .map_or(0.0, |model| f64::from(model.end(&words.state)));
            beam.heard() + words.score + self.weight * end
        };
        let best = beams
            .into_iter()
            .max_by(|(_, a), (_, b)| finished(a).total_cmp(&finished(b)));
        best.map_or(Vec::new(), |(node, _)| tree.tokens(Prefix::Known(node)))
    }

    /// What is known of words after another letter.
    fn grown(&self, words: &Words, letter: &str, of_words: bool) -> Words {
        if letter == " " {
            return self.closed(words);
        }
        let mut grown = if of_words {
            self.closed(words)
        } else {
            words.clone()
        };
        grown.open += letter;
        grown
    }

    /// The same with the open word complete.
    fn closed(&self, words: &Words) -> Words {
        let mut closed = words.clone();
        let word = std::mem::take(&mut closed.open);
        if word.is_empty() {
            return closed;
        }
        if let Some(model) = &self.language_model {
            let score = model.score(&mut closed.state, &word);
            closed.score += self.weight * f64::from(score) + self.word_bonus;
        }
        let hot = self
            .hot_words
            .iter()
            .any(|hot| hot.to_lowercase() == word.to_lowercase());
        closed.score += if hot { self.hot_bonus } else { 0.0 };
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Units;

    fn vocabulary() -> Vocabulary {
        Vocabulary::of_texts(["yes no"], Units::Words) // 0 blank, 1 between words, 2 unknown, 3 no, 4 yes
    }

    fn steps(rows: &[[f32; 5]]) -> Vec<Vec<f32>> {
        rows.iter()
            .map(|row| row.iter().map(|p| p.max(1e-9).ln()).collect())
            .collect()
    }

    #[test]
    fn spellings_of_one_text_are_summed() {
        // The likeliest path says nothing (0.36), yet "no" (0.24 + 0.24 + 0.16) is the likeliest text.
        let rows = steps(&[[0.6, 0.0, 0.0, 0.4, 0.0], [0.6, 0.0, 0.0, 0.4, 0.0]]);
        assert_eq!(BeamSearch::default().search(&rows, &vocabulary()), [3]);
        let certain = steps(&[
            [0.0, 0.0, 0.0, 1.0, 0.0],
            [1.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0, 0.0],
        ]);
        assert_eq!(BeamSearch::default().search(&certain, &vocabulary()), [3, 3]);
    }

    #[test]
    fn the_language_model_and_hot_words_decide_what_is_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lm.arpa");
        std::fs::write(&path, "\\data\\\n\n\\1-grams:\n-0.1\tyes\n-2.0\tno\n\n\\end\\\n").unwrap();
        let rows = steps(&[[0.0, 0.0, 0.0, 0.55, 0.45]]);
        assert_eq!(BeamSearch::default().search(&rows, &vocabulary()), [3]);
        let informed = BeamSearch {
            language_model: Some(NGrams::open(&path).unwrap()),
            ..BeamSearch::default()
        };
        assert_eq!(informed.search(&rows, &vocabulary()), [4]);
        let hot = BeamSearch {
            hot_words: vec!["Yes".to_string()],
            ..BeamSearch::default()
        };
        assert_eq!(hot.search(&rows, &vocabulary()), [4]);
    }
}
