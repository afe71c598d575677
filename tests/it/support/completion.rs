//! What a fake source says of a read that reached its end.

use std::collections::BTreeSet;

use rollcall::directory::{Completion, DirectoryId, Mode, Shown};
use rollcall::source::schema::EntrySchema;

/// Of a source without a feed that says nothing out of the ordinary.
pub(crate) fn completion(mode: Mode, directory: &str) -> Completion {
    Completion {
        mode,
        directory: DirectoryId::new(directory),
        id: None,
        server: None,
        cursor: None,
        fields: EntrySchema::fields(),
        attributes: BTreeSet::new(),
        scope: String::new(),
        notices: Vec::new(),
        vendor: None,
        feed: None,
        shown: Shown::default(),
    }
}
