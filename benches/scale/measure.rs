//! One process: its time and memory, as the operating system accounts for them.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// What a process took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Seconds by the clock.
    pub(crate) wall: f64,
    /// Seconds of processors.
    pub(crate) cpu: f64,
    /// The most memory that it (or the largest process that it started) held at once, in MB.
    pub(crate) memory: f64,
}

/// Runs a program to its end under GNU time (started from here it would inherit how much memory this
/// program once had); returns what it printed too.
pub(crate) fn measure<S: AsRef<OsStr>>(folder: &Path, program: &[S]) -> Result<(Taken, String)> {
    let account = folder.join("time");
    let mut command = Command::new("/usr/bin/time");
    command.args(["-q", "-f", "%U %S %M", "-o"]).arg(&account).args(program).stderr(Stdio::piped());
    let began = Instant::now();
    let done = command.output().context("GNU time is missing: run `make bench`, which installs it")?;
    let wall = began.elapsed().as_secs_f64();
    if !done.status.success() {
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        bail!("it ended with {}: {out}{err}", done.status);
    }
    let account = fs::read_to_string(account)?;
    let figures: Vec<f64> = account.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [user, system, kilobytes] = figures[..] else { bail!("GNU time says {account:?}") };
    let taken = Taken { wall, cpu: user + system, memory: kilobytes / 1000.0 };
    Ok((taken, String::from_utf8_lossy(&done.stdout).into_owned()))
}
