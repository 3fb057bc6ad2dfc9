//! Grammars over bytes, matched by derivatives.
//!
//! A node stands for a set of texts. Its derivative by a byte is the node for what may follow that byte:
//! Brzozowski, *Derivatives of regular expressions* (1964). Equal nodes have equal ids, so ids serve as the
//! states of an automaton that is built as it is walked. Rules may refer to each other, which makes the
//! grammar context-free: Might et al., *Parsing with derivatives* (2011). A stack is not needed, it is the
//! node itself.

use std::collections::HashMap;

use super::ConstraintError;

/// A node of a [`Grammar`].
pub(super) type Id = u32;

/// The set without texts.
pub(super) const NOTHING: Id = 0;
/// The set of the empty text.
pub(super) const EMPTY: Id = 1;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Nothing,
    Empty,
    /// One byte, between the two.
    Byte(u8, u8),
    /// One after the other.
    Cat(Id, Id),
    /// One of several, at least two, rising.
    Any(Box<[Id]>),
    /// A node so many times.
    Repeat {
        node: Id,
        min: u32,
        max: Option<u32>,
    },
    /// What a rule says; its texts are never empty.
    Rule(u32),
}

/// Nodes and rules.
#[derive(Debug)]
pub(super) struct Grammar {
    nodes: Vec<Node>,
    ids: HashMap<Node, Id>,
    nullable: Vec<bool>,
    pub rules: Vec<Id>,
    /// Derivatives by each byte, of nodes that were states.
    next: Vec<Option<Box<[Id; 256]>>>,
    /// Derivatives of parts of states.
    parts: HashMap<(Id, u8), Id>,
}

/// Marks a derivative that was not computed yet.
const UNKNOWN: Id = Id::MAX;

impl Grammar {
    /// The greatest number of nodes while a grammar is built.
    pub const LIMIT: usize = 1 << 20;

    pub fn new() -> Self {
        let mut grammar = Self {
            nodes: Vec::new(),
            ids: HashMap::new(),
            nullable: Vec::new(),
            rules: Vec::new(),
            next: Vec::new(),
            parts: HashMap::new(),
        };
        grammar.intern(Node::Nothing);
        grammar.intern(Node::Empty);
        grammar
    }

    pub fn check_size(&self) -> Result<(), ConstraintError> {
        if self.nodes.len() <= Self::LIMIT {
            Ok(())
        } else {
            Err(ConstraintError::TooLarge { limit: Self::LIMIT })
        }
    }

    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    /// Whether the empty text is in the set.
    pub fn nullable(&self, id: Id) -> bool {
        self.nullable[id as usize]
    }

    fn intern(&mut self, node: Node) -> Id {
        if let Some(&id) = self.ids.get(&node) {
            return id;
        }
        let nullable = match &node {
            Node::Nothing | Node::Byte(..) | Node::Rule(_) => false,
            Node::Empty => true,
            Node::Cat(a, b) => self.nullable(*a) && self.nullable(*b),
            Node::Any(all) => all.iter().any(|&id| self.nullable(id)),
            Node::Repeat { min, .. } => *min == 0,
        };
        let id = self.nodes.len() as Id;
        self.ids.insert(node.clone(), id);
        self.nodes.push(node);
        self.nullable.push(nullable);
        self.next.push(None);
        id
    }

    pub fn byte(&mut self, from: u8, to: u8) -> Id {
        self.intern(Node::Byte(from, to))
    }

    pub fn literal(&mut self, bytes: &[u8]) -> Id {
        bytes.iter().rev().fold(EMPTY, |rest, &b| {
            let byte = self.byte(b, b);
            self.cat(byte, rest)
        })
    }

    pub fn cat(&mut self, a: Id, b: Id) -> Id {
        match (a, b) {
            (NOTHING, _) | (_, NOTHING) => NOTHING,
            (EMPTY, other) | (other, EMPTY) => other,
            _ => match *self.node(a) {
                // Leaning to the right, so that the first part is at hand.
                Node::Cat(first, second) => {
                    let rest = self.cat(second, b);
                    self.cat(first, rest)
                }
                _ => self.intern(Node::Cat(a, b)),
            },
        }
    }

