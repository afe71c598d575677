//! What every source must do, and that two of them say the same of the same entries.

use std::collections::BTreeSet;

use rollcall::directory::{Anchor, Batch, Change, Completion, Entry, Mode};
use rollcall::source::ldap::{LdapConfig, LdapSource};
use rollcall::source::ldif::{Input, LdifConfig, LdifSource};
use rollcall::source::{Reason, Source, SourceError};
use tokio::sync::mpsc;

use crate::ldap::config;
use crate::support::company::hurtful;
use crate::support::slapd::{SUFFIX, Setup, Slapd};

/// Reads everything, as slowly as a sink of one batch allows.
async fn read(source: &impl Source) -> (Vec<Change>, Result<Completion, SourceError>) {
    let (sink, mut batches) = mpsc::channel::<Batch>(1);
    let taking = async {
        let mut changes = Vec::new();
        while let Some(batch) = batches.recv().await {
            assert!(batch.0.len() <= Batch::MAX, "a batch of {}", batch.0.len());
            changes.extend(batch.0);
        }
        changes
    };
    let (end, changes) = tokio::join!(source.read(None, sink.into()), taking);
    (changes, end)
}

/// The entries that came, by anchor.
fn entries(changes: Vec<Change>) -> Vec<Entry> {
    let entry = |change| match change {
        Change::Replace(entry) => *entry,
        other => panic!("not an entry: {other:?}"),
    };
    let mut entries: Vec<Entry> = changes.into_iter().map(entry).collect();
    entries.sort_by(|one, other| one.anchor.cmp(&other.anchor));
    entries
}

async fn holds(source: &impl Source) {
    let (changes, end) = read(source).await;
    let end = end.unwrap();
    assert_eq!(end.mode, Mode::Full);
    assert!(end.fields.contains("mail") && end.attributes.contains("audio"));
    let first = entries(changes);
    let anchors: BTreeSet<&Anchor> = first.iter().map(|entry| &entry.anchor).collect();
    assert!(first.len() > 20 && anchors.len() == first.len(), "each entry comes once");

    let (changes, again) = read(source).await;
    assert_eq!(again.unwrap(), end, "the second read ends like the first");
    assert_eq!(entries(changes), first, "and brings the same");

    let (sink, batches) = mpsc::channel(1);
    drop(batches);
    assert_eq!(source.read(None, sink.into()).await.unwrap_err().reason, Reason::Cancelled);

    let nobody = Anchor::new("00000000-0000-0000-0000-000000000000");
    let there: Vec<Anchor> = anchors.into_iter().cloned().collect();
    let asked: Vec<Anchor> = there.iter().cloned().chain([nobody.clone()]).collect();
    if let Some(settled) = source.look_up(&asked).await.unwrap() {
        // Whoever a read brings is not elsewhere, though they be missing from the one before.
        assert_eq!((settled.found, settled.missing), (Vec::new(), vec![nobody]));
    }
}

fn literal() -> BTreeSet<String> {
    BTreeSet::from(["audio".to_owned()])
}

fn ldap(slapd: &Slapd) -> LdapSource {
    LdapSource::new(LdapConfig { literal: literal(), page_size: 7, ..config(&[&slapd.url()]) })
}

/// What `ldapsearch` exports of the server, as people do it.
fn ldif(slapd: &Slapd) -> LdifSource {
    LdifSource::new(LdifConfig {
        input: Input::Text(slapd.export().into()),
        name: "export.ldif".to_owned(),
        directory_id: None,
        anchor: None,
        literal: literal(),
    })
}

#[tokio::test]
async fn ldap_and_ldif_hold_to_it_and_say_the_same_of_the_same_entries() {
    let slapd = Slapd::start(&Setup { ldif: &hurtful(), ..Setup::default() });
    let (server, file) = (ldap(&slapd), ldif(&slapd));
    holds(&server).await;
    holds(&file).await;
    let ((over_the_wire, end), (from_a_file, of_file)) = (read(&server).await, read(&file).await);
    let (end, of_file) = (end.unwrap(), of_file.unwrap());
    assert_eq!((end.directory.as_str(), &end.directory), (SUFFIX, &of_file.directory));
    assert_eq!((end.fields, end.attributes), (of_file.fields, of_file.attributes));
    assert_eq!(entries(over_the_wire), entries(from_a_file));
}

#[tokio::test]
async fn a_file_of_large_groups_comes_in_small_batches() {
    let member = |number: usize| format!("member: cn=m{number},dc=x\n");
    let members: String = (0..Batch::MEMBERS / 2).map(member).collect();
    let group = |name: usize| {
        format!(
            "dn: cn=g{name},dc=x\nobjectClass: groupOfNames\ncn: g{name}\nentryUUID: g{name}\n{members}\n"
        )
    };
    let source = LdifSource::new(LdifConfig {
        input: Input::Text((0..5).map(group).collect::<String>().as_bytes().into()),
        name: "export.ldif".to_owned(),
        directory_id: None,
        anchor: None,
        literal: BTreeSet::new(),
    });
    let (sink, mut batches) = mpsc::channel::<Batch>(5);
    source.read(None, sink.into()).await.unwrap();
    let mut sizes = Vec::new();
    while let Some(batch) = batches.recv().await {
        sizes.push(batch.0.len());
    }
    assert_eq!(sizes, [2, 2, 1]);
}

/// What `ldapsearch` without `-LLL` writes at its end.
const TRAILER: &str =
    "\n# search result\nsearch: 2\nresult: 0 Success\n\n# numResponses: 4\n# numEntries: 3\n";

#[tokio::test]
async fn an_export_cut_at_any_byte_is_refused_where_it_says_how_much_it_holds() {
    let person = |name: &str| {
        format!(
            "dn: uid={name},dc=x\nobjectClass: person\nuid: {name}\ncn:: w5hzdGVy\nentryUUID: id-{name}\n"
        )
    };
    let whole = format!(
        "dn: dc=x\nobjectClass: domain\ndc: x\nentryUUID: base\n\n{}\n{}{TRAILER}",
        person("ada"),
        person("bob")
    );
    let source = |text: &str| {
        LdifSource::new(LdifConfig {
            input: Input::Text(text.as_bytes().into()),
            name: "export.ldif".to_owned(),
            directory_id: None,
            anchor: None,
            literal: BTreeSet::new(),
        })
    };
    let (changes, end) = read(&source(&whole)).await;
    end.unwrap();
    assert_eq!(changes.len(), 2);
    for cut in 0..whole.len() {
        let (changes, end) = read(&source(&whole[..cut])).await;
        // A text that ends with a line and before its trailer can be a whole, smaller export: then what
        // is missing from it is no more than unconfirmed. In a line it never is.
        if end.is_ok() {
            assert!(whole[..cut].ends_with('\n'), "completed within a line, at byte {cut}");
            let before_trailer = cut <= whole.len() - TRAILER.len() + 1;
            assert!(before_trailer || changes.len() == 2, "at byte {cut}: {}", changes.len());
        }
    }
}
