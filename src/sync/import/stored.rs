//! What is written of an entry, and by what it is known that it is as it was.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use crate::directory::Entry;
use crate::store::snapshot::{Fingerprint, fingerprint};
use crate::store::{StoreError, bitmap};

/// Names and members as the store keeps them.
pub(super) struct Stored {
    pub(super) names: Vec<u8>,
    pub(super) edges: Option<(Vec<u8>, bool)>,
}

impl Stored {
    pub(super) fn new(
        names: &RoaringBitmap,
        edges: Option<&(RoaringBitmap, bool)>,
    ) -> Result<Self, StoreError> {
        let edges = edges.map(|(edges, complete)| Ok::<_, StoreError>((bitmap::write(edges)?, *complete)));
        Ok(Self { names: bitmap::write(names)?, edges: edges.transpose()? })
    }

    /// Of an entry with this content.
    pub(super) fn hash(&self, content: &str) -> Fingerprint {
        let (edges, complete) = match &self.edges {
            Some((edges, complete)) => (edges.as_slice(), [1 + u8::from(*complete)]),
            None => (&[][..], [0]),
        };
        fingerprint([stated(content).as_bytes(), &self.names, edges, &complete])
    }
}

/// What an entry states by its content: not where it stands, which changes with what stands before it.
pub(super) fn stated(content: &str) -> Cow<'_, str> {
    let states = |content: &str| {
        let entry: Entry = serde_json::from_str(content).ok()?;
        serde_json::to_string(&Entry { place: None, ..entry }).ok()
    };
    let with_place = content.contains("\"place\":").then(|| states(content)).flatten();
    with_place.map_or(Cow::Borrowed(content), Cow::Owned)
}
