//! Translation: whole documents from one language to another.

mod direction;
mod languages;

use sensorium_generation::GenerationConfig;
use sensorium_hub::Model;
use tch::{Device, Kind};

use crate::document::{Document, Format, Part, pieces_within, sentences};
use crate::{Error, TextToText, WriteOptions};
use direction::{Direction, Scheme};
pub use languages::same as same_language;

/// Translates texts of any length, sentence by sentence.
///
/// ```no_run
/// use sensorium_text::{Languages, Translator};
/// # let model = sensorium_hub::Model::in_folder("opus-mt-en-de", "opus-mt-en-de");
/// let translator = Translator::open(&model, tch::Device::Cpu, None)?;
/// let languages = Languages { from: Some("en"), to: Some("de") };
/// let german = translator.translate(&["A dog runs. It is fast."], languages, &Default::default())?;
/// println!("{}", german[0]);
/// # Ok::<(), sensorium_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Translator {
    pipeline: TextToText,
    scheme: Scheme,
}

/// From which language to which, by their codes (`de`, `deu`, `de_DE`, …) or English names. What a model
/// cannot mistake may be left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Languages<'a> {
    /// The language of the texts.
    pub from: Option<&'a str>,
    /// The language that is wanted.
    pub to: Option<&'a str>,
}

/// How documents are translated.
#[derive(Default)]
pub struct TranslateOptions<'a> {
    /// What stays as it is.
    pub format: Option<Format>,
    /// Lines are segments by themselves and are not cut into sentences, but where they are too long.
    pub whole_lines: bool,
    /// Is told each time how many of all sentences are done.
    pub on_progress: Option<&'a mut dyn FnMut(usize, usize)>,
}

impl Translator {
    /// Opens a model folder or a shipped model; floating-point weights are converted to `kind` if one is
    /// named.
    ///
    /// # Errors
    /// If a file is missing or damaged, or the model has no encoder and decoder.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let pipeline = TextToText::open(model, device, kind)?;
        let scheme = Scheme::of(&pipeline, &model.config()?);
        Ok(Self { pipeline, scheme })
    }

    /// The model with its tokenizer.
    pub fn pipeline(&self) -> &TextToText {
        &self.pipeline
    }

    /// Checks that the model translates these languages.
    ///
    /// # Errors
    /// If it does not, with those that it knows.
    pub fn check(&self, languages: Languages<'_>) -> Result<(), Error> {
        self.scheme.direction(languages.from, languages.to).map(drop)
    }

    /// Translates each of `texts`, with its line breaks and blanks kept.
    ///
    /// # Errors
    /// If the model does not translate these languages, or a setting makes no sense.
    pub fn translate<S: AsRef<str>>(
        &self,
        texts: &[S],
        languages: Languages<'_>,
        config: &GenerationConfig,
    ) -> Result<Vec<String>, Error> {
        self.translate_with(texts, languages, config, TranslateOptions::default())
    }

    /// The same for Markdown or subtitles, or with news of the progress.
    ///
    /// # Errors
    /// As [`translate`](Self::translate).
    pub fn translate_with<S: AsRef<str>>(
        &self,
        texts: &[S],
        languages: Languages<'_>,
        config: &GenerationConfig,
        options: TranslateOptions<'_>,
    ) -> Result<Vec<String>, Error> {
        let direction = self.scheme.direction(languages.from, languages.to)?;
        let format = options.format.unwrap_or(Format::Plain);
        let documents: Vec<Document> = texts
            .iter()
            .map(|text| Document::new(text.as_ref(), format))
            .collect();
        let fits = |text: &str| {
            self.source(text, &direction)
                .is_ok_and(|ids| self.fits(ids.len()))
        };
        let (mut sources, mut plan) = (Vec::new(), Vec::new());
        for words in documents.iter().flat_map(Document::words) {
            let mut parts = Vec::new();
            let whole = Part {
                text: words,
                blank: "",
            };
            let apart = match options.whole_lines {
                true => vec![whole],
                false => sentences(words),
            };
            for sentence in apart {
                let mut pieces = pieces_within(sentence.text, &fits);
                if let Some(last) = pieces.last_mut() {
                    last.blank = sentence.blank;
                }
                for piece in pieces {
                    parts.push((sources.len(), piece.blank));
                    sources.push(self.source(piece.text, &direction)?);
                }
            }
            plan.push(parts);
        }
        let written = self.write(sources, &direction, config, options.on_progress)?;
        let mut words = plan.iter().map(|parts| {
            let joined: String = parts
                .iter()
                .flat_map(|&(i, blank)| [written[i].as_str(), blank])
                .collect();
            joined.trim_end().to_string()
        });
        let finished = documents.iter().map(|document| {
            let new: Vec<String> = words.by_ref().take(document.words().count()).collect();
            document.with_words(&new)
        });
        Ok(finished.collect())
    }

    fn write(
        &self,
        sources: Vec<Vec<i64>>,
        direction: &Direction,
        config: &GenerationConfig,
        mut on_progress: Option<&mut dyn FnMut(usize, usize)>,
    ) -> Result<Vec<String>, Error> {
        let mut config = config.clone();
        config.forced_bos_token_id = direction.target.or(config.forced_bos_token_id);
        let published = self.pipeline.published_config();
        let lengths = [
            config.max_new_tokens,
            config.max_length,
            published.max_new_tokens,
            published.max_length,
        ];
        if lengths.iter().all(Option::is_none) {
            let longest = sources.iter().map(Vec::len).max().unwrap_or(0);
            config.max_new_tokens = Some(2 * longest + 32);
        }
        let (total, mut done) = (sources.len(), 0);
        let mut texts = vec![String::new(); total];
        let mut progress = |more: usize| {
            done += more;
            if let Some(on_progress) = &mut on_progress {
                on_progress(done, total);
            }
        };
        let options = WriteOptions {
            on_progress: Some(&mut progress),
            ..WriteOptions::default()
        };
        let languages = self.scheme.language_ids();
        for written in self.pipeline.write_ids(sources, &config, options)? {
            // The best where a model's settings ask for several.
            if texts[written.input].is_empty() {
                let words = written.generated.ids.iter().filter(|id| !languages.contains(id));
                texts[written.input] = self
                    .pipeline
                    .decode(&words.copied().collect::<Vec<_>>())
                    .trim()
                    .to_string();
            }
        }
        Ok(texts)
    }

    /// The tokens of a source, with what tells the model the languages.
    fn source(&self, text: &str, direction: &Direction) -> Result<Vec<i64>, Error> {
        let mut ids = self
            .pipeline
            .tokenizer()
            .ids(&format!("{}{text}", direction.prefix), true)?;
        if let Some(source) = direction.source {
            let languages = self.scheme.language_ids();
            // Where the tokenizer puts one: first, or last but for the end.
            match ids.iter().position(|id| languages.contains(id)) {
                Some(at) => ids[at] = source,
                None => ids.insert(0, source),
            }
        }
        Ok(ids)
    }

    /// Whether a model can be given so many tokens at once, with room for a longer translation.
    fn fits(&self, tokens: usize) -> bool {
        const LONGEST: usize = 256;
        let limit = self.pipeline.limit().unwrap_or(LONGEST);
        tokens <= limit.min(LONGEST) * 2 / 3
    }
}
