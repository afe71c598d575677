//! A feed that tells of some people of a snapshot who have another family name since.

use std::collections::HashMap;

use anyhow::Result;
use roaring::RoaringBitmap;
use rollcall::directory::{
    Anchor, Batch, Change, Completion, Cursor, Dn, Entry, Mode, Reference, Shown, Stated, fields,
};
use rollcall::source::{LookUp, Sink, Source, SourceError};
use rollcall::store::snapshot::{Snapshot, SnapshotInfo};

pub(crate) struct News {
    info: SnapshotInfo,
    changed: Vec<Entry>,
}

impl News {
    /// Of so many people, who are the first that were read.
    pub(crate) fn of(snapshot: &Snapshot, people: usize) -> Result<Self> {
        let rows: RoaringBitmap = (1..).take(people).collect();
        let mut changed = Vec::with_capacity(people);
        snapshot.rows(&rows, &mut |row| {
            let mut entry = row.entry;
            entry.names.extend(Dn::parse(&entry.dn).ok().map(Reference::Dn));
            let name = vec![format!("News {people}")];
            entry.fields.insert(fields::FAMILY_NAME.to_owned(), Stated::Values(name));
            changed.push(entry);
        })?;
        Ok(Self { info: snapshot.info().clone(), changed })
    }
}

impl Source for News {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        for some in self.changed.chunks(Batch::MAX) {
            let batch = some.iter().map(|entry| Change::Replace(Box::new(entry.clone()))).collect();
            sink.send(Batch(batch)).await?;
        }
        Ok(Completion {
            mode: Mode::Delta,
            directory: self.info.directory.clone(),
            id: None,
            server: self.info.server.clone(),
            cursor: None,
            fields: self.info.fields.clone(),
            attributes: self.info.attributes.clone(),
            scope: self.info.scope.clone(),
            notices: Vec::new(),
            vendor: None,
            feed: None,
            shown: Shown::default(),
        })
    }

    async fn look_up(
        &self,
        _: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        Ok(None)
    }
}
