//! What can go wrong with chat templates.

/// Why a chat could not be written as text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The model is no chat model.
    #[error("the model has no chat template: it was not trained on chats")]
    NoTemplate,
    /// There are several templates, and none is the default.
    #[error("the model has several chat templates and no default; name one of {}", names.join(", "))]
    NoDefault {
        /// The templates' names.
        names: Vec<String>,
    },
    /// No template has the name that was asked for.
    #[error("the model has no chat template `{name}`; there are {}", names.join(", "))]
    UnknownTemplate {
        /// What was asked for.
        name: String,
        /// The templates' names.
        names: Vec<String>,
    },
    /// The template is faulty, or uses what is not known here.
    #[error("chat template `{template}`{}", at(line))]
    Template {
        /// The template's name.
        template: String,
        /// The line, counted from 1.
        line: Option<usize>,
        /// What is wrong.
        #[source]
        source: minijinja::Error,
    },
    /// The template refuses these messages.
    #[error("chat template `{template}` refuses the messages: {message}")]
    Refused {
        /// The template's name.
        template: String,
        /// The template's own words.
        message: String,
    },
    /// The messages are not what a template takes.
    #[error("the chat is not valid: {0}")]
    Messages(String),
    /// The chat's text could not be encoded.
    #[error("the chat cannot be encoded: {0}")]
    Encode(String),
}

fn at(line: &Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}
