//! Where a model keeps its chat templates.

use std::collections::BTreeMap;
use std::fs;

use sensorium_hub::{Location, Model};
use serde_json::{Map, Value};

use super::super::TokenizerError;
use super::super::files::{CONFIG, fault};
use super::ChatError;

const FILE: &str = "chat_template.jinja";
const LEGACY: &str = "chat_template.json";
/// Further templates, one a file, named as the file is.
const FOLDER: &str = "additional_chat_templates";

pub(super) const DEFAULT: &str = "default";
/// The template that is preferred when there are tools.
const TOOL_USE: &str = "tool_use";

/// A model's chat templates by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChatTemplates {
    sources: BTreeMap<String, String>,
}

impl ChatTemplates {
    /// `chat_template.jinja` and the files in `additional_chat_templates/`; else the `chat_template` of
    /// `config`, which is one or a list of named ones; else `chat_template.json`.
    ///
    /// # Errors
    /// If a file cannot be read or does not hold what it should.
    pub fn read(model: &Model, config: &Map<String, Value>) -> Result<Self, TokenizerError> {
        let mut sources = BTreeMap::new();
        if let Some(bytes) = model.read(FILE)? {
            let text = String::from_utf8(bytes.into_owned()).map_err(|e| fault(model, FILE, e))?;
            sources.insert(DEFAULT.to_string(), text);
        }
        for name in further(model) {
            let file = format!("{FOLDER}/{name}.jinja");
            if let Some(bytes) = model.read(&file)? {
                let text = String::from_utf8(bytes.into_owned()).map_err(|e| fault(model, &file, e))?;
                sources.insert(name, text);
            }
        }
        if sources.is_empty()
            && let Some(value) = config.get("chat_template")
        {
            sources = parse(value).ok_or_else(|| fault(model, CONFIG, "chat_template is not a template"))?;
        }
        if sources.is_empty()
            && let Some(bytes) = model.read(LEGACY)?
        {
            let table: Map<String, Value> =
                serde_json::from_slice(&bytes).map_err(|e| fault(model, LEGACY, e))?;
            let value = table.get("chat_template");
            sources = value
                .and_then(parse)
                .ok_or_else(|| fault(model, LEGACY, "there is no chat_template in it"))?;
        }
        Ok(Self { sources })
    }

    /// The files that hold the templates, with their text.
    pub fn files(&self) -> impl Iterator<Item = (String, &str)> {
        self.sources.iter().map(|(name, source)| {
            let file = match name == DEFAULT {
                true => FILE.to_string(),
                false => format!("{FOLDER}/{name}.jinja"),
            };
            (file, source.as_str())
        })
    }

    /// The names of all templates, sorted.
    pub fn names(&self) -> Vec<String> {
        self.sources.keys().cloned().collect()
    }

    /// The template of that name; without a name, the one that fits.
    pub fn get(&self, name: Option<&str>, with_tools: bool) -> Result<(&str, &str), ChatError> {
        let find = |name: &str| {
            self.sources
                .get_key_value(name)
                .map(|(n, s)| (n.as_str(), s.as_str()))
        };
        if self.sources.is_empty() {
            return Err(ChatError::NoTemplate);
        }
        match name {
            Some(name) => find(name).ok_or_else(|| ChatError::UnknownTemplate {
                name: name.to_string(),
                names: self.names(),
            }),
            None => {
                let tools = if with_tools { find(TOOL_USE) } else { None };
                tools
                    .or_else(|| find(DEFAULT))
                    .ok_or_else(|| ChatError::NoDefault { names: self.names() })
            }
        }
    }
}

/// One template, or a list of `{"name", "template"}`.
fn parse(value: &Value) -> Option<BTreeMap<String, String>> {
    match value {
        Value::Null => Some(BTreeMap::new()),
        Value::String(text) => Some(BTreeMap::from([(DEFAULT.to_string(), text.clone())])),
        Value::Array(list) => list
            .iter()
            .map(|entry| {
                let field = |name| Some(entry.get(name)?.as_str()?.to_string());
                Some((field("name")?, field("template")?))
            })
            .collect(),
        _ => None,
    }
}

/// The names of the templates in the folder for further ones.
fn further(model: &Model) -> Vec<String> {
    let Location::Folder(folder) = model.location() else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir(folder.join(FOLDER)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| Some(file.strip_suffix(".jinja")?.to_string()))
        .collect();
    names.sort();
    names
}
