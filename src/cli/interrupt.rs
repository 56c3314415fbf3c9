//! Stopping politely.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

/// Set once the user asks to stop: Ctrl-C, or the system's polite end of the program.
///
/// # Errors
/// When the system does not let the program listen.
pub fn stop_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    ctrlc::set_handler(move || set.store(true, Ordering::Relaxed))
        .context("Ctrl-C can't be listened for")?;
    Ok(stop)
}
