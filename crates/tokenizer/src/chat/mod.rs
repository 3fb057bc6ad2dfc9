//! Chats as the text that a model was trained on.
//!
//! A template in the model's folder, in the Jinja language, writes the messages down; it is run as
//! transformers runs it (`utils/chat_template_utils.py`): blocks are trimmed, `tojson` is
//! `json.dumps`, `{% generation %}` marks nothing.

mod environment;
mod error;
mod json;
mod templates;

use std::error::Error as _;

use minijinja::Value;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use self::environment::Raised;
use super::Tokenizer;

pub use error::ChatError;
pub(super) use templates::ChatTemplates;

/// A message of a chat.
///
/// Templates take further fields (`tool_calls`, lists of texts and pictures): any serializable type with
/// `role` and `content` can stand in for this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks: `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl ChatMessage {
    /// A message of any role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }

    /// What the person says.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new("user", content)
    }

    /// What the model said.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new("assistant", content)
    }

    /// How the model is to behave.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new("system", content)
    }
}

/// How a chat is written down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatOptions {
    /// Ends with what makes the model answer.
    pub add_generation_prompt: bool,
    /// Ends within the last message, so that the model goes on with it.
    pub continue_final_message: bool,
    /// Which of several templates is used; `None` for the one that fits.
    pub template: Option<String>,
    /// Functions that the model may call: a list of JSON schemas.
    pub tools: Option<Json>,
    /// Texts to answer from: a list of tables with `title` and `text`.
    pub documents: Option<Json>,
    /// Further variables of the template, e.g. `enable_thinking`.
    pub variables: Map<String, Json>,
}

impl ChatOptions {
    /// For the model to answer.
    pub fn prompt() -> Self {
        Self {
            add_generation_prompt: true,
            ..Self::default()
        }
    }
}

impl Tokenizer {
    /// The names of the model's chat templates, sorted; none if it is no chat model.
    pub fn chat_templates(&self) -> Vec<String> {
        self.chat_templates.names()
    }

    /// The text of a chat, special tokens included.
    ///
    /// # Errors
    /// If the model has no template, or the template refuses the messages or is faulty.
    pub fn chat<M: Serialize>(&self, messages: &[M], options: &ChatOptions) -> Result<String, ChatError> {
        let (name, source) = self
            .chat_templates
            .get(options.template.as_deref(), options.tools.is_some())?;
        let mut messages = tables(messages)?;
        if messages.is_empty() {
            return Err(ChatError::Messages("it has no message".to_string()));
        }
        if options.continue_final_message && options.add_generation_prompt {
            let problem = "the last message cannot be gone on with and answered at once";
            return Err(ChatError::Messages(problem.to_string()));
        }
        let last = match options.continue_final_message {
            true => Some(mark_last(&mut messages)?),
            false => None,
        };
        let text = render(name, source, self.context(messages, options))?;
        match last {
            Some(last) => up_to_mark(&text, &last),
            None => Ok(text),
        }
    }

    /// The ids of a chat.
    ///
    /// # Errors
    /// As [`chat`](Self::chat), and if the text cannot be encoded.
    pub fn chat_ids<M: Serialize>(
        &self,
        messages: &[M],
        options: &ChatOptions,
    ) -> Result<Vec<i64>, ChatError> {
        let text = self.chat(messages, options)?;
        // The template has written the special tokens.
        self.ids(&text, false)
            .map_err(|e| ChatError::Encode(e.to_string()))
    }

    fn context(&self, messages: Vec<Map<String, Json>>, options: &ChatOptions) -> Value {
        let mut context = Map::new();
        for (name, token) in &self.settings.named {
            context.insert(name.clone(), token.content.clone().into());
        }
        context.extend(options.variables.clone());
        let list = |value: &Option<Json>| value.clone().unwrap_or(Json::Null);
        context.insert("messages".to_string(), messages.into());
        context.insert("tools".to_string(), list(&options.tools));
        context.insert("documents".to_string(), list(&options.documents));
        context.insert(
            "add_generation_prompt".to_string(),
            options.add_generation_prompt.into(),
        );
        Value::from(Serde(Json::Object(context)))
    }
}

/// The messages as tables, without empty fields, and with the reasoning under the names that templates know.
fn tables<M: Serialize>(messages: &[M]) -> Result<Vec<Map<String, Json>>, ChatError> {
    const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];
    let mut tables = Vec::with_capacity(messages.len());
    for message in messages {
        let value = serde_json::to_value(message).map_err(|e| ChatError::Messages(e.to_string()))?;
        let Json::Object(mut table) = value else {
            return Err(ChatError::Messages(format!(
                "a message is {value}, expected a table"
            )));
        };
        table.retain(|_, value| !value.is_null());
        if let Some(reasoning) = REASONING.iter().find_map(|name| table.get(*name)).cloned() {
            table.entry("thinking").or_insert_with(|| reasoning.clone());
            table.insert("reasoning_content".to_string(), reasoning);
        }
        tables.push(table);
    }
    Ok(tables)
}

fn render(name: &str, source: &str, context: Value) -> Result<String, ChatError> {
    let run = || {
        environment::with_template(name, source)?
            .get_template(name)?
            .render(context)
    };
    run().map_err(|error: minijinja::Error| {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(Raised(message)) = inner.downcast_ref() {
                return ChatError::Refused {
                    template: name.to_string(),
                    message: message.clone(),
                };
            }
            cause = inner.source();
        }
        ChatError::Template {
            template: name.to_string(),
            line: error.line(),
            source: error,
        }
    })
}

/// Stands where the last message ends while the template is run.
const MARK: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

/// Marks the end of the last message and returns its text.
fn mark_last(messages: &mut [Map<String, Json>]) -> Result<String, ChatError> {
    let nothing = || ChatError::Messages("its last message has no text to go on with".to_string());
    let content = messages
        .last_mut()
        .and_then(|m| m.get_mut("content"))
        .ok_or_else(nothing)?;
    let text = match content {
        Json::Array(parts) => parts.iter_mut().rev().find_map(|part| part.get_mut("text")),
        other => Some(other),
    };
    match text {
        Some(Json::String(text)) => {
            let plain = text.clone();
            text.push_str(MARK);
            Ok(plain)
        }
        _ => Err(nothing()),
    }
}

/// The text up to the mark, which follows `last`.
fn up_to_mark(text: &str, last: &str) -> Result<String, ChatError> {
    match text.rfind(MARK.trim_end()) {
        Some(at) if text.contains(last.trim()) => Ok(match text[at..].starts_with(MARK) {
            true => text[..at].to_string(),
            // The template trims messages: so does this.
            false => text[..at].trim_end().to_string(),
        }),
        _ => Err(ChatError::Messages(
            "the template does not write the last message as it is, so it cannot be gone on with".to_string(),
        )),
    }
}
