//! Checks of single logits processors.

use anyhow::{Context, Result, bail};
use sensorium_generation::processors::{
    EpsilonCutoff, EtaCutoff, ForcedEos, LogitsProcessor, MinLength, MinP, NoBadWords, NoRepeatNGram,
    Normalize, RepetitionPenalty, Row, SequenceBias, Suppress, SuppressAtBegin, Temperature, TopK, TopP,
    Typical, softmax,
};
use serde_json::{Map, Value};
use tch::Tensor;

use crate::case::{Case, Check};
use crate::value::{ids, of_tensor};

/// Runs the processors of a check on its scores.
pub fn run(case: &Case, check: &Check) -> Result<Map<String, Value>> {
    let rows: Vec<Vec<i64>> = serde_json::from_value(check.input["input_ids"].clone())?;
    let scores = case.tensor(check.input.get("scores").context("no scores")?)?;
    let mut processors = processors(check)?;
    let mut all = Vec::new();
    let wants_probabilities = check.expect.contains_key("probabilities");
    for (i, row) in rows.iter().enumerate() {
        let mut scores: Vec<f32> = Vec::try_from(scores.get(i as i64))?;
        for processor in &mut processors {
            processor.process(&Row::new(row), &mut scores);
        }
        if wants_probabilities {
            softmax(&mut scores);
        }
        all.push(Tensor::from_slice(&scores));
    }
    let field = if wants_probabilities {
        "probabilities"
    } else {
        "scores"
    };
    let mut result = Map::new();
    result.insert(field.to_string(), of_tensor(&Tensor::stack(&all, 0)));
    Ok(result)
}

/// One processor by its class's name, or those of sampling together.
fn processors(check: &Check) -> Result<Vec<Box<dyn LogitsProcessor>>> {
    let number = |name: &str| -> Result<f64> {
        check
            .param(name)
            .and_then(Value::as_f64)
            .with_context(|| format!("no `{name}`"))
    };
    let count = |name: &str| number(name).map(|n| n as usize);
    let keep = count("min_tokens_to_keep").unwrap_or(1);
    let list = |name: &str| check.param(name).map(ids).unwrap_or_default();
    let words = || -> Result<Vec<Vec<i64>>> {
        let words = check.param("bad_words_ids").context("no `bad_words_ids`")?;
        Ok(serde_json::from_value(words.clone())?)
    };
    let Some(name) = check.param("name").and_then(Value::as_str) else {
        let mut chain: Vec<Box<dyn LogitsProcessor>> = Vec::new();
        if let Ok(temperature) = number("temperature") {
            chain.push(Box::new(Temperature::new(temperature as f32)));
        }
        if let Ok(k) = count("top_k") {
            chain.push(Box::new(TopK::new(k, keep)));
        }
        if let Ok(p) = number("top_p") {
            chain.push(Box::new(TopP::new(p as f32, keep)));
        }
        return Ok(chain);
    };
    Ok(vec![match name {
        "TemperatureLogitsWarper" => Box::new(Temperature::new(number("temperature")? as f32)),
        "TopKLogitsWarper" => Box::new(TopK::new(count("top_k")?, keep)),
        "TopPLogitsWarper" => Box::new(TopP::new(number("top_p")? as f32, keep)),
        "MinPLogitsWarper" => Box::new(MinP::new(number("min_p")? as f32, keep)),
        "TypicalLogitsWarper" => Box::new(Typical::new(number("mass")? as f32, keep)),
        "EpsilonLogitsWarper" => Box::new(EpsilonCutoff::new(number("epsilon")? as f32, keep)),
        "EtaLogitsWarper" => Box::new(EtaCutoff::new(number("epsilon")? as f32, keep)),
        "RepetitionPenaltyLogitsProcessor" => Box::new(RepetitionPenalty::new(number("penalty")? as f32)),
        "NoRepeatNGramLogitsProcessor" => Box::new(NoRepeatNGram::new(count("ngram_size")?)),
        "NoBadWordsLogitsProcessor" => Box::new(NoBadWords::new(&words()?, &list("eos_token_id"))),
        "MinLengthLogitsProcessor" => Box::new(MinLength::new(count("min_length")?, list("eos_token_id"))),
        "ForcedEOSTokenLogitsProcessor" => {
            Box::new(ForcedEos::new(count("max_length")?, list("eos_token_id")))
        }
        "SuppressTokensLogitsProcessor" => Box::new(Suppress::new(list("suppress_tokens"))),
        "SuppressTokensAtBeginLogitsProcessor" => Box::new(SuppressAtBegin::new(
            list("begin_suppress_tokens"),
            count("begin_index")?,
        )),
        "SequenceBiasLogitsProcessor" => {
            let bias = check.param("sequence_bias").context("no `sequence_bias`")?;
            Box::new(SequenceBias::new(serde_json::from_value(bias.clone())?))
        }
        "LogitNormalization" => Box::new(Normalize),
        other => bail!("the processor `{other}` is not known here"),
    }])
}
