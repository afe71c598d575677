//! What each table should hold, as a count and a sum of hashes. Whoever writes keeps it: triggers of the writing
//! connection tell of each row that comes and goes, and what came of that is noted in the same transaction. A row that
//! changed by itself does not fit any more, and never will again: whoever replaces it takes away another one than came.
//!
//! A trigger costs more than the hash. Of a table that gets many rows at once the insert itself tells of them, by
//! `WHERE put_TABLE(…)`; where one forgets that, the store does not match when it is closed, which debug builds look at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::error::StoreError;
use super::lock::lock;

/// A table, and whose each of its rows is.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Those of which a row's hash is made.
    columns: &'static [&'static str],
    /// The one of them that says whose a row is; none where it is the whole store's.
    part: Option<&'static str>,
    /// Whether those who insert rows tell of them themselves.
    is_told: bool,
}

impl Table {
    const fn new(name: &'static str, part: Option<&'static str>, columns: &'static [&'static str]) -> Self {
        Self { name, columns, part, is_told: false }
    }

    const fn told(name: &'static str, part: Option<&'static str>, columns: &'static [&'static str]) -> Self {
        Self { name, columns, part, is_told: true }
    }
}

/// Of the whole store: who is who. What they say is needed for everything.
pub(super) const STORE: &[Table] = &[
    Table::new("store", None, &["id", "sequence", "min_reader", "indexed"]),
    Table::new(
        "connector",
        None,
        &["id", "name", "next_row", "next_name", "sealed", "completion", "info", "cursor", "absent_since"],
    ),
    Table::new(
        "policy",
        None,
        &["id", "owner", "next_subject", "first_complete_at", "applied_spec", "absent_since"],
    ),
    Table::new("place", None, &["policy", "target"]),
    Table::new("target", None, &["id", "identity"]),
    Table::new("number", None, &["kind", "last"]),
    Table::new("reader", None, &["owner", "digest"]),
    Table::new("object", None, &["owner", "uid", "refused"]),
];

/// Of a connector.
pub(super) const CONNECTOR: &[Table] = &[
    Table::told("entry", Some("connector"), &["connector", "id", "anchor"]),
    Table::told("name", Some("connector"), &["connector", "id", "key"]),
    Table::told(
        "version",
        Some("connector"),
        &[
            "connector",
            "entry",
            "sequence",
            "standing",
            "detail",
            "hash",
            "content",
            "names",
            "complete",
            "edges",
        ],
    ),
    Table::new(
        "coverage",
        Some("connector"),
        &["connector", "field", "baseline", "current", "tripped", "lost"],
    ),
    Table::new("part", Some("connector"), &["connector", "kind", "part", "numbers"]),
    Table::new("indexed", Some("connector"), &["connector", "there", "touched"]),
];

/// Of a policy.
pub(super) const POLICY: &[Table] = &[
    Table::told("subject", Some("policy"), &["policy", "id", "kind", "key"]),
    Table::new("anchor", Some("policy"), &["policy", "subject", "directory", "anchor"]),
    Table::told(
        "link",
        Some("policy"),
        &["policy", "target", "subject", "object", "confirmed", "active", "leaving", "members"],
    ),
    // By which numbers these two go does not matter.
    Table::told("intent", Some("policy"), &["policy", "target", "subject", "run", "effect", "members"]),
    Table::told(
        "journal",
        Some("policy"),
        &["policy", "run", "at", "verb", "subject", "class", "evidence", "count", "approved"],
    ),
    Table::new("census", Some("policy"), &["policy", "at", "users", "groups", "memberships"]),
    Table::new("hold", Some("policy"), &["policy", "digest", "current", "seen", "body"]),
    Table::new("approval", Some("policy"), &["policy", "digest", "first_seen"]),
    Table::new("approver", Some("policy"), &["policy", "digest", "name"]),
    Table::new("used", Some("policy"), &["policy", "verb", "subject", "member"]),
    Table::new(
        "rejection",
        Some("policy"),
        &["policy", "target", "subject", "content", "why", "attempts", "next_try"],
    ),
    Table::new("exception", Some("policy"), &["policy", "body"]),
    Table::new("accepted", Some("policy"), &["policy", "connector", "field", "lost"]),
];

/// Of a target.
pub(super) const TARGET: &[Table] = &[
    Table::told("claim", Some("target"), &["target", "object", "policy"]),
    Table::new("reservation", Some("target"), &["target", "what", "policy", "intent"]),
];

