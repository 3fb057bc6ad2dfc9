//! The flags by which Whisper's windows are judged, with the names and defaults of OpenAI's program.

use sensorium::speech::whisper::Checks;

/// What is done with windows that are guessed, go round in circles, or are silent.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Whisper's checks")]
pub struct CheckArgs {
    /// What words are drawn with, one after the other until a window passes; 0 takes the likeliest
    /// [default: 0,0.2,0.4,0.6,0.8,1]
    #[arg(long, value_name = "T,T", value_delimiter = ',', value_parser = not_negative)]
    temperatures: Option<Vec<f64>>,

    /// How often words are drawn at each temperature above 0 [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    best_of: Option<u16>,

    /// A window whose text packs better than this goes round in circles [default: 2.4]
    #[arg(long, value_name = "RATIO", value_parser = number)]
    compression_ratio_threshold: Option<f64>,

    /// A window whose mean log probability is below this is guessed [default: -1]
    #[arg(long, value_name = "LOGPROB", value_parser = number, allow_hyphen_values = true)]
    logprob_threshold: Option<f64>,

    /// A guessed window with a higher probability of silence is left out [default: 0.6]
    #[arg(long, value_name = "P", value_parser = probability)]
    no_speech_threshold: Option<f64>,

    /// Do not tell the model what was said in the window before
    #[arg(long)]
    no_condition_on_previous_text: bool,

    /// Leave out odd words with so many seconds of silence around them
    #[arg(long, value_name = "SECONDS", value_parser = not_negative)]
    hallucination_silence_threshold: Option<f64>,
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|x: &f64| x.is_finite());
    number.ok_or_else(|| "expected a number".to_string())
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = number(text)?;
    (number >= 0.0)
        .then_some(number)
        .ok_or_else(|| "expected 0 or more".to_string())
}

fn probability(text: &str) -> Result<f64, String> {
    let number = number(text)?;
    (0.0..=1.0)
        .contains(&number)
        .then_some(number)
        .ok_or_else(|| "expected a probability from 0 to 1".to_string())
}

impl CheckArgs {
    /// The checks that are asked for.
    pub fn checks(&self) -> Checks {
        let usual = Checks::default();
        Checks {
            temperatures: self.temperatures.clone().unwrap_or(usual.temperatures),
            best_of: self.best_of.map_or(usual.best_of, usize::from),
            compression_ratio: self
                .compression_ratio_threshold
                .unwrap_or(usual.compression_ratio),
            log_prob: self.logprob_threshold.unwrap_or(usual.log_prob),
            no_speech: self.no_speech_threshold.unwrap_or(usual.no_speech),
            condition_on_previous: !self.no_condition_on_previous_text,
            hallucination_silence: self.hallucination_silence_threshold,
        }
    }
}
