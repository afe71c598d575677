//! Servers that never outlive the test process, however it ends.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Becomes the program that it is called with. Beside it waits a shell for the other end of standard input
/// to close, as it does when the test process ends, by a panic or a kill too: then it kills the program, and
/// removes the folder `REMOVE`. Both are a process group, so that no other process gets the program's id meanwhile.
const TETHER: &str = r#"
exec 3<&0
{
    read -r line <&3
    kill -KILL $$
    tries=0
    while [ -n "$REMOVE" ] && [ -e "$REMOVE" ] && [ $tries -lt 1000 ]; do rm -rf -- "$REMOVE"; tries=$((tries + 1)); done
    kill -KILL 0
} >/dev/null 2>&1 &
exec "$0" "$@" 3<&- </dev/null
"#;

/// A server that is killed when this is dropped, or when the test process ends.
pub(crate) struct Process {
    child: Child,
    tether: Option<ChildStdin>,
}

impl Process {
    /// Starts `program`, with all that it says in the file `log`. `remove` is a folder that goes with it.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path, remove: Option<&Path>) -> Self {
        Self::start_with(program, arguments, &[], log, remove)
    }

    /// The same, with variables in its environment.
    pub(crate) fn start_with(
        program: &Path,
        arguments: &[String],
        environment: &[(&str, &str)],
        log: &Path,
        remove: Option<&Path>,
    ) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", TETHER])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .env("REMOVE", remove.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let tether = child.stdin.take();
        Self { child, tether }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Asks it to end, and waits until it has.
    #[track_caller]
    pub(crate) fn stop(&mut self, within: Duration) -> ExitStatus {
        if self.ended().is_none() {
            let asked = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
            assert!(asked.success());
        }
        self.wait(within)
    }

    /// Interrupts it, as Ctrl-C does, and waits until it has ended.
    #[track_caller]
    pub(crate) fn interrupt(&mut self, within: Duration) -> ExitStatus {
        let asked = Command::new("kill").args(["-INT", &self.id().to_string()]).status().unwrap();
        assert!(asked.success());
        self.wait(within)
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self, within: Duration) -> ExitStatus {
        eventually(within, "the process ends", || self.ended())
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.tether = None;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until there is something.
#[track_caller]
pub(crate) fn eventually<T>(within: Duration, what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(Instant::now() < deadline, "within {within:?} it did not come to this: {what}");
        // Two cores are shared with the server that is waited for.
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_process_goes_with_the_test_process_and_its_folder_too() {
    let folder = tempfile::tempdir().unwrap().keep();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut process = Process::start(Path::new("sleep"), &["1000".to_owned()], log.path(), Some(&folder));
    assert!(process.ended().is_none());
    // What is left of a pipe when the process at its other end is gone.
    process.tether = None;
    let ended = process.wait(Duration::from_mins(1));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9));
    eventually(Duration::from_mins(1), "the folder is gone", || (!folder.exists()).then_some(()));
}
