//! Error rates of long recordings, in little memory.

use std::fs;

use sensorium_metrics::wer::character_errors;

/// The most memory that this program has had, in bytes of address space.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

#[test]
fn long_texts_take_little_memory() {
    let text = |step: usize| -> String {
        let letter = |i: usize| char::from(b'a' + (i * i / step % 23) as u8);
        (0..6000).map(letter).collect()
    };
    let (said, heard) = (text(7), text(11));
    let before = peak();
    let errors = character_errors(&said, &heard);
    assert_eq!(errors.said(), 6000);
    // A cost for each pair of characters would be 144 MB.
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < 16 << 20, "{} bytes more", after - before);
    }
}
