//! Summaries of texts of any length.

use sensorium_generation::GenerationConfig;
use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind};

use crate::document::{pieces_within, sentences};
use crate::{Error, TextToText, WriteOptions};

/// Says what is in a text in fewer words.
///
/// ```no_run
/// use sensorium_text::Summarizer;
/// # let model = sensorium_hub::Model::in_folder("t5-small", "t5-small");
/// let summarizer = Summarizer::open(&model, tch::Device::Cpu, None)?;
/// let text = std::fs::read_to_string("article.txt").unwrap_or_default();
/// println!("{}", summarizer.summarize(&[text], &Default::default())?[0]);
/// # Ok::<(), sensorium_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Summarizer {
    pipeline: TextToText,
    /// What the model was trained to see before a text.
    prefix: String,
    /// The settings that the model was published with for this task.
    published: GenerationConfig,
}

impl Summarizer {
    /// Opens a model folder or a shipped model; floating-point weights are converted to `kind` if one is
    /// named.
    ///
    /// # Errors
    /// If a file is missing or damaged, or the model has no encoder and decoder.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let config = model.config()?;
        let pipeline = TextToText::open(model, device, kind)?;
        let task = config.pointer("/task_specific_params/summarization");
        let said = task.and_then(|task| task.get("prefix")).and_then(Value::as_str);
        let usual = match config.get("model_type").and_then(Value::as_str) {
            Some("t5") => "summarize: ",
            _ => "",
        };
        let published = match task.and_then(Value::as_object) {
            Some(task) => GenerationConfig::default().with_json(task)?,
            None => GenerationConfig::default(),
        };
        Ok(Self {
            pipeline,
            prefix: said.unwrap_or(usual).to_string(),
            published,
        })
    }

    /// The model with its tokenizer.
    pub fn pipeline(&self) -> &TextToText {
        &self.pipeline
    }

    /// Summarises each of `texts`. One that is longer than the model takes is summarised in parts, whose
    /// summaries stand one after the other.
    ///
    /// # Errors
    /// If a setting makes no sense.
    pub fn summarize<S: AsRef<str>>(
        &self,
        texts: &[S],
        config: &GenerationConfig,
    ) -> Result<Vec<String>, Error> {
        let mut sources = Vec::new();
        let mut owners = Vec::new();
        for (owner, text) in texts.iter().enumerate() {
            for part in self.parts(text.as_ref()) {
                sources.push(self.source(&part)?);
                owners.push(owner);
            }
        }
        let mut config = config.clone().merge(&self.published);
        let limits = [
            config.max_new_tokens,
            config.max_length,
            self.pipeline.published_config().max_length,
        ];
        if limits.iter().all(Option::is_none) {
            config.max_new_tokens = Some(142); // BART's for news
        }
        let mut summaries = vec![String::new(); texts.len()];
        let mut last = None;
        for written in self
            .pipeline
            .write_ids(sources, &config, WriteOptions::default())?
        {
            if last.replace(written.input) == Some(written.input) {
                continue; // the best where a model's settings ask for several
            }
            let summary = &mut summaries[owners[written.input]];
            if !summary.is_empty() {
                summary.push(' ');
            }
            *summary += written.text.trim();
        }
        Ok(summaries)
    }

    fn source(&self, text: &str) -> Result<Vec<i64>, Error> {
        Ok(self
            .pipeline
            .tokenizer()
            .ids(&format!("{}{text}", self.prefix), true)?)
    }

    /// As few parts as fit the model, cut between sentences.
    fn parts(&self, text: &str) -> Vec<String> {
        const LONGEST: usize = 1024;
        let limit = self.pipeline.limit().unwrap_or(LONGEST).min(LONGEST);
        let count = |text: &str| self.source(text).map_or(usize::MAX, |ids| ids.len());
        let text = text.trim();
        if text.is_empty() {
            return Vec::new();
        }
        if count(text) <= limit {
            return vec![text.to_string()];
        }
        let fits = |piece: &str| count(piece) <= limit;
        let (mut parts, mut size) = (vec![String::new()], 0);
        for sentence in sentences(text) {
            for piece in pieces_within(sentence.text, &fits) {
                let more = count(piece.text);
                if size > 0 && size + more > limit {
                    parts.push(String::new());
                    size = 0;
                }
                size += more;
                if let Some(part) = parts.last_mut() {
                    if !part.is_empty() {
                        part.push(' ');
                    }
                    *part += piece.text;
                }
            }
        }
        parts
    }
}
