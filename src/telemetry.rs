//! Telemetry of the process: logs and metrics. Names and addresses of people appear in logs at debug level only, and
//! never in metrics.

mod log;
mod metrics;

pub use log::{BadFilter, Format, LogLevel, chain, init};
pub use metrics::{Asked, Import, Metrics, Queued, Run, Running, Write};
