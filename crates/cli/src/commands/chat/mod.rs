//! `sensorium chat`: a conversation with a language model.

mod command;
mod conversation;
mod interrupt;
mod lines;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use sensorium::generation::{Flow, GenerationConfig};
use sensorium::text::tokenizer::{ChatError, ChatMessage, ChatOptions};
use sensorium::text::{GenerateOptions, TextGenerator};
use serde_json::json;

use self::command::Command;
use self::conversation::Conversation;
use self::interrupt::Interrupt;
use self::lines::{Line, Lines};
use crate::context::Context;
use crate::print;
use crate::sampling::SamplingArgs;

/// Flags of `sensorium chat`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model folder, a shipped model's name or a hub id
    #[arg(short, long, value_name = "MODEL")]
    model: String,
    /// How the model is to behave
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The chat template, for a model that has several
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// Runs the command.
///
/// On a terminal a failed turn is told and the conversation goes on; lines from elsewhere are all answered
/// too, but the exit status is 1 then.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let config = args.sampling.config(context.global.seed)?;
    let device = context.device()?;
    let model = context.hub()?.resolve(&args.model)?;
    let generator = TextGenerator::open(&model, device, context.global.dtype.map(|dtype| dtype.kind()))?;
    let config = generator.limited(config, 512);
    let mut chat = Chat {
        context,
        name: model.name().to_owned(),
        generator,
        config,
        template: args.template.clone(),
        conversation: Conversation::new(args.system.clone()),
        unseen: 0,
        answers: 0,
        interrupt: Interrupt::default(),
    };
    chat.check_template()?;
    let mut lines = Lines::open()?;
    let interactive = lines.is_terminal();
    if interactive {
        chat.interrupt.listen()?;
        if !context.global.quiet {
            eprintln!("{}: /help lists commands, Ctrl-D leaves", chat.name);
        }
    }
    let mut failed = false;
    loop {
        let line = match lines.next()? {
            Line::Text(line) => line,
            Line::Interrupted if !context.global.quiet => {
                eprintln!("Ctrl-C again, Ctrl-D or /exit leaves");
                continue;
            }
            Line::Interrupted => continue,
            Line::End => break,
        };
        match chat.take(line.trim()) {
            Ok(Next::Read) => {}
            Ok(Next::Leave) => break,
            Err(Trouble::Output(error)) => return Err(error),
            Err(Trouble::Turn(error)) => {
                eprintln!("error: {}", print::one_line(&error));
                failed = !interactive;
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Why a line came to nothing.
enum Trouble {
    /// It is at fault; the next one may do better.
    Turn(anyhow::Error),
    /// There is nothing left to answer on.
    Output(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Turn(error.into())
    }
}

/// What comes after a line.
enum Next {
    Read,
    Leave,
}

/// A model in conversation.
struct Chat<'a> {
    context: &'a Context,
    name: String,
    generator: TextGenerator,
    config: GenerationConfig,
    template: Option<String>,
    conversation: Conversation,
    /// How many of the first messages the model no longer sees.
    unseen: usize,
    /// Answers so far: each is drawn with a seed of its own.
    answers: u64,
    interrupt: Interrupt,
}

impl Chat<'_> {
    /// Writes a first message down, so that a model without a template, or with a faulty one, is refused
    /// before anybody types.
    fn check_template(&self) -> Result<()> {
        let mut first = self.conversation.clone();
        first.push(ChatMessage::user("Hello"));
        match self.ids(&first.seen(0)) {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.downcast_ref(), Some(ChatError::NoTemplate)) => Err(anyhow!(
                "the model {} has no chat template: it was not trained on chats; `sensorium generate` writes on \
                 from a text",
                self.name
            )),
            Err(error) => Err(error.context(format!("cannot chat with {}", self.name))),
        }
    }

    /// A command or a message.
    fn take(&mut self, line: &str) -> Result<Next, Trouble> {
        if line.is_empty() {
            return Ok(Next::Read);
        }
        match Command::parse(line)? {
            None => {
                let before = self.conversation.clone();
                self.conversation.push(ChatMessage::user(line));
                self.answer(before)?;
            }
            Some(Command::Retry) => {
                let before = self.conversation.clone();
                if !self.conversation.take_back_answer() {
                    return Err(anyhow!("there is no message to answer again").into());
                }
                if !self.draws() {
                    self.context.note("without --sample the answer is the same again");
                }
                self.answer(before)?;
            }
            Some(Command::Help) => eprint!("{}", command::help()),
            Some(Command::Clear) => {
                self.conversation.clear();
                self.unseen = 0;
                self.context.note("a new conversation");
            }
            Some(Command::System(text)) => {
                self.context.note(match text {
                    Some(_) => "the model is told so from now on",
                    None => "no system message any more",
                });
                self.conversation.system = text;
            }
            Some(Command::Save(path)) => {
                self.conversation.save(&path, &self.name)?;
                let (count, path) = (self.conversation.len(), path.display());
                self.context.note(&format!("{count} messages saved in {path}"));
            }
            Some(Command::Load(path)) => {
                self.conversation = Conversation::load(&path)?;
                self.unseen = 0;
                let (count, path) = (self.conversation.len(), path.display());
                self.context.note(&format!("{count} messages loaded from {path}"));
                if self.conversation.waits() {
                    self.context
                        .note("the last one has no answer yet: /retry gives one");
                }
            }
            Some(Command::Exit) => return Ok(Next::Leave),
        }
        Ok(Next::Read)
    }

    /// Answers the last message. If that comes to nothing, all is as it was `before`.
    fn answer(&mut self, before: Conversation) -> Result<(), Trouble> {
        let result = self.write_answer();
        match &result {
            Ok(Some(answer)) => self.conversation.push(ChatMessage::assistant(answer)),
            Ok(None) | Err(_) => self.conversation = before,
        }
        result.map(|_| ())
    }

    /// Whether answers are drawn at random.
    fn draws(&self) -> bool {
        let published = self.generator.published_config().do_sample;
        self.config.do_sample.or(published).unwrap_or(false)
    }

    /// The model's answer, shown while it comes; `None` if it was stopped before its first word.
    fn write_answer(&mut self) -> Result<Option<String>, Trouble> {
        let ids = self.fit()?;
        let mut config = self.config.clone();
        config.seed = config.seed.map(|seed| seed.wrapping_add(self.answers));
        self.answers += 1;
        let json = self.context.global.json;
        let (mut shown, mut lost) = (String::new(), None);
        let interrupt = &self.interrupt;
        let mut show = |_: usize, piece: &str| {
            shown += piece;
            if !json && let Err(error) = print::text(piece) {
                lost = Some(error);
                return Flow::Stop;
            }
            if interrupt.is_asked() {
                Flow::Stop
            } else {
                Flow::Continue
            }
        };
        let options = GenerateOptions {
            on_text: Some(&mut show),
            ..GenerateOptions::default()
        };
        let start = Instant::now();
        let answering = interrupt.answering();
        let completions = self.generator.continue_ids(vec![ids], &config, options);
        let stopped = interrupt.is_asked();
        drop(answering);
        if let Some(error) = lost {
            return Err(Trouble::Output(error));
        }
        let completion = completions?.into_iter().next();
        let completion = completion.ok_or_else(|| anyhow!("the model gave no answer"))?;
        let rest = completion.text.strip_prefix(&shown).unwrap_or_default();
        let text = if json {
            print::json_line(&json!({ "generated_text": completion.text }))?
        } else {
            format!("{rest}\n")
        };
        print::text(&text).map_err(Trouble::Output)?;
        let tokens = completion.generated.ids.len();
        let speed = tokens as f64 / start.elapsed().as_secs_f64();
        self.context
            .detail(&format!("{tokens} tokens, {speed:.1} tokens/s"));
        Ok((!stopped || !completion.text.is_empty()).then_some(completion.text))
    }

    /// The ids of what the model is shown: the conversation, less its oldest turns where it has grown too
    /// long for the model.
    fn fit(&mut self) -> Result<Vec<i64>> {
        let limit = usize::try_from(self.generator.model().max_positions()).unwrap_or(usize::MAX);
        let room = self
            .config
            .max_new_tokens
            .unwrap_or(1)
            .clamp(1, (limit / 4).max(1));
        let before = self.unseen;
        let ids = loop {
            let ids = self.ids(&self.conversation.seen(self.unseen))?;
            match self.conversation.turn_after(self.unseen) {
                Some(next) if ids.len() > limit.saturating_sub(room) => self.unseen = next,
                _ => break ids,
            }
        };
        if ids.len() >= limit {
            bail!(
                "the message is too long: with the chat template it has {} tokens, and the model takes {limit}, \
                 its answer included",
                ids.len()
            );
        }
        if self.unseen > before {
            self.context.note(&format!(
                "the conversation has outgrown the model's {limit} tokens: it no longer sees the first {} messages",
                self.unseen
            ));
        }
        Ok(ids)
    }

    fn ids(&self, messages: &[ChatMessage]) -> Result<Vec<i64>> {
        let options = ChatOptions {
            template: self.template.clone(),
            ..ChatOptions::prompt()
        };
        Ok(self.generator.tokenizer().chat_ids(messages, &options)?)
    }
}
