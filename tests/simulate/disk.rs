//! Stores on a memory disk, quickly made, that can be made to fail at any row that is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rollcall::store::{FILE, Store};
use rusqlite::Connection;
use tempfile::TempDir;

/// Stores that were just made; copied for each life, because making one takes longer than a whole life.
static NEW: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [new(false), new(true)]);

/// A new store's file; with triggers, if it can die, that fail the row at which its time has come.
fn new(can_die: bool) -> Vec<u8> {
    let folder = folder();
    drop(Store::open(folder.path()).unwrap());
    let file = folder.path().join(FILE);
    let connection = Connection::open(&file).unwrap();
    if can_die {
        connection.execute_batch("CREATE TABLE fate (rows INTEGER)").unwrap();
        for table in tables(&connection) {
            for action in ["INSERT", "UPDATE", "DELETE"] {
                let trigger = format!(
                    "CREATE TRIGGER {action}_{table} BEFORE {action} ON {table}
                     WHEN EXISTS (SELECT 1 FROM fate) BEGIN
                         UPDATE fate SET rows = rows - 1;
                         SELECT RAISE(ABORT, 'its time has come') FROM fate WHERE rows < 0;
                     END"
                );
                connection.execute_batch(&trigger).unwrap();
            }
        }
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    fs::read(file).unwrap()
}

fn tables(connection: &Connection) -> Vec<String> {
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('fate', 'store')")
        .unwrap();
    let names = tables.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

/// In memory where there is such a disk.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}

/// A store's folder.
pub(crate) struct Disk {
    folder: TempDir,
    pub(crate) can_die: bool,
    fate: Option<Connection>,
}

impl Disk {
    pub(crate) fn new(can_die: bool) -> Self {
        let disk = Self { folder: folder(), can_die, fate: None };
        fs::write(disk.file(), &NEW[usize::from(can_die)]).unwrap();
        disk
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(self.folder.path()).unwrap()
    }

    /// The process dies when it has written so many more rows: what it had not committed is not there.
    pub(crate) fn dies_after(&mut self, rows: u64) {
        self.fate().execute_batch(&format!("DELETE FROM fate; INSERT INTO fate VALUES ({rows})")).unwrap();
    }

    pub(crate) fn lives(&mut self) {
        if let Some(fate) = &self.fate {
            fate.execute_batch("DELETE FROM fate").unwrap();
        }
    }

    fn fate(&mut self) -> &Connection {
        let file = self.file();
        self.fate.get_or_insert_with(|| Connection::open(file).unwrap())
    }
}
