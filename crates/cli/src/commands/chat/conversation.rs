//! What was said so far, in memory and in a file.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use sensorium::hub::atomic;
use sensorium::text::tokenizer::ChatMessage;
use serde_json::{Value, json};

/// What a file of a conversation looks like, for messages.
const FORM: &str = r#"{"messages": [{"role": "user", "content": "…"}, …]}"#;

/// A conversation: messages of a person and a model by turns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// How the model is to behave.
    pub system: Option<String>,
    messages: Vec<ChatMessage>,
}

impl Conversation {
    /// Nothing said yet.
    pub fn new(system: Option<String>) -> Self {
        Self {
            system,
            messages: Vec::new(),
        }
    }

    /// How many messages there are, that of the system not counted.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Adds a message.
    pub fn push(&mut self, message: ChatMessage) {
        self.messages.push(message);
    }

    /// Forgets all but the system's message.
    pub fn clear(&mut self) {
        self.messages.clear();
    }

    /// Whether the last message is a person's.
    pub fn waits(&self) -> bool {
        self.messages.last().is_some_and(|last| last.role == "user")
    }

    /// Forgets what followed the last message of the person; false if there is none.
    pub fn take_back_answer(&mut self) -> bool {
        match self.messages.iter().rposition(|message| message.role == "user") {
            Some(last) => {
                self.messages.truncate(last + 1);
                true
            }
            None => false,
        }
    }

    /// The messages without the first `unseen`, that of the system before them.
    pub fn seen(&self, unseen: usize) -> Vec<ChatMessage> {
        let system = self.system.iter().map(ChatMessage::system);
        system.chain(self.messages.iter().skip(unseen).cloned()).collect()
    }

    /// Where the turn after the one at `from` begins, with a person's message.
    pub fn turn_after(&self, from: usize) -> Option<usize> {
        let later = self.messages.iter().enumerate().skip(from + 1);
        later
            .filter(|(_, message)| message.role == "user")
            .map(|(at, _)| at)
            .next()
    }

    /// Writes all of it to a file, which is there whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, model: &str) -> Result<()> {
        let value = json!({ "model": model, "messages": self.seen(0) });
        let text = serde_json::to_string_pretty(&value)? + "\n";
        Ok(atomic::write_bytes(path, text.as_bytes())?)
    }

    /// Reads what [`save`](Self::save) wrote; a bare list of messages will do too.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else.
    pub fn load(path: &Path) -> Result<Self> {
        let shown = path.display();
        let wrong = |problem: String| anyhow!("{shown} is no conversation: {problem}; expected {FORM}");
        let bytes = fs::read(path).with_context(|| format!("cannot read {shown}"))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let list = match value {
            Value::Object(mut table) => table.remove("messages"),
            list @ Value::Array(_) => Some(list),
            _ => None,
        };
        let list = list.ok_or_else(|| wrong("it has no messages".to_owned()))?;
        let mut messages: Vec<ChatMessage> =
            serde_json::from_value(list).map_err(|error| wrong(error.to_string()))?;
        let told = messages.first().is_some_and(|first| first.role == "system");
        let system = told.then(|| messages.remove(0).content);
        Ok(Self { system, messages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(messages: &[(&str, &str)]) -> Conversation {
        let mut talk = Conversation::new(Some("Be short.".into()));
        for (role, content) in messages {
            talk.push(ChatMessage::new(*role, *content));
        }
        talk
    }

    #[test]
    fn a_saved_conversation_is_loaded_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("talk.json");
        let said = talk(&[("user", "Grüße"), ("assistant", "Hallo.\n")]);
        said.save(&path, "m").unwrap();
        assert_eq!(Conversation::load(&path).unwrap(), said);

        fs::write(&path, r#"[{"role": "user", "content": "a"}]"#).unwrap();
        let bare = Conversation::load(&path).unwrap();
        assert!(bare.waits() && bare.system.is_none());
    }

    #[test]
    fn other_files_are_refused_in_one_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("talk.json");
        for (text, problem) in [
            ("hello", "expected value"),
            ("3", "it has no messages"),
            (r#"{"messages": [{"role": "user"}]}"#, "missing field `content`"),
            (r#"[{"role": "user", "content": 3}]"#, "invalid type"),
        ] {
            fs::write(&path, text).unwrap();
            let error = Conversation::load(&path).unwrap_err().to_string();
            assert!(
                error.contains("is no conversation: ") && error.contains(problem),
                "{error}"
            );
        }
    }

    #[test]
    fn turns_begin_with_a_persons_message() {
        let said = talk(&[("user", "a"), ("assistant", "b"), ("user", "c")]);
        assert_eq!(said.turn_after(0), Some(2));
        assert_eq!(said.turn_after(2), None);
        let seen: Vec<_> = said.seen(2).into_iter().map(|message| message.content).collect();
        assert_eq!(seen, ["Be short.", "c"]);
    }

    #[test]
    fn what_was_said_can_be_taken_back() {
        let mut said = talk(&[("user", "a"), ("assistant", "b")]);
        assert!(!said.waits() && said.take_back_answer() && said.waits());
        assert_eq!(said.len(), 1);
        assert!(!talk(&[]).take_back_answer());
    }
}