/// What a registry serves.
pub(super) const REGISTRY: &[Table] = &[Table::new(
    "registry",
    Some("policy"),
    &["policy", "number", "kind", "id", "name_key", "active", "content", "members"],
)];

/// What tables there are, by what SQLite says of them; which is written once.
pub(super) const SCHEMA: Table = Table::new("sqlite_schema", None, &["type", "name", "tbl_name", "sql"]);

/// All of them.
pub(super) fn tables() -> impl Iterator<Item = &'static Table> {
    [STORE, CONNECTOR, POLICY, TARGET, REGISTRY].into_iter().flatten()
}

/// How many rows there are, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: i64,
    pub(super) sum: i64,
}

impl Sum {
    fn put(&mut self, hash: i64) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    fn take(&mut self, hash: i64) {
        self.rows -= 1;
        self.sum = self.sum.wrapping_sub(hash);
    }

    fn and(self, other: Self) -> Self {
        Self { rows: self.rows.wrapping_add(other.rows), sum: self.sum.wrapping_add(other.sum) }
    }
}

/// What a transaction changed, by table and part.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<(&'static str, i64), Sum>>);

impl Tally {
    /// Hears of each row that this connection writes from here on.
    pub(super) fn listen(writer: &Connection) -> Result<Arc<Self>, StoreError> {
        let tally = Arc::new(Self::default());
        // Rows that others replace are told of as well.
        writer.pragma_update(None, "recursive_triggers", true)?;
        for table in tables() {
            let each = |row: &str| {
                let columns = table.columns.iter().map(|column| format!("{row}.{column}"));
                columns.collect::<Vec<_>>().join(", ")
            };
            let (name, old, new) = (table.name, each("old"), each("new"));
            let (put, take) = (format!("put_{name}"), format!("take_{name}"));
            tally.clone().hear(writer, &put, table, Sum::put)?;
            tally.clone().hear(writer, &take, table, Sum::take)?;
            if !table.is_told {
                writer.execute_batch(&format!(
                    "CREATE TEMP TRIGGER {name}_put AFTER INSERT ON main.{name} BEGIN SELECT {put}({new}); END;"
                ))?;
            }
            writer.execute_batch(&format!(
                "CREATE TEMP TRIGGER {name}_take AFTER DELETE ON main.{name} BEGIN SELECT {take}({old}); END;
                 CREATE TEMP TRIGGER {name}_change AFTER UPDATE ON main.{name} BEGIN
                     SELECT {take}({old}), {put}({new});
                 END;"
            ))?;
        }
        Ok(tally)
    }

    fn hear(
        self: Arc<Self>,
        writer: &Connection,
        name: &str,
        table: &'static Table,
        change: fn(&mut Sum, i64),
    ) -> Result<(), StoreError> {
        let part = table.part();
        let count = i32::try_from(table.columns.len()).unwrap_or(-1);
        writer.create_scalar_function(name, count, FunctionFlags::SQLITE_UTF8, move |row| {
            let hash = hash((0..row.len()).map(|column| row.get_raw(column)));
            let part = part.map_or(Ok(0), |part| row.get::<i64>(part))?;
            change(lock(&self.0).entry((table.name, part)).or_default(), hash);
            Ok(true)
        })?;
        Ok(())
    }

    /// Begins anew.
    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Notes what this transaction changed.
    pub(super) fn note(&self, writer: &Transaction<'_>) -> Result<(), StoreError> {
        let changed = std::mem::take(&mut *lock(&self.0));
        for ((name, part), change) in changed {
            if change != Sum::default() {
                note(writer, name, part, noted(writer, name, part)?.and(change))?;
            }
        }
        Ok(())
    }
}

/// What a table should hold of a part.
pub(super) fn noted(reader: &Transaction<'_>, name: &str, part: i64) -> Result<Sum, StoreError> {
    let noted = reader
        .prepare_cached("SELECT rows, sum FROM digest WHERE name = ?1 AND part = ?2")?
        .query_row(params![name, part], |row| Ok(Sum { rows: row.get(0)?, sum: row.get(1)? }))
        .optional()?;
    Ok(noted.unwrap_or_default())
}

/// Whether there is such a table.
pub(super) fn has_table(reader: &Transaction<'_>, name: &str) -> Result<bool, StoreError> {
    // That of what there is has no row about itself.
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1) OR ?1 = 'sqlite_schema'";
    Ok(reader.prepare_cached(sql)?.query_row([name], |row| row.get(0))?)
}

