//! Entries of a directory in memory, and the policy that brings them into the registry.

use std::sync::Arc;

use rollcall::directory::{Anchor, Change, Dn, Entry, EntryKind, Members, Reference, Stated};
use rollcall::spec;
use rollcall::sync::policy::Policy;

/// What an entry is called of which nothing but the anchor is said.
fn dn(anchor: &str) -> String {
    format!("cn={anchor},dc=corp")
}

/// How a list names it.
pub(crate) fn name(anchor: &str) -> Reference {
    Reference::Dn(Dn::parse(&dn(anchor)).unwrap())
}

/// An entry that is called by its anchor.
pub(crate) fn entry(anchor: &str, kind: EntryKind, stated: &[(&str, &str)], members: Members) -> Change {
    entry_at(&dn(anchor), anchor, kind, stated, members)
}

/// An entry with this DN.
pub(crate) fn entry_at(
    dn: &str,
    anchor: &str,
    kind: EntryKind,
    stated: &[(&str, &str)],
    members: Members,
) -> Change {
    let stated =
        stated.iter().map(|(field, value)| ((*field).to_owned(), Stated::Values(vec![(*value).to_owned()])));
    Change::Replace(Box::new(Entry {
        anchor: Anchor::new(anchor),
        kind,
        dn: dn.to_owned(),
        names: vec![Reference::Dn(Dn::parse(dn).unwrap())],
        fields: stated.collect(),
        members,
        ..Entry::nobody()
    }))
}

/// The policy `test/all`: everybody of the connector `test/corp` comes into the registry.
pub(crate) fn policy() -> Arc<Policy> {
    let manifest = "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: { name: corp, namespace: test }\n\
                    spec: { ldif: { path: none } }\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
                    metadata: { name: all, namespace: test }\n\
                    spec: { connectors: [{ name: corp }], target: { registry: {} } }\n";
    let mut manifests = spec::manifest::Manifests::default();
    manifests.text("test", manifest, None);
    spec::resolve(&manifests.objects).policies[0].policy.clone()
}
