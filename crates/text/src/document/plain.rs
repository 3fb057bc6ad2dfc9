//! Plain text: each line by itself.

use super::{Document, lines};

pub(super) fn parse(text: &str, document: &mut Document) {
    for (line, end) in lines(text) {
        document.add(line, 1);
        document.keep(end);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::shouted;

    #[test]
    fn blank_lines_indents_and_endings_stay() {
        let text = "  one two \r\n\r\n\t3.14\n***\nlast\u{a0}";
        assert_eq!(
            shouted(text, Format::Plain),
            "  ONE TWO \r\n\r\n\t3.14\n***\nLAST\u{a0}"
        );
        assert_eq!(shouted("", Format::Plain), "");
    }
}
