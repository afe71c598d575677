//! Stores on a memory disk, quickly made, that can be made to fail at any row that is written.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use rollcall::store::{FILE, Store};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tempfile::TempDir;
use uuid::Uuid;

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
    drop(connection);
    Store::open(folder.path()).unwrap().take_for_written().unwrap();
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

thread_local! {
    /// Disks of lives that have ended, for the next ones: to open a store takes longer than to use it.
    static USED: RefCell<Vec<(Disk, Store)>> = RefCell::default();
}

/// A store's folder.
pub(crate) struct Disk {
    folder: TempDir,
    pub(crate) can_die: bool,
    doomed: bool,
    /// A way in that is not the store's own.
    hand: Connection,
    /// What makes it empty.
    emptying: String,
}

impl Disk {
    /// An empty store, on a disk that can die or cannot.
    pub(crate) fn new(can_die: bool) -> (Self, Store) {
        let used = USED.with_borrow_mut(|used| {
            let at = used.iter().position(|(disk, _)| disk.can_die == can_die)?;
            Some(used.swap_remove(at))
        });
        if let Some((mut disk, store)) = used {
            disk.empty();
            store.take_for_written().unwrap();
            return (disk, store);
        }
        let folder = folder();
        let file = folder.path().join(FILE);
        fs::write(&file, &NEW[usize::from(can_die)]).unwrap();
        let hand = Connection::open(file).unwrap();
        // Nothing dies by what is done here.
        hand.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
        let emptying: Vec<String> =
            tables(&hand).iter().map(|table| format!("DELETE FROM {table};")).collect();
        let disk = Self { folder, can_die, doomed: false, hand, emptying: emptying.concat() };
        let store = disk.open();
        (disk, store)
    }

    /// Whoever had the store does not need it any more.
    pub(crate) fn give_back(self, store: Store) {
        USED.with_borrow_mut(|used| used.push((self, store)));
    }

    /// As it was when it was made, and another store.
    fn empty(&mut self) {
        self.lives();
        let another = format!("UPDATE store SET id = '{}', sequence = 0", Uuid::new_v4());
        let all = format!("BEGIN IMMEDIATE; {}{another}; COMMIT", self.emptying);
        self.hand.execute_batch(&all).unwrap();
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(self.folder.path()).unwrap()
    }

    /// The process dies when it has written so many more rows: what it had not committed is not there.
    pub(crate) fn dies_after(&mut self, rows: u64) {
        self.doomed = true;
        self.hand.execute_batch(&format!("DELETE FROM fate; INSERT INTO fate VALUES ({rows})")).unwrap();
    }

    pub(crate) fn lives(&mut self) {
        if std::mem::take(&mut self.doomed) {
            self.hand.execute_batch("DELETE FROM fate").unwrap();
        }
    }
}
