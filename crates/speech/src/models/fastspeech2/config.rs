//! The configuration, spelled as in the published `config.json`.

use sensorium_blocks::{ConfigProblem, divide, size};
use serde::Deserialize;
use serde_json::Value;

/// `config.json`, with the reference's defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    pub hidden_size: i64,
    pub vocab_size: i64,
    pub num_mel_bins: i64,
    encoder_num_attention_heads: i64,
    encoder_layers: i64,
    encoder_linear_units: i64,
    decoder_layers: i64,
    decoder_num_attention_heads: i64,
    decoder_linear_units: i64,
    pub speech_decoder_postnet_layers: i64,
    pub speech_decoder_postnet_units: i64,
    pub speech_decoder_postnet_kernel: i64,
    pub positionwise_conv_kernel_size: i64,
    encoder_normalize_before: bool,
    decoder_normalize_before: bool,
    encoder_concat_after: bool,
    decoder_concat_after: bool,
    pub reduction_factor: i64,
    pub speaking_speed: f64,
    pub use_macaron_style_in_conformer: bool,
    pub use_cnn_in_conformer: bool,
    encoder_kernel_size: i64,
    decoder_kernel_size: i64,
    duration_predictor_layers: i64,
    duration_predictor_channels: i64,
    duration_predictor_kernel_size: i64,
    duration_predictor_dropout_rate: f64,
    energy_predictor_layers: i64,
    energy_predictor_channels: i64,
    energy_predictor_kernel_size: i64,
    energy_predictor_dropout: f64,
    energy_embed_kernel_size: i64,
    pub stop_gradient_from_energy_predictor: bool,
    pitch_predictor_layers: i64,
    pitch_predictor_channels: i64,
    pitch_predictor_kernel_size: i64,
    pitch_predictor_dropout: f64,
    pitch_embed_kernel_size: i64,
    pub stop_gradient_from_pitch_predictor: bool,
    encoder_dropout_rate: f64,
    encoder_positional_dropout_rate: f64,
    encoder_attention_dropout_rate: f64,
    decoder_dropout_rate: f64,
    decoder_positional_dropout_rate: f64,
    decoder_attention_dropout_rate: f64,
    pub speech_decoder_postnet_dropout: f64,
    pub num_speakers: Option<i64>,
    pub num_languages: Option<i64>,
    pub speaker_embed_dim: Option<i64>,
    pub convolution_bias: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 384,
            vocab_size: 78,
            num_mel_bins: 80,
            encoder_num_attention_heads: 2,
            encoder_layers: 4,
            encoder_linear_units: 1536,
            decoder_layers: 4,
            decoder_num_attention_heads: 2,
            decoder_linear_units: 1536,
            speech_decoder_postnet_layers: 5,
            speech_decoder_postnet_units: 256,
            speech_decoder_postnet_kernel: 5,
            positionwise_conv_kernel_size: 3,
            encoder_normalize_before: false,
            decoder_normalize_before: false,
            encoder_concat_after: false,
            decoder_concat_after: false,
            reduction_factor: 1,
            speaking_speed: 1.0,
            use_macaron_style_in_conformer: true,
            use_cnn_in_conformer: true,
            encoder_kernel_size: 7,
            decoder_kernel_size: 31,
            duration_predictor_layers: 2,
            duration_predictor_channels: 256,
            duration_predictor_kernel_size: 3,
            duration_predictor_dropout_rate: 0.2,
            energy_predictor_layers: 2,
            energy_predictor_channels: 256,
            energy_predictor_kernel_size: 3,
            energy_predictor_dropout: 0.5,
            energy_embed_kernel_size: 1,
            stop_gradient_from_energy_predictor: false,
            pitch_predictor_layers: 5,
            pitch_predictor_channels: 256,
            pitch_predictor_kernel_size: 5,
            pitch_predictor_dropout: 0.5,
            pitch_embed_kernel_size: 1,
            stop_gradient_from_pitch_predictor: true,
            encoder_dropout_rate: 0.2,
            encoder_positional_dropout_rate: 0.2,
            encoder_attention_dropout_rate: 0.2,
            decoder_dropout_rate: 0.2,
            decoder_positional_dropout_rate: 0.2,
            decoder_attention_dropout_rate: 0.2,
            speech_decoder_postnet_dropout: 0.5,
            num_speakers: None,
            num_languages: None,
            speaker_embed_dim: None,
            convolution_bias: true,
        }
    }
}

/// The encoder or the decoder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub layers: i64,
    pub heads: i64,
    /// Channels within a feed-forward.
    pub inner: i64,
    /// Steps that a convolution sees.
    pub kernel: i64,
    pub norm_first: bool,
    pub dropout: f64,
    pub positional_dropout: f64,
    pub attention_dropout: f64,
}

/// Guesses a number for each phoneme.
#[derive(Debug, Clone, Copy)]
pub(super) struct PredictorShape {
    pub layers: i64,
    pub channels: i64,
    pub size: i64,
    pub dropout: f64,
}

/// Pitch or energy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variance {
    pub predictor: PredictorShape,
    /// Phonemes that an embedding sees.
    pub embedding: i64,
}

