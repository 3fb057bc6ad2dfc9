//! Ctrl-C, and being told to end: what is half written goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use sensorium::hub::atomic;

/// From now on Ctrl-C ends the program, and so does being told to end, unless `goes_on` says that it is seen to.
pub fn listen(goes_on: impl Fn() -> bool + Send + 'static) -> Result<()> {
    ctrlc::set_handler(move || {
        if !goes_on() {
            end();
        }
    })?;
    Ok(())
}

/// A flag that the first Ctrl-C sets; the second one ends the program.
pub fn flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    listen(move || !asked.swap(true, Ordering::Relaxed))?;
    Ok(stop)
}

/// From now on Ctrl-C leaves no half-written file. A signal that the program was started to ignore, as in the
/// background, stays ignored; then all stays as it is.
pub fn clean_up() {
    let _ = ctrlc::try_set_handler(|| end());
}

/// Ends the program as it stands: what libtorch would tidy up at an orderly end is still in use by other threads.
fn end() -> ! {
    let _nothing_more = atomic::abandon();
    signal_hook::low_level::exit(130)
}
