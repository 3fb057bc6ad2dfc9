//! The text crate's pipelines as tasks.

use sensorium_generation::GenerationConfig;
use sensorium_hub::{Hub, HubOptions};
use sensorium_text::{Error, GenerateOptions, TextGenerator};

use crate::task::BoxError;
use crate::{
    BuildRequest, Content, Device, Input, Output, Pipeline, PipelineError, RegistryError, run_decoded,
};

/// New tokens of a text unless the settings say otherwise.
const NEW_TOKENS: usize = 128;

/// Prompts that are continued at once. More gain little and take memory for each.
const BATCH: usize = 8;

/// Opens a language model by name: a folder in Hugging Face layout, a shipped model or a hub id. It uses
/// the first CUDA device if there is one.
///
/// ```no_run
/// use sensorium::generation::{Flow, GenerationConfig};
/// use sensorium::text::GenerateOptions;
///
/// let generator = sensorium::text_generator("./gpt2")?;
/// let config = GenerationConfig { max_new_tokens: Some(40), ..GenerationConfig::default() };
/// let mut show = |_: usize, piece: &str| {
///     print!("{piece}");
///     Flow::Continue
/// };
/// let options = GenerateOptions { on_text: Some(&mut show), ..GenerateOptions::default() };
/// generator.generate(&["Once upon a time"], &config, options)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the model is not found, damaged, or no language model.
pub fn text_generator(model: &str) -> Result<TextGenerator, RegistryError> {
    let found = Hub::new(HubOptions::default())?.resolve(model)?;
    let device = Device::Auto.resolve()?;
    TextGenerator::open(&found, device, None).map_err(|source| RegistryError::Build {
        task: "text-generation".to_owned(),
        model: Some(model.to_owned()),
        source: source.into(),
    })
}

/// Builds the pipeline of `text-generation`.
pub(crate) fn text_generation(request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    let (model, options) = (request.required_model()?, request.options);
    let kind = options.dtype.map(crate::DType::kind);
    let generator = TextGenerator::open(model, options.device.resolve()?, kind)?;
    let config = GenerationConfig {
        seed: options.generation.seed.or(options.seed),
        ..options.generation.clone()
    };
    Ok(Box::new(TextGeneration::new(generator, config)))
}

/// The pipeline of `text-generation`: each input is the beginning of a text, each output all of it.
///
/// ```no_run
/// use sensorium::generation::GenerationConfig;
/// use sensorium::handle::Batching;
/// use sensorium::{Pipeline, TextGeneration, text_generator};
///
/// let config = GenerationConfig { max_new_tokens: Some(40), ..GenerationConfig::default() };
/// let writer = TextGeneration::new(text_generator("./gpt2")?, config).into_handle(Batching::default());
/// let output = writer.call("Once upon a time".into())?;
/// println!("{}", serde_json::to_string(&output)?); // {"generated_text":"Once upon a time, …"}
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TextGeneration {
    generator: TextGenerator,
    config: GenerationConfig,
}

impl TextGeneration {
    /// A pipeline that writes by `config`: 128 new tokens unless it or the model says otherwise.
    pub fn new(generator: TextGenerator, config: GenerationConfig) -> Self {
        let config = generator.limited(config, NEW_TOKENS);
        Self { generator, config }
    }

    /// Continues each of `prompts`: the whole texts, or what is wrong with that one.
    ///
    /// Texts that are drawn at random depend on the seed and on their place among `prompts`.
    pub fn complete(&self, prompts: &[String]) -> Vec<Result<String, Error>> {
        let mut results = Vec::with_capacity(prompts.len());
        for (i, batch) in prompts.chunks(BATCH).enumerate() {
            match self.write(batch, i * BATCH) {
                Ok(texts) => results.extend(texts.into_iter().map(Ok)),
                // One at a time, to tell which it was.
                Err(_) if batch.len() > 1 => {
                    for (j, prompt) in batch.iter().enumerate() {
                        let alone = self.write(std::slice::from_ref(prompt), i * BATCH + j);
                        results.push(alone.map(|texts| texts.concat()));
                    }
                }
                Err(error) => results.push(Err(error)),
            }
        }
        results
    }

    fn write(&self, prompts: &[String], first: usize) -> Result<Vec<String>, Error> {
        let mut config = self.config.clone();
        config.seed = config.seed.map(|seed| seed.wrapping_add(first as u64));
        let mut texts = prompts.to_vec();
        let mut done = vec![false; prompts.len()];
        // The best where a model's settings ask for several.
        for completion in self
            .generator
            .generate(prompts, &config, GenerateOptions::default())?
        {
            if !std::mem::replace(&mut done[completion.prompt], true) {
                texts[completion.prompt] += &completion.text;
            }
        }
        Ok(texts)
    }
}

impl Pipeline for TextGeneration {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        let decode = |inputs: &[Input]| {
            let text = |input: &Input| match &input.content {
                Content::Text(text) => Ok(text.clone()),
                _ => Err(PipelineError::unsupported(input, "text")),
            };
            inputs.iter().map(text).collect()
        };
        run_decoded(inputs, decode, |prompts| {
            let texts = self.complete(prompts).into_iter();
            texts
                .map(|text| {
                    let generated_text = text?;
                    Ok(Output::Generation { generated_text })
                })
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Registry, TASKS};
    use sensorium_text::causal::model_types;

    #[test]
    fn the_task_names_every_family() {
        let task = Registry::builtin().find("text-generation").unwrap().model_types;
        assert_eq!(model_types().collect::<Vec<_>>(), task);
        assert_eq!(TASKS[0].name, "text-generation");
    }
}
