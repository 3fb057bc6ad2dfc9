//! Writing a tokenizer in the layout that [`Tokenizer::open`] reads.

use std::path::Path;

use sensorium_hub::atomic;
use serde_json::Value;
use tokenizers::AddedToken;

use super::files::{CONFIG, TOKENIZER};
use super::{BoxError, Tokenizer, TokenizerError};

impl Tokenizer {
    /// The same with another entry in its `tokenizer_config.json`, for those who read that file.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: Value) -> Self {
        self.settings.config.insert(name.to_string(), value);
        self
    }

    /// Writes `tokenizer.json`, `tokenizer_config.json` and the chat templates into `folder`, which must
    /// exist. Each file is replaced as a whole or not at all; the same tokenizer makes the same bytes.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), TokenizerError> {
        self.try_save(folder).map_err(|source| TokenizerError::Save {
            path: folder.to_path_buf(),
            source,
        })
    }

    fn try_save(&self, folder: &Path) -> Result<(), BoxError> {
        let write = |file: &str, text: &str| -> Result<(), BoxError> {
            Ok(atomic::write(&folder.join(file), |out| {
                out.write_all(text.as_bytes())
            })?)
        };
        let mut tokenizer: Value = serde_json::from_str(&self.backend.to_string(false)?)?;
        tokenizer["post_processor"] = serde_json::to_value(&self.processor)?;
        write(TOKENIZER, &format!("{tokenizer:#}\n"))?;
        let mut config = self.settings.config.clone();
        config.remove("chat_template"); // written to a file of its own
        for (name, token) in &self.settings.named {
            config.entry(name.clone()).or_insert_with(|| as_json(token));
        }
        write(CONFIG, &format!("{:#}\n", Value::Object(config)))?;
        for (file, text) in self.chat_templates.files() {
            if let Some(parent) = folder.join(&file).parent() {
                std::fs::create_dir_all(parent)?;
            }
            write(&file, text)?;
        }
        Ok(())
    }
}

fn as_json(token: &AddedToken) -> Value {
    token.content.clone().into()
}
