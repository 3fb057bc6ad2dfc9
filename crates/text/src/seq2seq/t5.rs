//! T5 (arXiv 1910.10683), its version 1.1 (arXiv 2002.05202) and FLAN-T5 (arXiv 2210.11416).

use sensorium_blocks::{
    Activation, Attention, Block, CrossAttention, CrossBlock, Embedding, Heads, Init, Linear, Mlp, Norm,
    Params, Projections, RelativeBias, RmsNorm, Wiring::PreNorm,
};
use serde::Deserialize;
use serde_json::Value;

use super::Stack;
use sensorium_blocks::BuildError;
use sensorium_blocks::seq2seq::{Decoder, Encoder, Ends};
use sensorium_blocks::size;

/// Spelled as in the published `config.json`.
#[derive(Deserialize)]
struct Config {
    vocab_size: i64,
    d_model: i64,
    d_kv: i64,
    d_ff: i64,
    num_layers: i64,
    num_decoder_layers: Option<i64>,
    num_heads: i64,
    #[serde(default = "buckets")]
    relative_attention_num_buckets: i64,
    #[serde(default = "distance")]
    relative_attention_max_distance: i64,
    #[serde(default = "epsilon")]
    layer_norm_epsilon: f64,
    #[serde(default = "relu")]
    feed_forward_proj: String,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(default)]
    dropout_rate: f64,
}

fn buckets() -> i64 {
    32
}

fn distance() -> i64 {
    128
}

fn epsilon() -> f64 {
    1e-6
}

fn relu() -> String {
    "relu".to_string()
}

fn yes() -> bool {
    true
}

const INIT: Init = Init::Xavier;

pub(super) fn build(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let hidden = size("d_model", config.d_model, 1 << 17)?;
    let entries = size("vocab_size", config.vocab_size, 1 << 24)?;
    let builder = Builder {
        config: &config,
        hidden,
        heads: Heads::equal(
            size("num_heads", config.num_heads, 1 << 12)?,
            size("d_kv", config.d_kv, 1 << 12)?,
        ),
        inner: size("d_ff", config.d_ff, 1 << 20)?,
    };
    // A checkpoint has the shared table under any of the names of those who share it.
    let places = ["shared", "encoder.embed_tokens", "decoder.embed_tokens"].map(|name| params / name);
    let place = places.iter().find(|place| place.has("weight") == Some(true));
    let table = Embedding::new(place.unwrap_or(&places[0]), entries, hidden)?;
    let head = if config.tie_word_embeddings {
        table.as_head()
    } else {
        Linear::without_bias(&(params / "lm_head"), hidden, entries, INIT)?
    };

    let at = params / "encoder";
    let count = size("num_layers", config.num_layers, 1 << 10)?;
    let encoder = Encoder {
        ends: builder.ends(&at, table.share(), true)?,
        layers: (0..count)
            .map(|i| builder.encoder_layer(&(&at / &format!("block.{i}"))))
            .collect::<Result<_, _>>()?,
    };
    let at = params / "decoder";
    let count = config.num_decoder_layers.unwrap_or(count);
    let count = size("num_decoder_layers", count, 1 << 10)?;
    let decoder = Decoder {
        ends: builder.ends(&at, table, false)?,
        layers: (0..count)
            .map(|i| builder.decoder_layer(&(&at / &format!("block.{i}"))))
            .collect::<Result<_, _>>()?,
        // Only where the table serves both ends.
        output_scale: config
            .tie_word_embeddings
            .then_some((hidden as f64).sqrt().recip()),
        head: head.into(),
        max_positions: None,
    };
    Ok(Stack { encoder, decoder })
}

struct Builder<'a> {
    config: &'a Config,
    hidden: i64,
    heads: Heads,
    inner: i64,
}

impl Builder<'_> {
    fn ends(&self, at: &Params, table: Embedding, both_ways: bool) -> Result<Ends, BuildError> {
        let config = self.config;
        // Stored with the first layer, used in all.
        let relative = RelativeBias::new(
            &(at / "block.0.layer.0.SelfAttention.relative_attention_bias"),
            self.heads.queries,
            size(
                "relative_attention_num_buckets",
                config.relative_attention_num_buckets,
                1 << 16,
            )?,
            size(
                "relative_attention_max_distance",
                config.relative_attention_max_distance,
                1 << 24,
            )?,
            both_ways,
        )?;
        Ok(Ends {
            relative: Some(relative),
            norm: Some(self.norm(&(at / "final_layer_norm"))?),
            dropout: config.dropout_rate,
            last_dropout: true,
            ..Ends::new(table)
        })
    }

    fn encoder_layer(&self, at: &Params) -> Result<Block, BuildError> {
        let block = Block::new(PreNorm, self.self_attention(at)?, self.mlp(at, "layer.1")?);
        Ok(block.with_dropout(self.config.dropout_rate))
    }

    fn decoder_layer(&self, at: &Params) -> Result<CrossBlock, BuildError> {
        let [q, k, v, output] = self.projections(&(at / "layer.1.EncDecAttention"))?;
        let cross = CrossAttention::new(self.heads, [q, k, v], output)
            .with_scale(1.0)
            .with_dropout(self.config.dropout_rate);
        let cross = (cross, self.norm(&(at / "layer.1.layer_norm"))?);
        let block = CrossBlock::new(PreNorm, self.self_attention(at)?, cross, self.mlp(at, "layer.2")?);
        Ok(block.with_dropout(self.config.dropout_rate))
    }

    /// Scores are not scaled: the initialisation was.
    fn self_attention(&self, at: &Params) -> Result<(Attention, Norm), BuildError> {
        let [q, k, v, output] = self.projections(&(at / "layer.0.SelfAttention"))?;
        let attention = Attention::new(self.heads, Projections::Separate { q, k, v }, output)
            .with_scale(1.0)
            .with_dropout(self.config.dropout_rate);
        Ok((attention, self.norm(&(at / "layer.0.layer_norm"))?))
    }

    fn projections(&self, at: &Params) -> Result<[Linear; 4], BuildError> {
        let inner = self.heads.query_size();
        let linear = |name: &str, from, to| Linear::without_bias(&(at / name), from, to, INIT);
        Ok([
            linear("q", self.hidden, inner)?,
            linear("k", self.hidden, inner)?,
            linear("v", self.hidden, inner)?,
            linear("o", inner, self.hidden)?,
        ])
    }

    fn mlp(&self, at: &Params, name: &str) -> Result<(Mlp, Norm), BuildError> {
        let at = at / name;
        let dense = &at / "DenseReluDense";
        let linear = |name: &str, from, to| Linear::without_bias(&(&dense / name), from, to, INIT);
        let (hidden, inner) = (self.hidden, self.inner);
        let output = linear("wo", inner, hidden)?;
        let mlp = match self.config.feed_forward_proj.strip_prefix("gated-") {
            Some(name) => {
                // The published configurations say "gelu" and mean its approximation.
                let name = if name == "gelu" { "gelu_new" } else { name };
                let gate = linear("wi_0", hidden, inner)?;
                Mlp::gated(
                    gate,
                    linear("wi_1", hidden, inner)?,
                    name.parse::<Activation>()?,
                    output,
                )
            }
            None => Mlp::plain(
                linear("wi", hidden, inner)?,
                self.config.feed_forward_proj.parse::<Activation>()?,
                output,
            ),
        };
        Ok((mlp, self.norm(&(&at / "layer_norm"))?))
    }

    fn norm(&self, at: &Params) -> Result<Norm, BuildError> {
        Ok(RmsNorm::new(at, self.hidden, self.config.layer_norm_epsilon)?.into())
    }
}