impl Config {
    /// Reads and checks it.
    pub fn read(config: &Value) -> Result<Self, ConfigProblem> {
        let config = Self::deserialize(config)?;
        for (name, value, most) in [
            ("hidden_size", config.hidden_size, 1 << 14),
            ("vocab_size", config.vocab_size, 1 << 20),
            ("num_mel_bins", config.num_mel_bins, 1 << 10),
            ("encoder_layers", config.encoder_layers, 1 << 8),
            ("decoder_layers", config.decoder_layers, 1 << 8),
            ("encoder_linear_units", config.encoder_linear_units, 1 << 16),
            ("decoder_linear_units", config.decoder_linear_units, 1 << 16),
            (
                "speech_decoder_postnet_layers",
                config.speech_decoder_postnet_layers,
                1 << 6,
            ),
            (
                "speech_decoder_postnet_units",
                config.speech_decoder_postnet_units,
                1 << 14,
            ),
            ("reduction_factor", config.reduction_factor, 1 << 4),
            (
                "duration_predictor_layers",
                config.duration_predictor_layers,
                1 << 6,
            ),
            (
                "duration_predictor_channels",
                config.duration_predictor_channels,
                1 << 14,
            ),
            ("energy_predictor_layers", config.energy_predictor_layers, 1 << 6),
            (
                "energy_predictor_channels",
                config.energy_predictor_channels,
                1 << 14,
            ),
            ("pitch_predictor_layers", config.pitch_predictor_layers, 1 << 6),
            (
                "pitch_predictor_channels",
                config.pitch_predictor_channels,
                1 << 14,
            ),
        ] {
            size(name, value, most)?;
        }
        for (name, value) in [
            ("encoder_kernel_size", config.encoder_kernel_size),
            ("decoder_kernel_size", config.decoder_kernel_size),
            (
                "speech_decoder_postnet_kernel",
                config.speech_decoder_postnet_kernel,
            ),
            (
                "positionwise_conv_kernel_size",
                config.positionwise_conv_kernel_size,
            ),
            (
                "duration_predictor_kernel_size",
                config.duration_predictor_kernel_size,
            ),
            (
                "energy_predictor_kernel_size",
                config.energy_predictor_kernel_size,
            ),
            ("energy_embed_kernel_size", config.energy_embed_kernel_size),
            ("pitch_predictor_kernel_size", config.pitch_predictor_kernel_size),
            ("pitch_embed_kernel_size", config.pitch_embed_kernel_size),
        ] {
            if size(name, value, 1 << 10)? % 2 == 0 {
                return Err(ConfigProblem::Other(format!(
                    "`{name}` is {value}, expected an odd number"
                )));
            }
        }
        let hidden = ("hidden_size", config.hidden_size);
        for (name, heads) in [
            ("encoder_num_attention_heads", config.encoder_num_attention_heads),
            ("decoder_num_attention_heads", config.decoder_num_attention_heads),
        ] {
            divide(hidden, (name, heads))?;
        }
        if config.hidden_size % 2 != 0 {
            return Err(ConfigProblem::Other(
                "`hidden_size` is odd, expected an even number".to_string(),
            ));
        }
        if config.encoder_concat_after || config.decoder_concat_after {
            let problem = "`encoder_concat_after` and `decoder_concat_after` are not supported";
            return Err(ConfigProblem::Other(problem.to_string()));
        }
        if !(config.speaking_speed > 0.0 && config.speaking_speed <= 100.0) {
            let problem = "`speaking_speed` makes no sense, expected a number above 0";
            return Err(ConfigProblem::Other(problem.to_string()));
        }
        Ok(config)
    }

    pub fn encoder(&self) -> Part {
        Part {
            layers: self.encoder_layers,
            heads: self.encoder_num_attention_heads,
            inner: self.encoder_linear_units,
            kernel: self.encoder_kernel_size,
            norm_first: self.encoder_normalize_before,
            dropout: self.encoder_dropout_rate,
            positional_dropout: self.encoder_positional_dropout_rate,
            attention_dropout: self.encoder_attention_dropout_rate,
        }
    }

    pub fn decoder(&self) -> Part {
        Part {
            layers: self.decoder_layers,
            heads: self.decoder_num_attention_heads,
            inner: self.decoder_linear_units,
            kernel: self.decoder_kernel_size,
            norm_first: self.decoder_normalize_before,
            dropout: self.decoder_dropout_rate,
            positional_dropout: self.decoder_positional_dropout_rate,
            attention_dropout: self.decoder_attention_dropout_rate,
        }
    }

    pub fn durations(&self) -> PredictorShape {
        PredictorShape {
            layers: self.duration_predictor_layers,
            channels: self.duration_predictor_channels,
            size: self.duration_predictor_kernel_size,
            dropout: self.duration_predictor_dropout_rate,
        }
    }

    pub fn pitch(&self) -> Variance {
        Variance {
            predictor: PredictorShape {
                layers: self.pitch_predictor_layers,
                channels: self.pitch_predictor_channels,
                size: self.pitch_predictor_kernel_size,
                dropout: self.pitch_predictor_dropout,
            },
            embedding: self.pitch_embed_kernel_size,
        }
    }

    pub fn energy(&self) -> Variance {
        Variance {
            predictor: PredictorShape {
                layers: self.energy_predictor_layers,
                channels: self.energy_predictor_channels,
                size: self.energy_predictor_kernel_size,
                dropout: self.energy_predictor_dropout,
            },
            embedding: self.energy_embed_kernel_size,
        }
    }
}
