//! Tables like those of kubectl: columns without lines.

use comfy_table::{ContentArrangement, presets};

use crate::text::clean;

/// A table in the making.
pub(super) struct Table(comfy_table::Table);

impl Table {
    /// A table with these headings.
    pub(super) fn new(headings: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
        Self(table)
    }

    /// One more row.
    pub(super) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.add_row(cells.into_iter().map(|cell| clean(cell.as_ref()).into_owned()));
    }

    /// The table as lines without spaces at their ends.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for line in self.0.to_string().lines() {
            text.push_str(line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()));
            text.push('\n');
        }
        text
    }
}
