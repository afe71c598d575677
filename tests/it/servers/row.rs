//! The table of docs/directories/tested.md: server x what happens.

use std::fs;
use std::sync::Mutex;

use serde_json::Value;

use crate::support::servers::Which;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/directories/tested.md");
const BEGIN: &str = "<!-- servers: written by `make servers` -->\n";
const END: &str = "<!-- end of servers -->";
const HEAD: &str = "| Server | Version | Read | Renamed | Disabled, by | Deleted | Into a group, out of it | Changes |\n\
                    |---|---|---|---|---|---|---|---|\n";
const ORDER: [Which; 6] =
    [Which::OpenLdap, Which::Samba, Which::Ds389, Which::OpenDj, Which::ApacheDs, Which::UnboundId];
/// One of the tests writes at a time.
static WRITING: Mutex<()> = Mutex::new(());

/// What came of a life.
pub(super) struct Row {
    pub(super) which: Which,
    pub(super) version: String,
    pub(super) read: String,
    /// After how many reads, and whether the server sees to the lists itself.
    pub(super) renamed: (usize, bool),
    pub(super) disabled: (usize, &'static str),
    pub(super) deleted: usize,
    pub(super) moved: [usize; 2],
    pub(super) feed: Value,
}

impl Row {
    /// Writes it into the page, or sees that the page says it.
    pub(super) fn is_in_the_page(&self) {
        let _writing = WRITING.lock().unwrap();
        let page = fs::read_to_string(PAGE).unwrap();
        let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the table");
        let (table, after) = rest.split_once(END).unwrap();
        let said =
            |which: Which| table.lines().find(|line| line.starts_with(&format!("| {} |", which.name())));
        if std::env::var_os("ROLLCALL_GENERATE").is_some() {
            let row = |which: Which| {
                if which == self.which {
                    Some(self.line(&self.version))
                } else {
                    said(which).map(str::to_owned)
                }
            };
            let rows: String = ORDER.into_iter().filter_map(row).map(|line| line + "\n").collect();
            fs::write(PAGE, [before, BEGIN, HEAD, &rows, END, after].concat()).unwrap();
            return;
        }
        let said = said(self.which).expect("the page has this server");
        // Whoever has another version than the page may see that it does the same.
        let version = said.split(" | ").nth(1).unwrap();
        assert_eq!(said, self.line(version), "{PAGE}: `make servers` writes it anew");
    }

    fn line(&self, version: &str) -> String {
        let at = |read: usize| if read == 1 { "next read".to_owned() } else { format!("read {read}") };
        let (renamed, follows) = self.renamed;
        let lists = if follows { "the server renames in lists" } else { "lists keep the old name" };
        let (disabled, attribute) = self.disabled;
        let [entered, left] = self.moved;
        let reason = self.feed["reason"].as_str().unwrap_or_default();
        let feed = self.feed["active"].as_str().expect("there is always one");
        let feed = if reason.is_empty() { format!("`{feed}`") } else { format!("`{feed}`: {reason}") };
        format!(
            "| {} | {version} | {} | {}, same user; {lists} | {}, `{attribute}` | {} | {}, {} | {feed} |",
            self.which.name(),
            self.read,
            at(renamed),
            at(disabled),
            at(self.deleted),
            at(entered),
            at(left),
        )
    }
}
