//! Files that are cut, as long as they were: a reader that looks at the end first finds what is there nevertheless, and
//! fails where it breaks off.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// A file that ends behind its bytes.
pub(super) struct Cut {
    /// The bytes.
    pub source: Box<dyn MediaSource>,
    /// How many there were.
    pub length: u64,
}

impl Read for Cut {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.source.read(into)
    }
}

impl Seek for Cut {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::End(by) = to else {
            return self.source.seek(to);
        };
        match self.length.checked_add_signed(by) {
            Some(at) => self.source.seek(SeekFrom::Start(at)),
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl MediaSource for Cut {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}
