//! Logging: lines on standard error, for people or for machines.

use std::error::Error;
use std::fmt;
use std::io::IsTerminal as _;
use std::str::FromStr;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt as lines, reload};

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
    pub fn set(&self, filter: &str) -> Result<(), BadFilter> {
        self.0.reload(parse(filter)?).map_err(|error| BadFilter(error.to_string()))
    }

    /// The filter in use.
    pub fn get(&self) -> String {
        // The handle outlives what it controls only while the process ends.
        self.0.with_current(ToString::to_string).unwrap_or_default()
    }
}

/// Begins to log. `filter` is as in `RUST_LOG` (`info`, `rollcall=debug`); one that does not parse is taken
/// for `warn`.
pub fn init(filter: &str, format: Format) -> LogLevel {
    let (filter, handle) = reload::Layer::new(parse(filter).unwrap_or_else(|_| EnvFilter::new("warn")));
    let lines = lines::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // Only a second call could fail, and then logging has begun already.
    drop(match format {
        Format::Text => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    });
    LogLevel(handle)
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
        return Err(BadFilter(format!("{word:?} is no level: error, warn, info, debug, trace and off are")));
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
    use std::io;

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
