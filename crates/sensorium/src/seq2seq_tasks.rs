//! Translation, summarization and text to text as tasks.

use sensorium_hub::{Hub, shipped};
use sensorium_text::{Languages, Summarizer, TextToText, Translator, WriteOptions};
use serde_json::Value;

use crate::task::BoxError;
use crate::{BuildRequest, Content, Input, Output, Pipeline, PipelineError, RegistryError, run_decoded};

/// The shipped model that translates `languages`.
///
/// # Errors
/// If there is none, with those that there are.
pub fn translation_model(hub: &Hub, languages: Languages<'_>) -> Result<&'static str, RegistryError> {
    let mut known = Vec::new();
    for model in shipped::MODELS.iter().filter(|model| model.task == "translation") {
        let settings: Value = hub.resolve(model.name)?.json_as("tokenizer_config.json")?;
        let language = |name: &str| {
            settings
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_string()
        };
        let [from, to] = ["source_lang", "target_lang"].map(language);
        let fits = |asked: Option<&str>, there: &str| {
            asked.is_none_or(|asked| sensorium_text::same_language(asked, there))
        };
        if fits(languages.from, &from) && fits(languages.to, &to) {
            return Ok(model.name);
        }
        known.push(format!("{} ({from} to {to})", model.name));
    }
    Err(RegistryError::NoTranslator {
        languages: [("from", languages.from), ("to", languages.to)]
            .into_iter()
            .filter_map(|(end, language)| Some(format!("{end} {}", language?)))
            .collect::<Vec<_>>()
            .join(" "),
        known: if known.is_empty() {
            "none".to_string()
        } else {
            known.join(", ")
        },
    })
}

/// Builds the pipeline of `translation`, for models that need no word about languages.
pub(crate) fn translation(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let (model, options) = (request.required_model()?, request.options);
    let kind = options.dtype.map(crate::DType::kind);
    let translator = Translator::open(model, options.device.resolve()?, kind)?;
    translator.check(Languages::default())?;
    let config = options.generation.clone();
    Ok(Box::new(Rewriter(move |texts: &[String]| {
        let new = translator.translate(texts, Languages::default(), &config)?;
        let output = |translation_text| Output::Translation { translation_text };
        Ok(new.into_iter().map(output).collect())
    })))
}

/// Builds the pipeline of `summarization`.
pub(crate) fn summarization(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let (model, options) = (request.required_model()?, request.options);
    let kind = options.dtype.map(crate::DType::kind);
    let summarizer = Summarizer::open(model, options.device.resolve()?, kind)?;
    let config = options.generation.clone();
    Ok(Box::new(Rewriter(move |texts: &[String]| {
        let new = summarizer.summarize(texts, &config)?;
        let output = |summary_text| Output::Summary { summary_text };
        Ok(new.into_iter().map(output).collect())
    })))
}

/// Builds the pipeline of `text2text-generation`.
pub(crate) fn text_to_text(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let (model, options) = (request.required_model()?, request.options);
    let kind = options.dtype.map(crate::DType::kind);
    let pipeline = TextToText::open(model, options.device.resolve()?, kind)?;
    let mut config = options.generation.clone();
    let published = pipeline.published_config();
    let said = [
        config.max_new_tokens,
        config.max_length,
        published.max_new_tokens,
        published.max_length,
    ];
    if said.iter().all(Option::is_none) {
        config.max_new_tokens = Some(128);
    }
    Ok(Box::new(Rewriter(move |texts: &[String]| {
        let mut outputs: Vec<Option<Output>> = texts.iter().map(|_| None).collect();
        for written in pipeline.write(texts, &config, WriteOptions::default())? {
            let generated_text = written.text;
            outputs[written.input].get_or_insert(Output::Generation { generated_text });
        }
        Ok(outputs.into_iter().flatten().collect())
    })))
}

/// A pipeline from texts to texts: a function of a batch, whose error is that of one of its texts.
struct Rewriter<F>(F);

impl<F> Pipeline for Rewriter<F>
where
    F: Fn(&[String]) -> Result<Vec<Output>, sensorium_text::Error> + Send,
{
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        let decode = |inputs: &[Input]| {
            let text = |input: &Input| match &input.content {
                Content::Text(text) => Ok(text.clone()),
                _ => Err(PipelineError::unsupported(input, "text")),
            };
            inputs.iter().map(text).collect()
        };
        run_decoded(inputs, decode, |texts| match (self.0)(texts) {
            Ok(outputs) => outputs.into_iter().map(Ok).collect(),
            // One at a time, to tell which it was.
            Err(_) if texts.len() > 1 => texts
                .iter()
                .map(|text| self.alone(text).map_err(BoxError::from))
                .collect(),
            Err(error) => vec![Err(error.into())],
        })
    }
}

impl<F> Rewriter<F>
where
    F: Fn(&[String]) -> Result<Vec<Output>, sensorium_text::Error>,
{
    fn alone(&self, text: &String) -> Result<Output, sensorium_text::Error> {
        let outputs = (self.0)(std::slice::from_ref(text))?;
        let nothing = Output::Generation {
            generated_text: String::new(),
        };
        Ok(outputs.into_iter().next().unwrap_or(nothing))
    }
}

#[cfg(test)]
mod tests {
    use crate::Registry;

    /// Each family is served by one of the tasks.
    #[test]
    fn the_tasks_name_every_family() {
        let registry = Registry::builtin();
        let tasks = ["translation", "summarization", "text2text-generation"];
        let known = tasks
            .map(|name| registry.find(name).unwrap().model_types)
            .concat();
        for family in sensorium_text::seq2seq::model_types() {
            assert!(known.contains(&family), "{family}");
        }
    }
}
