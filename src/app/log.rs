//! Messages since the program started: on stderr, and the last ones in a buffer for the panel.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

/// How many messages are kept; the oldest go first.
const MOST_LINES: usize = 500;

/// A message is cut off here: a file's properties may be megabytes long.
const LONGEST_TEXT: usize = 4000;

/// The environment variable that chooses what is logged, such as `parfocal=debug`.
const FILTER_VARIABLE: &str = "PARFOCAL_LOG";

/// What is logged unless told otherwise. Two crates warn of what no user can or need change.
const DEFAULT_FILTER: &str = "warn,winit=error,egui_system_font_provider=error,parfocal=info";

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub time: SystemTime,
    /// How bad.
    pub level: Level,
    /// The module it came from.
    pub target: String,
    /// The message and its fields.
    pub text: String,
}

impl LogLine {
    /// Time of day in UTC: `19:47:20`.
    pub fn clock_utc(&self) -> String {
        let since = self.time.duration_since(UNIX_EPOCH);
        let second = since.unwrap_or(Duration::ZERO).as_secs() % 86_400;
        format!(
            "{:02}:{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }
}

impl std::fmt::Display for LogLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            level,
            target,
            text,
            ..
        } = self;
        write!(f, "{}Z {level:<5} {target}: {text}", self.clock_utc())
    }
}

/// The last messages; clones share them.
#[derive(Debug, Clone, Default)]
pub struct LogBuffer {
    lines: Arc<Mutex<VecDeque<Arc<LogLine>>>>,
}

impl LogBuffer {
    /// The messages that are at least as bad as `least`, oldest first.
    pub fn lines(&self, least: Level) -> Vec<Arc<LogLine>> {
        let lines = self.lock();
        // tracing orders levels by how much they let through: ERROR is the smallest.
        lines
            .iter()
            .filter(|line| line.level <= least)
            .cloned()
            .collect()
    }

    /// Adds a message and forgets the oldest beyond the limit.
    pub fn push(&self, line: LogLine) {
        let mut lines = self.lock();
        if lines.len() >= MOST_LINES {
            lines.pop_front();
        }
        lines.push_back(Arc::new(line));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<LogLine>>> {
        // A line is pushed whole or not at all, so a poisoned buffer is still sound.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for LogBuffer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = EventText::default();
        event.record(&mut text);
        self.push(LogLine {
            time: SystemTime::now(),
            level: *event.metadata().level(),
            target: text
                .log_target
                .take()
                .unwrap_or_else(|| event.metadata().target().to_owned()),
            text: text.finish(),
        });
    }
}

/// Collects an event's message, then its fields as ` name=value`.
#[derive(Default)]
struct EventText {
    message: String,
    fields: String,
    /// The module, where the message came by way of the `log` crate.
    log_target: Option<String>,
}

impl EventText {
    fn finish(self) -> String {
        let mut text = self.message + &self.fields;
        if text.len() > LONGEST_TEXT {
            text.truncate(text.floor_char_boundary(LONGEST_TEXT));
            text.push('…');
        }
        text
    }
}

impl Visit for EventText {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => self.log_target = Some(value.to_owned()),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing into a String can't fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            // Where in the other crate's source it was said.
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Sends messages to stderr and to the buffer it returns. `PARFOCAL_LOG` chooses which.
///
/// Called a second time, as tests do, it leaves the first subscriber in place.
pub fn install() -> LogBuffer {
    let buffer = LogBuffer::default();
    let wanted = std::env::var(FILTER_VARIABLE).ok();
    let parsed = wanted.as_ref().map(EnvFilter::try_new);
    let wrong = parsed.as_ref().is_some_and(Result::is_err);
    let filter = parsed
        .and_then(Result::ok)
        .unwrap_or_else(|| EnvFilter::new(DEFAULT_FILTER));
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(to_stderr)
        .with(buffer.clone());
    if subscriber.try_init().is_err() {
        tracing::debug!("messages already go to an earlier subscriber");
    }
    if wrong {
        tracing::warn!("{FILTER_VARIABLE} can't be understood and is ignored");
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_reach_the_buffer_with_their_fields() {
        let buffer = LogBuffer::default();
        let subscriber = tracing_subscriber::registry().with(buffer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(tiles = 3, "some tiles can't be read");
            tracing::info!("all is well");
        });
        let lines = buffer.lines(Level::WARN);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].text, "some tiles can't be read tiles=3");
        assert_eq!(buffer.lines(Level::INFO).len(), 2);
    }

    #[test]
    fn other_crates_messages_keep_their_own_module() {
        let buffer = LogBuffer::default();
        let subscriber = tracing_subscriber::registry().with(buffer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(log.target = "other", log.line = 7, "odd");
        });
        let lines = buffer.lines(Level::WARN);
        assert_eq!(
            (lines[0].target.as_str(), lines[0].text.as_str()),
            ("other", "odd")
        );
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let buffer = LogBuffer::default();
        for n in 0..MOST_LINES + 7 {
            let (time, level) = (UNIX_EPOCH + Duration::from_secs(86_399), Level::INFO);
            buffer.push(LogLine {
                time,
                level,
                target: "t".into(),
                text: n.to_string(),
            });
        }
        let lines = buffer.lines(Level::TRACE);
        assert_eq!(lines.len(), MOST_LINES);
        assert_eq!(lines[0].to_string(), "23:59:59Z INFO  t: 7");
    }
}
