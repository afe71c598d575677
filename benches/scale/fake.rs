//! A directory that makes its entries as it is read: nothing of it is ever in memory as a whole.

use std::collections::{BTreeSet, HashMap};

use rollcall::directory::{Anchor, Change, Completion, Cursor, DirectoryId, EntryKind, Filler, Mode};
use rollcall::source::schema::{Attributes, EntrySchema};
use rollcall::source::{LookUp, Sink, Source, SourceError};

use crate::slapd::SUFFIX;
use crate::{Size, company};

/// The company of this size.
#[derive(Clone, Copy)]
pub(crate) struct Fake(pub(crate) Size);

impl Source for Fake {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let Self(size) = *self;
        let schema =
            EntrySchema { anchor: "entryuuid".to_owned(), literal: BTreeSet::new(), demands_members: false };
        let mut filler = Filler::default();
        for at in 0..size.people + size.groups {
            let (dn, attributes) = if at < size.people { person(at) } else { group(size, at - size.people) };
            let kind = if at < size.people { EntryKind::User } else { EntryKind::Group };
            let entry = schema.entry(&dn, &attributes, Some(kind)).ok().flatten();
            if let Some(batch) = entry.and_then(|entry| filler.add(Change::Replace(Box::new(entry)))) {
                sink.send(batch).await?;
            }
        }
        if let Some(batch) = filler.rest() {
            sink.send(batch).await?;
        }
        Ok(Completion {
            mode: Mode::Full,
            directory: DirectoryId::new(SUFFIX),
            id: None,
            server: None,
            cursor: None,
            fields: EntrySchema::fields(),
            attributes: BTreeSet::new(),
            scope: "everything".to_owned(),
            notices: Vec::new(),
            vendor: None,
            feed: None,
            shown: rollcall::directory::Shown::default(),
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

fn person(at: usize) -> (String, Attributes) {
    let mut attributes = common("inetOrgPerson", at);
    for (name, value) in company::person(at) {
        attributes.add(name, [value.into_bytes()]);
    }
    (format!("uid=u{at:07},ou=people,{SUFFIX}"), attributes)
}

fn group(size: Size, group: usize) -> (String, Attributes) {
    let mut attributes = common("groupOfNames", size.people + group);
    attributes.add("cn", [format!("g{group:06}").into_bytes()]);
    let members = 0..company::members(size, group);
    let members = members.map(|at| company::member(size, group, at));
    let members = members.map(|at| format!("uid=u{at:07},ou=people,{SUFFIX}").into_bytes());
    attributes.add("member", members);
    (format!("cn=g{group:06},ou=groups,{SUFFIX}"), attributes)
}

fn common(class: &str, at: usize) -> Attributes {
    let uuid = format!("{at:08x}-5f0e-4c1b-9c56-2f6d8e1a7b30");
    let mut attributes = Attributes::new();
    attributes.add("objectClass", [class.as_bytes().to_vec()]);
    attributes.add("entryUUID", [uuid.into_bytes()]);
    attributes
}