    pub fn sequence(&mut self, all: &[Id]) -> Id {
        all.iter().rev().fold(EMPTY, |rest, &first| self.cat(first, rest))
    }

    pub fn any(&mut self, all: impl IntoIterator<Item = Id>) -> Id {
        let mut flat: Vec<Id> = Vec::new();
        for id in all {
            match self.node(id) {
                Node::Nothing => {}
                Node::Any(inner) => flat.extend(inner),
                _ => flat.push(id),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        match flat[..] {
            [] => NOTHING,
            [one] => one,
            _ => self.intern(Node::Any(flat.into())),
        }
    }

    pub fn optional(&mut self, id: Id) -> Id {
        self.any([id, EMPTY])
    }

    pub fn repeat(&mut self, node: Id, min: u32, max: Option<u32>) -> Id {
        let min = if self.nullable(node) { 0 } else { min };
        match (node, min, max) {
            (_, _, Some(max)) if max < min => NOTHING,
            (EMPTY, ..) | (_, _, Some(0)) => EMPTY,
            (NOTHING, 0, _) => EMPTY,
            (NOTHING, ..) => NOTHING,
            (_, 1, Some(1)) => node,
            _ => self.intern(Node::Repeat { node, min, max }),
        }
    }

    /// A rule whose meaning is set later.
    pub fn rule(&mut self) -> Id {
        self.rules.push(NOTHING);
        self.intern(Node::Rule(self.rules.len() as u32 - 1))
    }

    /// Says what a rule made by [`rule`](Self::rule) means.
    pub fn define(&mut self, rule: Id, meaning: Id) {
        if let Node::Rule(number) = *self.node(rule) {
            self.rules[number as usize] = meaning;
        }
    }

    /// What may follow `byte` in the texts of `id`.
    pub fn step(&mut self, id: Id, byte: u8) -> Id {
        if let Some(next) = &self.next[id as usize] {
            let known = next[usize::from(byte)];
            if known != UNKNOWN {
                return known;
            }
        }
        let derived = self.derive(id, byte);
        let next = self.next[id as usize].get_or_insert_with(|| Box::new([UNKNOWN; 256]));
        next[usize::from(byte)] = derived;
        derived
    }

    fn derive(&mut self, id: Id, byte: u8) -> Id {
        match *self.node(id) {
            Node::Nothing | Node::Empty => return NOTHING,
            Node::Byte(from, to) => {
                return if (from..=to).contains(&byte) {
                    EMPTY
                } else {
                    NOTHING
                };
            }
            _ => {}
        }
        if let Some(&known) = self.parts.get(&(id, byte)) {
            return known;
        }
        let derived = match self.node(id).clone() {
            Node::Nothing | Node::Empty | Node::Byte(..) => NOTHING,
            Node::Cat(a, b) => {
                let first = self.derive(a, byte);
                let through = self.cat(first, b);
                if self.nullable(a) {
                    let beyond = self.derive(b, byte);
                    self.any([through, beyond])
                } else {
                    through
                }
            }
            Node::Any(all) => {
                let all: Vec<Id> = all.iter().map(|&one| self.derive(one, byte)).collect();
                self.any(all)
            }
            Node::Repeat { node, min, max } => {
                let first = self.derive(node, byte);
                let rest = self.repeat(node, min.saturating_sub(1), max.map(|max| max - 1));
                self.cat(first, rest)
            }
            Node::Rule(number) => self.derive(self.rules[number as usize], byte),
        };
        self.parts.insert((id, byte), derived);
        derived
    }

    /// Makes the grammar fit for walking: takes out rules that no text can meet, and those that only refer to
    /// others. Returns what `root` has become; `NOTHING` if no text can meet it.
    pub fn finish(&mut self, root: Id) -> Id {
        let mut possible = vec![false; self.rules.len()];
        loop {
            let found: Vec<bool> = (0..possible.len())
                .map(|rule| self.possible(self.rules[rule], &possible, &mut HashMap::new()))
                .collect();
            if found == possible {
                break;
            }
            possible = found;
        }
        let mut changed = HashMap::new();
        for rule in 0..self.rules.len() {
            self.rules[rule] = self.prune(self.rules[rule], &possible, &mut changed);
        }
        let root = self.prune(root, &possible, &mut changed);
        for rule in 0..self.rules.len() {
            let mut direct = Vec::new();
            self.unfold(self.rules[rule], &mut vec![false; possible.len()], &mut direct);
            self.rules[rule] = self.any(direct);
        }
        root
    }

    /// Whether a text can meet `id`, given the rules that are known to be possible.
    fn possible(&self, id: Id, rules: &[bool], known: &mut HashMap<Id, bool>) -> bool {
        if let Some(&known) = known.get(&id) {
            return known;
        }
        let possible = match self.node(id) {
            Node::Nothing => false,
            Node::Empty | Node::Byte(..) => true,
            Node::Cat(a, b) => self.possible(*a, rules, known) && self.possible(*b, rules, known),
            Node::Any(all) => all.iter().any(|&one| self.possible(one, rules, known)),
            Node::Repeat { node, min, .. } => *min == 0 || self.possible(*node, rules, known),
            Node::Rule(number) => rules[*number as usize],
        };
        known.insert(id, possible);
        possible
    }

    /// `id` with the impossible rules replaced by nothing.
    fn prune(&mut self, id: Id, possible: &[bool], changed: &mut HashMap<Id, Id>) -> Id {
        if let Some(&known) = changed.get(&id) {
            return known;
        }
        let new = match self.node(id).clone() {
            Node::Cat(a, b) => {
                let (a, b) = (self.prune(a, possible, changed), self.prune(b, possible, changed));
                self.cat(a, b)
            }
            Node::Any(all) => {
                let all: Vec<Id> = all
                    .iter()
                    .map(|&one| self.prune(one, possible, changed))
                    .collect();
                self.any(all)
            }
            Node::Repeat { node, min, max } => {
                let node = self.prune(node, possible, changed);
                self.repeat(node, min, max)
            }
            Node::Rule(number) if !possible[number as usize] => NOTHING,
            _ => id,
        };
        changed.insert(id, new);
        new
    }

    /// The alternatives of `id` without those that are mere rules, which are replaced by theirs.
    fn unfold(&self, id: Id, seen: &mut [bool], into: &mut Vec<Id>) {
        match self.node(id) {
            Node::Any(all) => all.iter().for_each(|&one| self.unfold(one, seen, into)),
            Node::Rule(number) => {
                let number = *number as usize;
                if !std::mem::replace(&mut seen[number], true) {
                    self.unfold(self.rules[number], seen, into);
                }
            }
            _ => into.push(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(grammar: &mut Grammar, id: Id, text: &str) -> bool {
        let end = text.bytes().fold(id, |id, byte| grammar.step(id, byte));
        grammar.nullable(end)
    }

    #[test]
    fn nodes_match_texts() {
        let mut g = Grammar::new();
        let (a, b) = (g.literal(b"a"), g.literal(b"bc"));
        let either = g.any([a, b]);
        let some = g.repeat(either, 2, Some(3));
        for (text, expected) in [
            ("abc", true),
            ("bcbc", true),
            ("a", false),
            ("aaaa", false),
            ("ab", false),
        ] {
            assert_eq!(matches(&mut g, some, text), expected, "{text}");
        }
    }

    #[test]
    fn rules_may_recur() {
        let mut g = Grammar::new();
        let rule = g.rule();
        let (open, close, x) = (g.literal(b"("), g.literal(b")"), g.literal(b"x"));
        let nested = g.sequence(&[open, rule, close]);
        let meaning = g.any([nested, x, rule]); // also refers to itself outright
        g.define(rule, meaning);
        let endless = g.rule();
        let never = g.cat(open, endless);
        g.define(endless, never);
        let root = g.any([rule, endless]);
        let root = g.finish(root);
        assert!(matches(&mut g, root, "((x))"));
        assert!(!matches(&mut g, root, "((x)"));
        assert_eq!(g.finish(endless), NOTHING);
    }
}
