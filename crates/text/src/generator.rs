//! Text generation: a language model, its tokenizer and its settings.

use sensorium_generation::{
    Constraint, Flow, Generated, GenerationConfig, Options, Prompt, TextStream, TokenSink, generate,
};
use sensorium_hub::Model;
use serde::Serialize;
use tch::{Device, Kind};

use crate::Error;
use crate::causal::CausalLm;
use crate::tokenizer::{ChatOptions, Tokenizer};

/// Writes on from a text.
///
/// ```no_run
/// use sensorium_generation::GenerationConfig;
/// use sensorium_text::{GenerateOptions, TextGenerator};
/// # let model = sensorium_hub::Model::in_folder("gpt2", "gpt2");
/// let generator = TextGenerator::open(&model, tch::Device::Cpu, None)?;
/// let config = GenerationConfig { max_new_tokens: Some(20), ..Default::default() };
/// for completion in generator.generate(&["Once upon a time"], &config, GenerateOptions::default())? {
///     println!("{}", completion.text);
/// }
/// # Ok::<(), sensorium_text::Error>(())
/// ```
#[derive(Debug)]
pub struct TextGenerator {
    model: CausalLm,
    tokenizer: Tokenizer,
    published: GenerationConfig,
}

/// A text that was written.
#[derive(Debug)]
pub struct Completion {
    /// Which of the prompts it goes on from.
    pub prompt: usize,
    /// The new text, without the prompt.
    pub text: String,
    /// Its tokens, scores and end.
    pub generated: Generated,
}

/// Is told the number of a completion and a piece of its text.
pub type OnText<'a> = &'a mut dyn FnMut(usize, &str) -> Flow;

/// What a generation can be given besides its settings.
#[derive(Default)]
pub struct GenerateOptions<'a> {
    /// Is told pieces of text as they come, whole characters only: the number of the completion and the
    /// piece. May stop.
    pub on_text: Option<OnText<'a>>,
    /// What the text must look like.
    pub constraint: Option<&'a mut dyn Constraint>,
    /// Log probabilities of the tokens, and of so many of the likeliest ones.
    pub log_probs: Option<usize>,
    /// Prompts that leave no room lose their beginning. Without it they are an error.
    pub truncate: bool,
}

