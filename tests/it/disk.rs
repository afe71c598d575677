//! A disk that is full, or that may not be written: nothing is lost, and the message says what to do.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::cli::Desk;
use crate::support::company::large;
use crate::support::faults;
use crate::support::slapd::{SUFFIX, Setup, Slapd};

/// More than the store needs.
const ROOM: u64 = 16 << 20;

/// A disk of its own at a folder, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this may not be done.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let size = format!("size={ROOM},mode=0700");
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "rollcall"]).arg(at).output().unwrap();
        if !done.status.success() {
            faults::tell(format_args!(
                "left out: a full and a read-only disk, as this user may mount none: {}",
                String::from_utf8_lossy(&done.stderr)
            ));
            return None;
        }
        Some(Self(at.to_owned()))
    }

    fn may_be_written(&self, may: bool) {
        let how = if may { "remount,rw" } else { "remount,ro" };
        assert!(Command::new("mount").args(["-o", how]).arg(&self.0).status().unwrap().success());
    }

    /// Leaves so much room.
    fn fill(&self, but_for: u64) {
        let out =
            Command::new("df").args(["--block-size=1", "--output=avail"]).arg(&self.0).output().unwrap();
        let out = String::from_utf8(out.stdout).unwrap();
        let free: u64 = out.lines().last().unwrap().trim().parse().unwrap();
        fs::write(self.filler(), vec![1_u8; usize::try_from(free.saturating_sub(but_for)).unwrap()]).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[test]
fn a_disk_that_is_full_or_read_only_costs_nothing_but_time() {
    let slapd = Slapd::start(&Setup { ldif: &large(600, 30, 40, 500), ..Setup::default() });
    let desk = Desk::new();
    desk.write("manifests.yaml", slapd.manifests("", ""));
    let Some(volume) = Disk::mount(&desk.path("data")) else { return };
    // Not even the store can be made.
    volume.fill(8 << 10);
    desk.sync(&[]).exits(1).says("the disk of the data folder is full");
    volume.make_room();
    desk.sync(&[]).exits(0);
    let mut full = 0;
    for (round, room) in [0, 4, 16, 64, 128, 256, 512, 1024, 4096].into_iter().enumerate() {
        let before = people(&desk);
        let mut changed = String::new();
        for at in 0..600 {
            let dn = format!("uid=u{at:06},ou=people,{SUFFIX}");
            write!(changed, "dn: {dn}\nchangetype: modify\nreplace: givenName\ngivenName: {round}\n\n")
                .unwrap();
        }
        slapd.modify(&changed);
        volume.fill(room << 10);
        let ran = desk.sync(&[]);
        if ran.code != 0 {
            full += 1;
            ran.exits(1).says("the disk of the data folder is full");
        }
        volume.make_room();
        assert_eq!(before.len(), people(&desk).len(), "with room for {room} KiB");
        desk.sync(&[]).exits(0);
        assert!(are_named(&desk, &round.to_string()), "with room for {room} KiB");
    }
    assert!(full > 3 && full < 9, "{full} of 9 found the disk full");
    volume.may_be_written(false);
    desk.sync(&[]).exits(1).says("check the path and its permissions");
    volume.may_be_written(true);
    desk.sync(&[]).exits(0);
    faults::tell(format_args!("{full} full disks, one that is read-only"));
}

fn people(desk: &Desk) -> Vec<Value> {
    desk.registry().into_iter().filter(|resource| resource["active"] == true).collect()
}

fn are_named(desk: &Desk, name: &str) -> bool {
    people(desk).iter().all(|person| person["name"]["givenName"] == name)
}
