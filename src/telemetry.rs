//! Logging. Lines for machines and operators go to standard error; names and addresses of people appear
//! at debug level only.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Begins to log. `filter` is as in `RUST_LOG` (`info`, `rollcall=debug`); one that does not parse is
/// taken for `warn`.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = std::io::stderr().is_terminal();
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    // Only a second call could fail, and then logging has begun already.
    drop(subscriber.try_init());
}
