//! The data folder. Whoever can write in it decides who keeps an account, so nobody else may.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::error::StoreError;

/// Held by the process that writes.
const LOCK: &str = "rollcall.lock";
/// The rights of others than the owner to write, and to enter a folder.
const WRITABLE_BY_OTHERS: u32 = 0o022;
const ENTERED_BY_OTHERS: u32 = 0o011;
/// The right of everybody to write, and what leaves the folders of others alone nevertheless (`/tmp` has it).
const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Makes the folder if it is not there, takes its lock, and makes an empty database if there is none. The lock lasts
/// for as long as the returned file is open.
pub(super) fn take(folder: &Path) -> Result<File, StoreError> {
    let in_folder = |error| StoreError::folder(folder, error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(in_folder)?;
    check(folder)?;
    let lock = lock(folder)?;
    // SQLite gives its journals the rights of the database.
    drop(ours(&folder.join(FILE)).map_err(in_folder)?);
    Ok(lock)
}

/// Refuses a folder in which somebody else may put what they want, and a database that is theirs or no file.
pub(super) fn check(folder: &Path) -> Result<(), StoreError> {
    let found = fs::metadata(folder).map_err(|error| StoreError::folder(folder, error))?;
    only_ours(format!("the data folder {}", folder.display()), &found)?;
    stays_there(folder)?;
    for journal in JOURNALS {
        let file = folder.join(journal);
        if fs::symlink_metadata(&file).is_ok_and(|found| !found.is_file()) {
            return Err(StoreError::Foreign { file: file.display().to_string() });
        }
    }
    let file = folder.join(FILE);
    let Ok(database) = fs::symlink_metadata(&file) else { return Ok(()) };
    if !database.is_file() {
        return Err(StoreError::Foreign { file: file.display().to_string() });
    }
    // Where nobody else may enter, what they might do there does not matter.
    if found.mode() & ENTERED_BY_OTHERS == 0 {
        return Ok(());
    }
    only_ours(format!("the database {}", file.display()), &database)
}

/// Refuses a folder that everybody may put another one in place of.
fn stays_there(folder: &Path) -> Result<(), StoreError> {
    let in_folder = |error| StoreError::folder(folder, error);
    let folder = folder.canonicalize().map_err(in_folder)?;
    for above in folder.ancestors().skip(1) {
        let mode = fs::metadata(above).map_err(in_folder)?.mode();
        if mode & WRITABLE_BY_ALL != 0 && mode & STICKY == 0 {
            let what = format!("the folder {}, which the data folder is in,", above.display());
            return Err(StoreError::Exposed { what, mode: mode & 0o7777 });
        }
    }
    Ok(())
}

fn only_ours(what: String, found: &Metadata) -> Result<(), StoreError> {
    let (owner, us, mode) = (found.uid(), geteuid().as_raw(), found.mode());
    if owner != us {
        return Err(StoreError::NotOurs { what, owner, us });
    }
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(StoreError::Exposed { what, mode: mode & 0o7777 });
    }
    Ok(())
}

/// Takes a folder back that is ours and that the group may write. A kubelet gives a volume's group that right, over
/// everything that is in the volume (`fsGroup`); the pod's own processes are all that are in that group.
///
/// # Errors
/// When the folder belongs to somebody else, or its rights cannot be set.
pub fn take_back(folder: &Path) -> io::Result<()> {
    let found = match fs::metadata(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let only_group = found.mode() & WRITABLE_BY_OTHERS == 0o020;
    if found.is_dir() && found.uid() == geteuid().as_raw() && only_group {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let in_folder = |error| StoreError::folder(folder, error);
    let mut file = ours(&folder.join(LOCK)).map_err(in_folder)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is a courtesy; the lock itself is what counts.
            let known = (&mut file).take(32).read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
            let process = if known { format!(" (process {})", holder.trim()) } else { String::new() };
            return Err(StoreError::InUse { folder: folder.display().to_string(), process });
        }
        Err(TryLockError::Error(error)) => return Err(in_folder(error)),
    }
    file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(in_folder)?;
    Ok(file)
}

/// A file of ours, made if it is not there. What stands in its place and is no file is not followed and not touched.
fn ours(path: &Path) -> io::Result<File> {
    // Without waiting: a pipe would be opened when somebody reads it.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(path);
    let no_file = || {
        let why = format!("{} is a link, or not a file; remove it", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, why)
    };
    match file {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Ok(_) => Err(no_file()),
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) => Err(no_file()),
        Err(error) => Err(error),
    }
}

