//! What tells how likely a voice is, moment by moment.

use earshot::Detector as Earshot;

/// Judges frames of samples at [`RATE`](super::RATE), one after the other.
pub(crate) trait Detector {
    /// Samples of a frame.
    fn frame(&self) -> usize;

    /// Frames that are judged at once, so that how a recording comes changes nothing; fewer at its end.
    fn together(&self) -> usize;

    /// The likeliest moment of a recording that is too short for a pause, if there may be a word in it.
    fn least_of_short(&self) -> f32;

    /// Tells how likely a voice is in each of some whole frames.
    fn judge(&mut self, samples: &mut [f32], tell: &mut dyn FnMut(f32));
}

/// The detector that is built in.
pub(crate) struct BuiltIn(Box<Earshot>);

impl BuiltIn {
    pub fn new() -> Self {
        Self(Earshot::default_boxed())
    }
}

impl Detector for BuiltIn {
    fn frame(&self) -> usize {
        256
    }

    fn together(&self) -> usize {
        1
    }

    /// Single words, cut off closely, have 0.45 and more, silence, hum and quiet noise less than 0.38.
    fn least_of_short(&self) -> f32 {
        0.4
    }

    fn judge(&mut self, samples: &mut [f32], tell: &mut dyn FnMut(f32)) {
        for frame in samples.chunks_exact_mut(self.frame()) {
            frame
                .iter_mut()
                .for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
            tell(self.0.predict_f32(frame));
        }
    }
}
