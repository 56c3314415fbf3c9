//! Named threads for long work.

#[cfg(test)]
mod card_path_tests;
pub mod live;
#[cfg(test)]
mod live_bias_tests;
#[cfg(test)]
mod live_tests;
pub mod tune;
pub mod window_model;
#[cfg(test)]
mod window_tests;

use std::any::Any;

/// Runs `work` on the thread that owns all learning work, and waits for it.
///
/// burn keeps a stream of commands for each thread of the system, so that all of its calls
/// belong on one; its name tells it apart in profiles and backtraces.
///
/// # Errors
/// When the thread can't be started, or ended by a panic, whose words are given.
pub fn on_compute_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let started = std::thread::Builder::new()
            .name("compute".to_owned())
            .spawn_scoped(scope, work);
        let thread = started.map_err(|error| format!("no thread can be started: {error}"))?;
        thread.join().map_err(|panic| words(panic.as_ref()))
    })
}

/// Does some work for which somebody waits: a panic in it is an error, in words.
///
/// # Errors
/// Those of `work`, and the words of a panic.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    done.unwrap_or_else(|panic| Err(words(panic.as_ref())))
}

fn words(panic: &(dyn Any + Send)) -> String {
    format!("the program is at fault: {}", text(panic))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it gave no reason")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_has_a_name_and_its_end_is_told() {
        let name = on_compute_thread(|| std::thread::current().name().map(str::to_owned));
        assert_eq!(name.unwrap().as_deref(), Some("compute"));
        let failed = on_compute_thread(|| {
            assert!(std::hint::black_box(false), "no good");
        });
        assert!(failed.unwrap_err().contains("no good"));
    }
}