/// The database's name within the data folder.
pub const FILE: &str = "rollcall.db";
/// What SQLite keeps beside it.
const JOURNALS: [&str; 3] = ["rollcall.db-wal", "rollcall.db-shm", "rollcall.db-journal"];

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};
    use std::path::PathBuf;

    use rstest::rstest;

    use super::*;
    use crate::store::Store;

    /// A data folder with this mode in a place of its own.
    fn folder(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("data");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        (place, folder)
    }

    fn refused(folder: &Path) -> String {
        let writing = Store::open(folder).unwrap_err().to_string();
        assert!(!folder.join(LOCK).exists(), "nothing is made in it");
        writing
    }

    #[rstest]
    #[case(0o700, false)]
    #[case(0o755, false)]
    #[case(0o750, false)]
    #[case(0o775, true)]
    #[case(0o2770, true)]
    #[case(0o702, true)]
    #[case(0o1777, true)]
    fn nobody_else_may_write_in_it(#[case] mode: u32, #[case] exposed: bool) {
        let (_place, folder) = folder(mode);
        if exposed {
            let why = refused(&folder);
            assert!(why.contains("may be written by others") && why.contains("chmod go-w"), "{why}");
        } else {
            drop(Store::open(&folder).unwrap());
            Store::open_read_only(&folder).unwrap();
        }
    }

    #[rstest]
    #[case::of_everybody(0o777, true)]
    #[case::of_everybody_as_tmp(0o1777, false)]
    #[case::of_a_group(0o775, false)]
    fn nobody_else_may_put_another_in_its_place(#[case] above: u32, #[case] exposed: bool) {
        let (place, folder) = folder(0o700);
        fs::set_permissions(place.path(), fs::Permissions::from_mode(above)).unwrap();
        match Store::open(&folder) {
            Err(error) if exposed => {
                assert!(error.to_string().contains("which the data folder is in"), "{error}");
            }
            opened => assert_eq!(opened.is_err(), exposed),
        }
    }

    #[test]
    fn it_belongs_to_nobody_else() {
        let (_place, folder) = folder(0o700);
        if chown(&folder, Some(4242), None).is_err() {
            // Only root may give a folder away.
            return;
        }
        let why = refused(&folder);
        assert!(why.contains("belongs to the user 4242") && why.contains("of your own"), "{why}");
    }

    #[test]
    fn a_store_that_others_may_write_now_is_not_read() {
        let (_place, folder) = folder(0o700);
        drop(Store::open(&folder).unwrap());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let why = Store::open_read_only(&folder).unwrap_err().to_string();
        assert!(why.contains("may be written by others"), "{why}");
    }

    #[test]
    fn nor_is_a_database_that_others_may_write_where_they_may_enter() {
        let (_place, folder) = folder(0o700);
        drop(Store::open(&folder).unwrap());
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(&folder.join(FILE), 0o664);
        drop(Store::open(&folder).unwrap());
        mode(&folder, 0o755);
        let why = Store::open(&folder).unwrap_err().to_string();
        assert!(why.contains("the database") && why.contains("mode 0664"), "{why}");
    }

    #[rstest]
    #[case(LOCK)]
    #[case(FILE)]
    #[case("rollcall.db-wal")]
    fn no_link_is_followed(#[case] name: &str) {
        let (place, folder) = folder(0o700);
        let precious = place.path().join("precious");
        fs::write(&precious, "text").unwrap();
        symlink(&precious, folder.join(name)).unwrap();
        let why = Store::open(&folder).unwrap_err().to_string();
        assert!(why.contains(name), "{why}");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "text");
        fs::remove_file(folder.join(name)).unwrap();
        symlink(place.path().join("new"), folder.join(name)).unwrap();
        Store::open(&folder).unwrap_err();
        assert!(!place.path().join("new").exists(), "nothing is made where it points");
    }

    #[test]
    fn a_pipe_in_its_place_is_said() {
        let (_place, folder) = folder(0o700);
        let made = std::process::Command::new("mkfifo").arg(folder.join(FILE)).status().unwrap();
        assert!(made.success());
        assert!(matches!(Store::open(&folder), Err(StoreError::Foreign { .. })));
        assert!(matches!(Store::open_read_only(&folder), Err(StoreError::Foreign { .. })));
    }

    #[test]
    fn what_a_kubelet_gave_the_group_is_taken_back() {
        let (_place, folder) = folder(0o2770);
        take_back(&folder).unwrap();
        drop(Store::open(&folder).unwrap());
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        take_back(&folder).unwrap();
        assert!(Store::open(&folder).is_err(), "everybody could write");
        take_back(&folder.join("not there")).unwrap();
    }
}
