//! Text to text: an encoder–decoder model, its tokenizer and its settings.

use sensorium_generation::{Generated, GenerationConfig, Options, Prompt, generate};
use sensorium_hub::Model;
use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::generator::published_config;
use crate::seq2seq::Seq2SeqLm;
use crate::tokenizer::{DecodeOptions, Tokenizer};

/// Writes a text for each text it reads, as its checkpoint was trained to.
///
/// ```no_run
/// use sensorium_text::{TextToText, WriteOptions};
/// # let model = sensorium_hub::Model::in_folder("opus-mt-en-de", "opus-mt-en-de");
/// let pipeline = TextToText::open(&model, tch::Device::Cpu, None)?;
/// for written in pipeline.write(&["A dog runs."], &Default::default(), WriteOptions::default())? {
///     println!("{}", written.text);
/// }
/// # Ok::<(), sensorium_text::Error>(())
/// ```
#[derive(Debug)]
pub struct TextToText {
    model: Seq2SeqLm,
    tokenizer: Tokenizer,
    published: GenerationConfig,
    start: i64,
    pad: i64,
}

/// A text that was written.
#[derive(Debug)]
pub struct Written {
    /// Which of the inputs it was written for.
    pub input: usize,
    /// The text.
    pub text: String,
    /// Its tokens, score and end.
    pub generated: Generated,
}

/// What writing can be given besides its settings.
pub struct WriteOptions<'a> {
    /// Inputs that are longer than the model takes lose their end. Without it they are an error.
    pub truncate: bool,
    /// The most source tokens, padding included, that are read at once.
    pub batch_tokens: usize,
    /// Is told each time how many more inputs are done.
    pub on_progress: Option<&'a mut dyn FnMut(usize)>,
}

impl Default for WriteOptions<'_> {
    fn default() -> Self {
        Self {
            truncate: false,
            batch_tokens: 4096,
            on_progress: None,
        }
    }
}