impl TextGenerator {
    /// Opens a model folder or a shipped model; floating-point weights are converted to `kind` if one is
    /// named.
    ///
    /// # Errors
    /// If a file is missing or damaged, or the model is no language model.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let lm = CausalLm::open(model, device, kind)?; // first: a model of another kind has no tokenizer either
        Ok(Self {
            tokenizer: Tokenizer::open(model)?,
            published: published_config(model)?,
            model: lm,
        })
    }

    /// The model.
    pub fn model(&self) -> &CausalLm {
        &self.model
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The settings that the model was published with.
    pub fn published_config(&self) -> &GenerationConfig {
        &self.published
    }

    /// `config` with at most `most` new tokens, unless it has a limit or the model's own settings name a number
    /// of new tokens. (A published `max_length` is what a model can do, seldom what one wants.)
    pub fn limited(&self, config: GenerationConfig, most: usize) -> GenerationConfig {
        let limits = [
            config.max_new_tokens,
            config.max_length,
            self.published.max_new_tokens,
        ];
        let most = Some(most).filter(|_| limits.iter().all(Option::is_none));
        GenerationConfig {
            max_new_tokens: config.max_new_tokens.or(most),
            ..config
        }
    }

    /// Writes on from each of `prompts`. What `config` leaves out comes from the model's own settings.
    ///
    /// # Errors
    /// If a prompt has no tokens or leaves no room, or a setting makes no sense.
    pub fn generate<S: AsRef<str>>(
        &self,
        prompts: &[S],
        config: &GenerationConfig,
        options: GenerateOptions<'_>,
    ) -> Result<Vec<Completion>, Error> {
        let mut rows = Vec::new();
        for prompt in prompts {
            rows.push(self.start(self.tokenizer.ids(prompt.as_ref(), true)?));
        }
        self.continue_ids(rows, config, options)
    }

    /// Answers a chat: anything with the fields `role` and `content`, by the model's own template.
    ///
    /// # Errors
    /// If the model has no chat template, and as [`generate`](Self::generate).
    pub fn chat<M: Serialize>(
        &self,
        messages: &[M],
        config: &GenerationConfig,
        options: GenerateOptions<'_>,
    ) -> Result<Vec<Completion>, Error> {
        let ids = self.tokenizer.chat_ids(messages, &ChatOptions::prompt())?;
        self.continue_ids(vec![ids], config, options)
    }

    /// Writes on from token ids.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    pub fn continue_ids(
        &self,
        mut rows: Vec<Vec<i64>>,
        config: &GenerationConfig,
        options: GenerateOptions<'_>,
    ) -> Result<Vec<Completion>, Error> {
        let config = config.clone().merge(&self.published);
        if options.truncate {
            let limit = usize::try_from(self.model.max_positions()).unwrap_or(usize::MAX);
            let room = config
                .max_new_tokens
                .unwrap_or(1)
                .clamp(1, limit.saturating_sub(1).max(1));
            for row in &mut rows {
                let surplus = row.len().saturating_sub(limit - room);
                row.drain(..surplus.min(row.len().saturating_sub(1)));
            }
        }
        let vocabulary = self.model.vocabulary();
        if let Some(&id) = rows.iter().flatten().find(|id| !(0..vocabulary).contains(*id)) {
            return Err(Error::NoSuchToken { id, vocabulary });
        }
        let pad = self
            .tokenizer
            .pad_token()
            .map_or(0, |(_, id)| id.min(vocabulary - 1));
        let prompt = Prompt::padded(&rows, pad)?;
        let decode = |ids: &[i64]| self.text(ids);
        let stops: Vec<String> = config
            .stop_strings
            .as_ref()
            .map_or(Vec::new(), |stops| stops.as_slice().to_vec());
        let mut streams: Vec<TextStream<'_>> = Vec::new();
        let mut on_text = options.on_text;
        let mut sink = |row: usize, ids: &[i64]| -> Flow {
            let Some(on_text) = &mut on_text else {
                return Flow::Continue;
            };
            while streams.len() <= row {
                streams.push(TextStream::new(&decode, &stops));
            }
            let mut flow = Flow::Continue;
            for &id in ids {
                let piece = streams[row].push(id);
                if !piece.is_empty() {
                    flow = on_text(row, &piece);
                }
            }
            flow
        };
        let padding: Vec<i64> = prompt.padding().iter().map(|&n| n as i64).collect();
        let new = config.max_new_tokens.unwrap_or(20) as i64;
        let reserve = (prompt.len() as i64)
            .saturating_add(new)
            .min(self.model.max_positions());
        let mut session = self.model.session(&padding, reserve);
        // A new trait object, whose lifetime may be shorter.
        let constraint = options
            .constraint
            .map(|constraint| constraint as &mut dyn Constraint);
        let generated = generate(
            session.as_mut(),
            &prompt,
            &config,
            Options {
                sink: Some(&mut sink as &mut dyn TokenSink),
                detokenizer: Some(&decode),
                constraint,
                log_probs: options.log_probs,
                ..Options::default()
            },
        )?;
        if let Some(on_text) = &mut on_text {
            for (row, stream) in streams.iter_mut().enumerate() {
                let rest = stream.finish();
                if !rest.is_empty() {
                    on_text(row, &rest);
                }
            }
        }
        let completion = |generated: Generated| Completion {
            prompt: generated.row,
            text: generated
                .text
                .clone()
                .unwrap_or_else(|| self.text(&generated.ids)),
            generated,
        };
        Ok(generated.into_iter().map(completion).collect())
    }

    /// An empty prompt begins with the token that begins texts.
    fn start(&self, ids: Vec<i64>) -> Vec<i64> {
        if !ids.is_empty() {
            return ids;
        }
        let first = self.tokenizer.bos().or_else(|| self.tokenizer.eos());
        first.map(|(_, id)| id).into_iter().collect()
    }

    fn text(&self, ids: &[i64]) -> String {
        // Only a broken decoder fails, and then on every text.
        self.tokenizer
            .decode(ids, &Default::default())
            .unwrap_or_default()
    }
}

/// `generation_config.json`, or where there is none what older checkpoints say in `config.json`.
pub(crate) fn published_config(model: &Model) -> Result<GenerationConfig, Error> {
    const FILE: &str = "generation_config.json";
    if model.read(FILE)?.is_some() {
        return Ok(model.json_as(FILE)?);
    }
    Ok(model.json_as("config.json")?)
}