/// What a table should hold, by part.
pub(super) fn all_noted(reader: &Transaction<'_>, name: &str) -> Result<BTreeMap<i64, Sum>, StoreError> {
    let mut statement = reader.prepare_cached("SELECT part, rows, sum FROM digest WHERE name = ?1")?;
    let noted =
        statement.query_map([name], |row| Ok((row.get(0)?, Sum { rows: row.get(1)?, sum: row.get(2)? })))?;
    Ok(noted.collect::<Result<_, _>>()?)
}

fn note(writer: &Transaction<'_>, name: &str, part: i64, sum: Sum) -> Result<(), StoreError> {
    if sum == Sum::default() {
        writer
            .prepare_cached("DELETE FROM digest WHERE name = ?1 AND part = ?2")?
            .execute(params![name, part])?;
        return Ok(());
    }
    writer
        .prepare_cached("INSERT OR REPLACE INTO digest (name, part, rows, sum) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![name, part, sum.rows, sum.sum])?;
    Ok(())
}

/// Notes what all tables hold: for a store of a version that did not, and after a change of the schema.
pub(super) fn begin(writer: &Transaction<'_>) -> Result<(), StoreError> {
    writer.execute("DELETE FROM digest", [])?;
    for table in tables().chain([&SCHEMA]) {
        for (part, sum) in table.sums(writer, None)? {
            note(writer, table.name, part, sum)?;
        }
    }
    Ok(())
}

impl Table {
    /// Whether this `TABLE.COLUMN` is one of its.
    #[cfg(test)]
    pub(super) fn has(&self, column: &str) -> bool {
        column
            .split_once('.')
            .is_some_and(|(name, column)| name == self.name && self.columns.contains(&column))
    }

    /// Which column says whose a row is.
    fn part(&self) -> Option<usize> {
        self.part.and_then(|part| self.columns.iter().position(|column| *column == part))
    }

    /// What the table holds, of one part or by part. A store of an older version, which is only read, has no newer tables: that
    /// one is missing which was there is seen by what is noted of it.
    pub(super) fn sums(
        &self,
        reader: &Transaction<'_>,
        of: Option<i64>,
    ) -> Result<BTreeMap<i64, Sum>, StoreError> {
        if !has_table(reader, self.name)? {
            return Ok(BTreeMap::new());
        }
        let columns = self.columns.join(", ");
        let only = match (self.part, of) {
            (Some(part), Some(of)) => format!(" WHERE {part} = {of}"),
            _ => String::new(),
        };
        let mut statement = reader.prepare(&format!("SELECT {columns} FROM {}{only}", self.name))?;
        let (part, count) = (self.part(), self.columns.len());
        let mut rows = statement.query([])?;
        let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
        let mut last = (0, Sum::default());
        while let Some(row) = rows.next()? {
            let part = part.map_or(Ok(0), |part| row.get(part))?;
            if part != last.0 {
                let (of, sum) = std::mem::replace(&mut last, (part, Sum::default()));
                let before = sums.entry(of).or_default();
                *before = before.and(sum);
            }
            let mut hasher = Hasher::default();
            for column in 0..count {
                hasher.value(row.get_ref(column)?);
            }
            last.1.put(hasher.finish());
        }
        let before = sums.entry(last.0).or_default();
        *before = before.and(last.1);
        Ok(sums)
    }
}

fn hash<'v>(values: impl Iterator<Item = ValueRef<'v>>) -> i64 {
    let mut hasher = Hasher::default();
    values.for_each(|value| hasher.value(value));
    hasher.finish()
}

/// Two rows of the same shape of which only one word differs never have the same hash: each step can be undone. It
/// withstands chance, and nobody who means harm.
#[derive(Default)]
struct Hasher(u64);

impl Hasher {
    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.word(0),
            ValueRef::Integer(number) => {
                self.word(1);
                self.word(number.cast_unsigned());
            }
            ValueRef::Real(number) => {
                self.word(2);
                self.word(number.to_bits());
            }
            ValueRef::Text(text) => self.bytes(3, text),
            ValueRef::Blob(bytes) => self.bytes(4, bytes),
        }
    }

    fn bytes(&mut self, kind: u64, bytes: &[u8]) {
        self.word(kind | (bytes.len() as u64) << 3);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
    }

    fn finish(&self) -> i64 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (hash ^ (hash >> 29)).cast_signed()
    }
}