impl TextToText {
    /// Opens a model folder or a shipped model; floating-point weights are converted to `kind` if one is
    /// named.
    ///
    /// # Errors
    /// If a file is missing or damaged, or the model has no encoder and decoder.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let lm = Seq2SeqLm::open(model, device, kind)?; // first: a model of another kind has no tokenizer either
        let mut published = published_config(model)?;
        let older: GenerationConfig = model.json_as("config.json")?;
        published.decoder_start_token_id = published.decoder_start_token_id.or(older.decoder_start_token_id);
        let tokenizer = Tokenizer::open(model)?;
        let pad = published.pad_token_id.or(older.pad_token_id);
        let pad = pad
            .or_else(|| tokenizer.pad_token().map(|(_, id)| id))
            .unwrap_or(0);
        let start = published.decoder_start_token_id.or(published.bos_token_id);
        Ok(Self {
            model: lm,
            tokenizer,
            start: start.unwrap_or(pad),
            published,
            pad,
        })
    }

    /// The model.
    pub fn model(&self) -> &Seq2SeqLm {
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

    /// Writes a text for each of `texts`. What `config` leaves out comes from the model's own settings.
    ///
    /// # Errors
    /// If a text is longer than the model takes, or a setting makes no sense.
    pub fn write<S: AsRef<str>>(
        &self,
        texts: &[S],
        config: &GenerationConfig,
        options: WriteOptions<'_>,
    ) -> Result<Vec<Written>, Error> {
        let mut sources = Vec::with_capacity(texts.len());
        for text in texts {
            sources.push(self.tokenizer.ids(text.as_ref(), true)?);
        }
        self.write_ids(sources, config, options)
    }

    /// Writes for token ids, special tokens included.
    ///
    /// Sources of like length are read together; the results are in the order of the sources.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_ids(
        &self,
        mut sources: Vec<Vec<i64>>,
        config: &GenerationConfig,
        mut options: WriteOptions<'_>,
    ) -> Result<Vec<Written>, Error> {
        let config = config.clone().merge(&self.published);
        for source in &mut sources {
            self.check(source, options.truncate)?;
        }
        let mut results: Vec<Vec<Written>> = Vec::new();
        results.resize_with(sources.len(), Vec::new);
        let beams = config
            .num_beams
            .unwrap_or(1)
            .max(config.num_return_sequences.unwrap_or(1));
        let budget = options.batch_tokens / beams.clamp(1, 8);
        for batch in batches(&sources, budget) {
            let rows: Vec<&[i64]> = batch.iter().map(|&i| sources[i].as_slice()).collect();
            for generated in self.write_batch(&rows, &config, Options::default())? {
                let input = batch[generated.row];
                results[input].push(Written {
                    input,
                    text: self.decode(&generated.ids),
                    generated,
                });
            }
            if let Some(on_progress) = &mut options.on_progress {
                on_progress(batch.len());
            }
        }
        Ok(results.into_iter().flatten().collect())
    }

    /// One pass over `sources`, all at once; `config` is used as it is.
    ///
    /// # Errors
    /// If a setting makes no sense.
    pub fn write_batch(
        &self,
        sources: &[&[i64]],
        config: &GenerationConfig,
        options: Options<'_>,
    ) -> Result<Vec<Generated>, Error> {
        let longest = sources.iter().map(|row| row.len()).max().unwrap_or(0);
        let device = self.model.device();
        let pad = |row: &&[i64], real: i64, padding: i64, keep: bool| -> Vec<i64> {
            let mut all: Vec<i64> = if keep { row.to_vec() } else { vec![real; row.len()] };
            all.resize(longest, padding);
            all
        };
        let padded: Vec<Vec<i64>> = sources.iter().map(|row| pad(row, 0, self.pad, true)).collect();
        let ids = rows_tensor(&padded).to_device(device);
        let even = sources.iter().all(|row| row.len() == longest);
        let mask = (!even).then(|| {
            let rows: Vec<Vec<i64>> = sources.iter().map(|row| pad(row, 1, 0, false)).collect();
            rows_tensor(&rows).to_device(device)
        });
        let encoded = tch::no_grad(|| self.model.encode(&ids, mask.as_ref()));
        let prompt = Prompt::new(vec![vec![self.start]; sources.len()])?.with_encoder_ids(padded)?;
        let most = config.max_new_tokens.or(config.max_length).unwrap_or(64);
        let mut session = self.model.session(&encoded, most.min(64) as i64);
        Ok(generate(session.as_mut(), &prompt, config, options)?)
    }

    /// Cuts or refuses what is too long, and refuses tokens that the model does not have.
    fn check(&self, source: &mut Vec<i64>, truncate: bool) -> Result<(), Error> {
        let vocabulary = self.model.source_vocabulary();
        if let Some(&id) = source.iter().find(|id| !(0..vocabulary).contains(*id)) {
            return Err(Error::NoSuchToken { id, vocabulary });
        }
        if truncate {
            let limit = self.limit().unwrap_or(usize::MAX);
            if source.len() > limit {
                // The last token ends the source: it stays.
                let last = source.pop();
                source.truncate(limit.saturating_sub(1));
                source.extend(last);
            }
            return Ok(());
        }
        match self.positions() {
            Some(limit) if source.len() > limit => Err(Error::TooLong {
                tokens: source.len(),
                limit,
            }),
            _ => Ok(()),
        }
    }

    /// The most tokens that can be told apart by their place, if there is a limit.
    fn positions(&self) -> Option<usize> {
        self.model.max_positions().and_then(|n| usize::try_from(n).ok())
    }

    /// The most tokens of a source that the model was made for; some take more, and do it badly.
    pub fn limit(&self) -> Option<usize> {
        let positions = self.positions();
        let trained = self.tokenizer.settings().model_max_length;
        positions.into_iter().chain(trained).min()
    }

    /// The text of tokens, without special ones.
    pub fn decode(&self, ids: &[i64]) -> String {
        let options = DecodeOptions {
            clean_up: Some(false),
            ..DecodeOptions::default()
        };
        // Only a broken decoder fails, and then on every text.
        self.tokenizer.decode(ids, &options).unwrap_or_default()
    }
}

/// Groups of sources of like length, the longest first, of no more than `budget` tokens with their padding.
fn batches(sources: &[Vec<i64>], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(sources[i].len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * sources[batch[0]].len() <= budget => batch.push(i),
            _ => batches.push(vec![i]),
        }
    }
    batches
}

/// `[rows, tokens]`
fn rows_tensor(rows: &[Vec<i64>]) -> Tensor {
    let flat: Vec<i64> = rows.iter().flatten().copied().collect();
    Tensor::from_slice(&flat).view([rows.len() as i64, -1])
}

#[cfg(test)]
mod tests {
    use super::batches;

    #[test]
    fn batches_keep_to_the_budget_and_lose_nothing() {
        let sources: Vec<Vec<i64>> = [3, 9, 1, 30, 9, 2, 3].map(|n| vec![0; n]).to_vec();
        let batches = batches(&sources, 18);
        assert_eq!(batches, [vec![3], vec![1, 4], vec![0, 6, 5, 2]]);
    }
}
