//! What is to be told of a text that was said.

use super::Uttered;

impl Uttered {
    /// The letters and signs that were left out. Marks are not said, and many voices know none.
    pub fn left_out(&self) -> Vec<char> {
        const MARKS: &str = ".,;:!?'\"()-[]…“”‘’„–—«»¿¡、。，！？：；·";
        let unknown = self.unknown.iter().copied();
        unknown.filter(|letter| !MARKS.contains(*letter)).collect()
    }

    /// What was left out or spelled, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let unknown = self.left_out().into_iter();
        let unknown: Vec<String> = unknown
            .map(|letter| format!("`{}`", letter.escape_debug()))
            .collect();
        let mut notes = Vec::new();
        if !self.spelled.is_empty() {
            let words = self.spelled.join(", ");
            notes.push(format!("not in the dictionary, so spelled: {words}"));
        }
        if !unknown.is_empty() {
            notes.push(format!(
                "the voice does not know {}: left out",
                unknown.join(", ")
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_told() {
        let uttered = Uttered {
            unknown: "文.“$(М".chars().collect(),
            spelled: vec!["xyzzq".to_string()],
            ..Uttered::default()
        };
        let expected = [
            "not in the dictionary, so spelled: xyzzq",
            "the voice does not know `文`, `$`, `М`: left out",
        ];
        assert_eq!(uttered.notes(), expected);
        assert!(Uttered::default().notes().is_empty());
    }
}
