//! Output of commands, to standard output and standard error. A command writes through [`Out`] only, so that text from
//! a directory, a server, a file or a manifest is escaped.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;

use super::table::Table;
use crate::text::{cell, clean, clean_json};

/// Where a command prints.
pub(super) struct Out<'a>(&'a mut dyn Write);

impl<'a> Out<'a> {
    pub(super) fn new(to: &'a mut dyn Write) -> Self {
        Self(to)
    }

    /// One line.
    pub(super) fn line(&mut self, text: impl Display) -> Result<()> {
        Ok(writeln!(self.0, "{}", clean(&text.to_string()))?)
    }

    /// One line, and an empty one after it.
    pub(super) fn paragraph(&mut self, text: impl Display) -> Result<()> {
        self.line(text)?;
        self.line("")
    }

    /// A table, and an empty line after it.
    pub(super) fn table(&mut self, table: &Table) -> Result<()> {
        Ok(writeln!(self.0, "{}", table.text())?)
    }

    /// A value, for programs.
    pub(super) fn json(&mut self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        Ok(writeln!(self.0, "{}", clean_json(&serde_json::to_string_pretty(value)?))?)
    }

    /// A value in one line, for programs.
    pub(super) fn json_line(&mut self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        Ok(writeln!(self.0, "{}", clean_json(&serde_json::to_string(value)?))?)
    }

    /// A csv table in which no cell can be taken for a formula.
    pub(super) fn csv<'r, const COLUMNS: usize>(
        &mut self,
        headings: [&str; COLUMNS],
        rows: impl IntoIterator<Item = [&'r str; COLUMNS]>,
    ) -> Result<()> {
        let mut writer = csv::Writer::from_writer(&mut *self.0);
        writer.write_record(headings)?;
        for row in rows {
            writer.write_record(row.map(cell).iter().map(AsRef::as_ref))?;
        }
        Ok(writer.flush()?)
    }

    /// The output itself, for bytes that need no escaping.
    pub(super) fn verbatim(&mut self) -> &mut dyn Write {
        self.0
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Prints an error to standard error.
pub(super) fn error(what: impl Display) {
    beside("error", what);
}

/// Prints a note to standard error.
pub(super) fn note(what: impl Display) {
    beside("note", what);
}

#[expect(clippy::print_stderr, reason = "the one place that does")]
fn beside(kind: &str, what: impl Display) {
    eprintln!("{kind}: {}", clean(&what.to_string()));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(print: impl FnOnce(&mut Out<'_>) -> Result<()>) -> String {
        let mut bytes = Vec::new();
        print(&mut Out::new(&mut bytes)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn whatever_is_quoted_is_cleaned() {
        let text = "cn=a\u{1b}[2J\n\u{202e}b";
        let shown = "cn=a\\x1b[2J\\n\\u{202e}b";
        assert_eq!(printed(|out| out.line(text)), format!("{shown}\n"));
        let mut table = Table::new(&["entry", "n"]);
        table.row([text, "1"]);
        assert!(printed(|out| out.table(&table)).contains(shown));
        assert_eq!(printed(|out| out.csv(["entry", "n"], [[text, "=1"]])), format!("entry,n\n{shown},'=1\n"));
        let value = json!({ "entry": text });
        let json = printed(|out| out.json_line(&value));
        assert_eq!(json, "{\"entry\":\"cn=a\\u001b[2J\\n\\u202eb\"}\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }
}
