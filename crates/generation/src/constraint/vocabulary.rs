//! A vocabulary as a tree of bytes.

use super::TokenSet;

/// The tokens of a vocabulary by their bytes, so that tokens with a common beginning share the work.
#[derive(Debug)]
pub struct Vocabulary {
    tokens: Vec<Vec<u8>>,
    /// In the order of a walk that visits parents before children.
    nodes: Vec<Node>,
}

/// The last byte of a common beginning of tokens.
#[derive(Debug)]
struct Node {
    byte: u8,
    depth: u32,
    /// Where the nodes below end.
    end: u32,
    /// The tokens that end here.
    tokens: Vec<u32>,
}

impl Vocabulary {
    /// A vocabulary whose token `i` stands for the bytes `tokens[i]`. Tokens without bytes (special ones)
    /// are in no text.
    pub fn new(tokens: Vec<Vec<u8>>) -> Self {
        let mut order: Vec<usize> = (0..tokens.len()).filter(|&i| !tokens[i].is_empty()).collect();
        order.sort_by(|&a, &b| tokens[a].cmp(&tokens[b]));
        let mut nodes: Vec<Node> = Vec::new();
        // The nodes above the next one.
        let mut path: Vec<usize> = Vec::new();
        let mut last: &[u8] = &[];
        for i in order {
            let bytes = &tokens[i];
            let same = bytes.iter().zip(last).take_while(|(a, b)| a == b).count();
            for closed in path.drain(same..) {
                nodes[closed].end = nodes.len() as u32;
            }
            for (depth, &byte) in bytes.iter().enumerate().skip(same) {
                path.push(nodes.len());
                nodes.push(Node {
                    byte,
                    depth: depth as u32,
                    end: 0,
                    tokens: Vec::new(),
                });
            }
            if let Some(&node) = path.last() {
                nodes[node].tokens.push(i as u32);
            }
            last = bytes;
        }
        for closed in path {
            nodes[closed].end = nodes.len() as u32;
        }
        Self { tokens, nodes }
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The bytes of a token, if there is one with this id.
    pub fn bytes(&self, token: i64) -> Option<&[u8]> {
        let token = usize::try_from(token).ok()?;
        self.tokens.get(token).map(Vec::as_slice)
    }

    /// The tokens all of whose bytes can be stepped over, beginning in `start`.
    pub(crate) fn walk(&self, start: u32, mut step: impl FnMut(u32, u8) -> Option<u32>) -> TokenSet {
        let mut set = TokenSet::new(self.tokens.len());
        let mut states = vec![start];
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            let depth = node.depth as usize;
            states.truncate(depth + 1);
            match step(states[depth], node.byte) {
                Some(state) => {
                    node.tokens.iter().for_each(|&token| set.insert(token as usize));
                    states.push(state);
                    at += 1;
                }
                None => at = node.end as usize,
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_share_beginnings() {
        let tokens = ["ab", "a", "", "abc", "b", "ab", "ba"];
        let vocabulary = Vocabulary::new(tokens.iter().map(|token| token.as_bytes().to_vec()).collect());
        // Any text without "abc" and without two b.
        let set = vocabulary.walk(0, |bs, byte| match byte {
            b'c' => None,
            b'b' => (bs < 1).then_some(bs + 1),
            _ => Some(bs),
        });
        let found: Vec<usize> = (0..tokens.len()).filter(|&i| set.contains(i)).collect();
        assert_eq!(found, [0, 1, 4, 5, 6]);
    }
}
