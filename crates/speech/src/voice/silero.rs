//! Silero's detector, from the weights that its package carries (`silero_vad_16k.safetensors`).

#[cfg(test)]
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sensorium_blocks::Params;
use sensorium_hub::SafetensorsFile;
use sensorium_kernels::on_one_thread;
use tch::{Kind, Tensor};

use super::detector::Detector;
use crate::error::Error;
use crate::models::silero::{self, Sizes, State};

/// The file, as it is published.
const FILE: &str = "silero_vad_16k.safetensors";
/// Windows that are judged at once: a second of them.
const TOGETHER: usize = 32;

/// Silero's network, which any number of recordings can be judged by.
#[derive(Debug)]
pub struct Silero(silero::Silero);

impl Silero {
    /// Opens `path`, the file or a folder that it lies in.
    ///
    /// # Errors
    /// If there is no such file, or it has other tensors than the network.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = match path.is_dir() {
            true => path.join(FILE),
            false => path.to_path_buf(),
        };
        let network = || -> Result<_, Error> {
            let params = Params::stored(Arc::new(SafetensorsFile::open(&path)?)).of_kind(Kind::Float);
            let network = silero::Silero::new(&params, Sizes::PUBLISHED)?;
            params.check_all_used()?;
            Ok(Self(network))
        };
        network().map_err(|source| Error::Voices {
            source: Box::new(source),
        })
    }

    /// Writes a file in which everything is as likely a voice: the logistic function of `bias`.
    #[cfg(test)]
    pub(crate) fn write_constant(path: &Path, bias: f64) {
        let tensors = [
            ("stft_conv.weight", &[258, 1, 256][..]),
            ("conv1.weight", &[128, 129, 3]),
            ("conv1.bias", &[128]),
            ("conv2.weight", &[64, 128, 3]),
            ("conv2.bias", &[64]),
            ("conv3.weight", &[64, 64, 3]),
            ("conv3.bias", &[64]),
            ("conv4.weight", &[128, 64, 3]),
            ("conv4.bias", &[128]),
            ("lstm_cell.weight_ih", &[512, 128]),
            ("lstm_cell.weight_hh", &[512, 128]),
            ("lstm_cell.bias_ih", &[512]),
            ("lstm_cell.bias_hh", &[512]),
            ("final_conv.weight", &[1, 128, 1]),
            ("final_conv.bias", &[1]),
        ];
        let tensors = tensors.map(|(name, shape)| {
            let value = if name == "final_conv.bias" { bias } else { 0.0 };
            let tensor = Tensor::full(shape, value, (Kind::Float, tch::Device::Cpu));
            (name.to_string(), tensor)
        });
        sensorium_hub::save_safetensors(path, &tensors, &BTreeMap::new()).expect("a file");
    }

    /// What judges one recording.
    pub(crate) fn detector(&self) -> impl Detector + '_ {
        Windows::new(&self.0)
    }
}

/// A recording's windows, up to where it is judged.
struct Windows<'a> {
    network: &'a silero::Silero,
    state: State,
    /// The samples before the next window.
    context: Vec<f32>,
}

impl<'a> Windows<'a> {
    fn new(network: &'a silero::Silero) -> Self {
        Self {
            network,
            state: network.fresh(),
            context: vec![0.0; network.sizes().context as usize],
        }
    }
}

impl Detector for Windows<'_> {
    fn frame(&self) -> usize {
        self.network.sizes().window as usize
    }

    fn together(&self) -> usize {
        TOGETHER
    }

    /// Single words, cut off closely, have 0.47 and more, silence, hum, noise and clicks less than 0.2.
    fn least_of_short(&self) -> f32 {
        0.3
    }

    fn judge(&mut self, samples: &mut [f32], tell: &mut dyn FnMut(f32)) {
        let (window, context) = (self.frame(), self.context.len());
        let all = [&self.context, &*samples].concat();
        self.context.copy_from_slice(&all[all.len() - context..]);
        let windows = Tensor::from_slice(&all).unfold(0, (context + window) as i64, window as i64);
        let judged = || tch::no_grad(|| self.network.forward(&windows, &mut self.state));
        let likelihoods = on_one_thread(judged);
        likelihoods.into_iter().for_each(tell);
    }
}

#[cfg(test)]
mod tests {
    use sensorium_blocks::{MemorySource, TensorSource as _};

    use super::*;
    use crate::voice::{VoiceActivity, VoiceFilter};

    const TINY: Sizes = Sizes {
        window: 32,
        context: 4,
        spectrum: 16,
        channels: [8, 6, 6, 8],
    };

    /// The tiny network, samples, and how likely there is a voice in their windows.
    fn tiny() -> (silero::Silero, Vec<f32>, Vec<f32>) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/silero/tiny.safetensors");
        let file = SafetensorsFile::open(&file).expect("the tiny network");
        let tensor = |name: &str| (name.to_string(), file.tensor(name).expect(name));
        let (weights, rest): (Vec<_>, Vec<_>) = file
            .names()
            .into_iter()
            .map(tensor)
            .partition(|(name, _)| name.contains('.'));
        let params = Params::stored(Arc::new(MemorySource::new(weights)));
        let network = silero::Silero::new(&params, TINY).expect("the tiny network");
        params.check_all_used().expect("no other tensors");
        let rest: BTreeMap<String, Tensor> = rest.into_iter().collect();
        let numbers = |name: &str| Vec::<f32>::try_from(&rest[name]).expect(name);
        (network, numbers("samples"), numbers("likelihoods"))
    }

    #[test]
    fn likelihoods_are_those_of_the_reference() {
        let (network, mut samples, expected) = tiny();
        for together in [1, 7, TOGETHER] {
            let mut windows = Windows::new(&network);
            let mut found = Vec::new();
            for samples in samples.chunks_mut(together * windows.frame()) {
                windows.judge(samples, &mut |likelihood| found.push(likelihood));
            }
            assert_eq!(found.len(), expected.len());
            let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
            assert!(far.fold(0.0, f32::max) < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn how_samples_come_changes_no_voice() {
        let (network, samples, expected) = tiny();
        let activity = VoiceActivity {
            least_voice: 0.0,
            least_pause: 0.006,
            margin: 0.001,
            ..VoiceActivity::default()
        };
        let heard = |size: usize| {
            let detector = Box::new(Windows::new(&network));
            let mut filter = VoiceFilter::new(activity, detector, 16_000).expect("a rate");
            let mut voiced = Vec::new();
            for samples in samples.chunks(size) {
                filter.push(samples, &mut voiced).expect("samples");
            }
            (filter.finish(&mut voiced).expect("an end"), voiced)
        };
        let whole = heard(samples.len());
        let begin = expected.iter().position(|&likelihood| likelihood >= 0.5);
        let begin = begin.expect("a voice") as f64 * 32.0 / 16_000.0;
        assert!((whole.0.spans[0].0 - (begin - 0.001).max(0.0)).abs() < 1e-9);
        assert!(whole.0.spans.len() > 1 && whole.1.len() < samples.len());
        for size in [1, 31, 500, 1100] {
            assert!(heard(size) == whole, "{size}");
        }
    }

    #[test]
    fn other_files_are_refused_in_a_sentence() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/silero/tiny.safetensors");
        for (path, problem) in [(file, "conv1.weight"), ("nowhere".into(), "read nowhere")] {
            let error = Silero::open(&path).expect_err("an error");
            assert!(matches!(&error, Error::Voices { .. }), "{error}");
            let cause = std::error::Error::source(&error).expect("a cause").to_string();
            assert!(cause.contains(problem), "{cause}");
        }
    }
}
