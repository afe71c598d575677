//! Logging: lines on standard error, as text or JSON.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal as _};
use std::panic::{self, PanicHookInfo};
use std::str::FromStr;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt as lines, reload};

use crate::text::{clean, clean_json};

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A filter that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log filter cannot be understood ({0}); give a level (error, warn, info, debug, trace) or a filter such as \
     rollcall=debug"
)]
pub struct BadFilter(String);

/// What is logged, which can be changed while the process runs: from debug on, logs name people.
#[derive(Clone, Debug)]
pub struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// Logs by `filter` from now on.
    ///
    /// # Errors
    /// When the text is no filter of log levels.
    pub fn set(&self, filter: &str) -> Result<(), BadFilter> {
        self.0.reload(parse(filter)?).map_err(|error| BadFilter(error.to_string()))
    }

    /// The filter in use.
    pub fn get(&self) -> String {
        // The handle outlives what it controls only while the process ends.
        self.0.with_current(ToString::to_string).unwrap_or_default()
    }
}

/// Starts logging. `filter` is as in `RUST_LOG` (`info`, `rollcall=debug`); an invalid one counts as `warn`.
pub fn init(filter: &str, format: Format) -> LogLevel {
    let (filter, handle) = reload::Layer::new(parse(filter).unwrap_or_else(|_| EnvFilter::new("warn")));
    let coloured = format == Format::Text && io::stderr().is_terminal();
    let lines = lines::layer().with_writer(move || Line { to: io::stderr(), format, coloured });
    let registry = tracing_subscriber::registry().with(filter);
    // Only a second call could fail, and then logging has begun already.
    drop(match format {
        Format::Text => registry.with(lines.with_ansi(coloured)).try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    });
    panic::set_hook(Box::new(panicked));
    LogLevel(handle)
}

/// Where lines go: whatever they quote, each is one line of characters that are seen.
struct Line<W> {
    to: W,
    format: Format,
    /// Whether the lines have colours of their own; the library lets none of what is quoted through.
    coloured: bool,
}

impl<W: io::Write> io::Write for Line<W> {
    /// Takes one whole line, as the library gives them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let clean = match (self.format, self.coloured) {
            (Format::Json, _) => clean_json(text).into_owned(),
            (Format::Text, false) => clean(text).into_owned(),
            (Format::Text, true) => text.split('\u{1b}').map(clean).collect::<Vec<_>>().join("\u{1b}"),
        };
        writeln!(self.to, "{clean}")?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Logs a fault of ours as everything else is logged. What it was about may name people, as from debug on only.
fn panicked(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    tracing::error!(place, thread, "a defect of Rollcall stopped an operation; please report it");
    let what = panic.payload_as_str().unwrap_or("no message");
    tracing::debug!(place, what, "what the fault says");
}

/// The only way in which an error is written: itself and what caused it, each once.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        // Many errors say already what caused them.
        if !text.ends_with(&why) {
            text = format!("{text}: {why}");
        }
        cause = error.source();
    }
    text
}

fn parse(filter: &str) -> Result<EnvFilter, BadFilter> {
    let filter = filter.trim();
    if filter.is_empty() {
        return Err(BadFilter("it is empty".to_owned()));
    }
    // A word that is no level would be taken for a part of the program, and all others would say nothing.
    let is_level = |word: &str| word.contains(['=', '[']) || word.parse::<LevelFilter>().is_ok();
    if let Some(word) = filter.split(',').map(str::trim).find(|word| !is_level(word)) {
        return Err(BadFilter(format!(
            "{word:?} is not a level; the levels are error, warn, info, debug, trace and off"
        )));
    }
    EnvFilter::builder().parse(filter).map_err(|error| BadFilter(error.to_string()))
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("it is text or json".to_owned()),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer one")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("the inner one: {0}")]
    struct Inner(#[source] io::Error);

    #[test]
    fn an_error_comes_with_its_causes_each_once() {
        let error = Outer(Inner(io::Error::other("the disk")));
        assert_eq!(chain(&error), "the outer one: the inner one: the disk");
    }

    /// What is written of one event that quotes `text` as its message, as a field and as an error.
    fn logged(format: Format, coloured: bool, text: &str) -> String {
        use std::sync::{Arc, Mutex};

        #[derive(Clone, Default)]
        struct Written(Arc<Mutex<Vec<u8>>>);

        impl io::Write for Written {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let written = Written::default();
        let to = written.clone();
        let layer = lines::layer().with_writer(move || Line { to: to.clone(), format, coloured });
        let log = || {
            let error = io::Error::other(text.to_owned());
            tracing::warn!(field = text, error = &error as &dyn Error, "it says {text}");
        };
        let registry = tracing_subscriber::registry();
        match format {
            Format::Text => {
                tracing::subscriber::with_default(registry.with(layer.with_ansi(coloured)), log);
            }
            Format::Json => {
                tracing::subscriber::with_default(registry.with(layer.json().flatten_event(true)), log);
            }
        }
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_line_of_characters_that_are_seen() {
        let text = "\u{1b}[2Jred\u{9b}31m\n2026-01-01 WARN forged\r\u{202e}\u{200b}\u{7f}\u{fffe}";
        for (format, coloured) in [(Format::Text, false), (Format::Text, true), (Format::Json, false)] {
            let line = logged(format, coloured, text);
            let inner = line.strip_suffix('\n').unwrap();
            let unseen: Vec<char> = inner.chars().filter(|sign| crate::text::is_unseen(*sign)).collect();
            assert!(unseen.iter().all(|sign| coloured && *sign == '\u{1b}'), "{format}: {line:?}");
            assert!(!inner.contains("\u{1b}[2J"), "{format}: {line:?}");
            assert_eq!(
                format == Format::Json,
                serde_json::from_str::<serde_json::Value>(inner).is_ok_and(|it| it["field"] == text)
            );
        }
    }

    /// In a process of its own: how panics are told is of the whole process.
    #[test]
    fn a_panic_is_logged_as_everything_else_is() {
        const CHILD: &str = "ROLLCALL_TEST_PANICS";
        if std::env::var_os(CHILD).is_some() {
            init("debug", Format::Json);
            panic!("as it must");
        }
        let me = std::env::current_exe().unwrap();
        let test = "telemetry::log::tests::a_panic_is_logged_as_everything_else_is";
        let mut child = std::process::Command::new(me);
        let output = child.args(["--exact", test, "--nocapture"]).env(CHILD, "1").output().unwrap();
        let lines = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let [told, said] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&told["level"], &said["level"]), (&"ERROR".into(), &"DEBUG".into()));
        assert!(told["place"].as_str().unwrap().contains("log.rs") && told["what"].is_null());
        assert_eq!(said["what"], "as it must");
    }

    #[test]
    fn a_filter_can_be_changed_and_a_bad_one_changes_nothing() {
        let (layer, handle) = reload::Layer::new(parse("warn").unwrap());
        let level = LogLevel(handle);
        let _subscriber = tracing_subscriber::registry().with(layer);
        assert_eq!(level.get(), "warn");
        level.set("rollcall=debug,info\n").unwrap();
        let changed = level.get();
        assert!(changed.contains("rollcall=debug") && changed.contains("info"), "{changed}");
        for bad in ["rollcall=loud", " ", "warning", "info,rollcall"] {
            assert!(level.set(bad).unwrap_err().to_string().contains("give a level"));
        }
        assert_eq!(level.get(), changed);
    }
}
