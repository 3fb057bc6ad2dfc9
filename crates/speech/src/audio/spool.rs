//! Samples that are kept until they are heard.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use super::AudioError;
use crate::features::Samples;

/// Samples of one channel: in memory while there are few, else in a temporary file without a name.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    /// All samples, or those that are not in the file yet.
    memory: Vec<f32>,
    file: Option<File>,
    /// Samples in the file.
    filed: usize,
    bytes: Vec<u8>,
}

/// Samples that are kept in memory: ten minutes at 16 kHz.
const MOST: usize = 600 * 16_000;
/// Samples that are written or read together.
const BLOCK: usize = 1 << 16;

impl Spool {
    /// Adds samples.
    pub fn push(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        self.memory.extend_from_slice(samples);
        let most = match self.file {
            None => MOST,
            Some(_) => BLOCK,
        };
        if self.memory.len() > most {
            self.write().map_err(|source| AudioError::Spool { source })?;
        }
        Ok(())
    }

    fn write(&mut self) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        file.seek(SeekFrom::End(0))?;
        for block in self.memory.chunks(BLOCK) {
            self.bytes.clear();
            self.bytes
                .extend(block.iter().flat_map(|sample| sample.to_le_bytes()));
            file.write_all(&self.bytes)?;
        }
        self.filed += self.memory.len();
        match self.memory.len() > 2 * BLOCK {
            true => self.memory = Vec::new(),
            false => self.memory.clear(),
        }
        Ok(())
    }

    fn read_file(&mut self, from: usize, into: &mut [f32]) -> std::io::Result<()> {
        let Some(file) = self.file.as_mut().filter(|_| !into.is_empty()) else {
            return Ok(());
        };
        file.seek(SeekFrom::Start(from as u64 * 4))?;
        for block in into.chunks_mut(BLOCK) {
            self.bytes.resize(block.len() * 4, 0);
            file.read_exact(&mut self.bytes)?;
            for (sample, bytes) in block.iter_mut().zip(self.bytes.chunks_exact(4)) {
                *sample = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        Ok(())
    }
}

impl Samples for Spool {
    fn count(&self) -> usize {
        self.filed + self.memory.len()
    }

    fn read(&mut self, from: usize, into: &mut [f32]) -> Result<(), AudioError> {
        let filed = into.len().min(self.filed.saturating_sub(from));
        let (first, last) = into.split_at_mut(filed);
        self.read_file(from, first)
            .map_err(|source| AudioError::Spool { source })?;
        let from = (from + filed).saturating_sub(self.filed);
        last.copy_from_slice(&self.memory[from..from + last.len()]);
        Ok(())
    }
}

impl From<Vec<f32>> for Spool {
    /// All in memory, however many there are.
    fn from(memory: Vec<f32>) -> Self {
        Self {
            memory,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_from_memory_and_from_the_file() {
        let sample = |i: usize| i as f32 * 0.25 - 7.0;
        let mut spool = Spool::default();
        let count = MOST + 3 * BLOCK + 40_077;
        let mut block = Vec::new();
        for from in (0..count).step_by(50_001) {
            block.clear();
            block.extend((from..count.min(from + 50_001)).map(sample));
            spool.push(&block).unwrap();
        }
        assert!(spool.file.is_some() && spool.memory.capacity() < MOST / 2);
        assert!(spool.memory.len() > 100);
        assert_eq!(spool.count(), count);
        for (from, length) in [
            (0, 5),
            (0, 0),
            (12_345, 200_000),
            (spool.filed - 3, 6),
            (count - 9, 9),
            (count, 0),
        ] {
            let mut found = vec![0.0; length];
            spool.read(from, &mut found).unwrap();
            assert!((from..).map(sample).zip(&found).all(|(a, b)| a == *b), "{from}");
        }
    }
}
