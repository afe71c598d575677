//! Metrics of the process, read when they are scraped.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use procfs::CurrentSI as _;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Measures this process, and the file that it keeps its data in.
#[derive(Debug)]
pub(super) struct Process {
    store: Arc<OnceLock<PathBuf>>,
}

impl Process {
    pub(super) fn new(store: Arc<OnceLock<PathBuf>>) -> Self {
        Self { store }
    }

    /// The database with its journal.
    fn store_bytes(&self) -> Option<u64> {
        let file = self.store.get()?;
        let bytes = |file: PathBuf| std::fs::metadata(file).map_or(0, |found| found.len());
        let mut journal = file.clone().into_os_string();
        journal.push("-wal");
        Some(bytes(file.clone()) + bytes(journal.into()))
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, value: u64| {
            let unit = Unit::Bytes;
            let metric = encoder.encode_descriptor(name, help, Some(&unit), MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric)
        };
        if let Some(bytes) = self.store_bytes() {
            gauge("rollcall_store", "Size of the store in bytes, including its journal", bytes)?;
        }
        // Where there is no /proc, this is left out.
        let Ok(stat) = procfs::process::Process::myself().and_then(|process| process.stat()) else {
            return Ok(());
        };
        let resident = stat.rss.saturating_mul(procfs::page_size());
        gauge("process_resident_memory", "Memory in use by the process, in bytes", resident)?;
        #[expect(clippy::cast_precision_loss, reason = "centuries of it are exact")]
        let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        let help = "Processor time of the process, in seconds";
        let metric =
            encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), MetricType::Counter)?;
        ConstCounter::new(seconds).encode(metric)?;
        // In ticks since the machine was started.
        let Ok(machine) = procfs::KernelStats::current() else { return Ok(()) };
        let started = machine.btime.saturating_add(stat.starttime / procfs::ticks_per_second());
        let help = "Start time of the process, in seconds since 1970";
        let metric =
            encoder.encode_descriptor("process_start_time", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        ConstGauge::new(i64::try_from(started).unwrap_or(i64::MAX)).encode(metric)
    }
}
