//! What every source must do, and that two of them say the same of the same entries.

use std::collections::{BTreeSet, HashMap};

use rollcall::directory::{Anchor, Batch, Change, Completion, Entry, Mode, Shown};
use rollcall::source::ldap::LdapConfig;
use rollcall::source::ldif::{Input, LdifConfig, LdifSource};
use rollcall::source::{Reason, Source, SourceConfig, SourceError};
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
        Change::Replace(entry) => Some(*entry),
        Change::OfNoKind { .. } | Change::Gap { .. } | Change::Stray { .. } | Change::Anonymous { .. } => {
            None
        }
        other => panic!("not an entry: {other:?}"),
    };
    let mut entries: Vec<Entry> = changes.into_iter().filter_map(entry).collect();
    entries.sort_by(|one, other| one.anchor.cmp(&other.anchor));
    entries
}

/// `literal` is an attribute that it is to ask for.
pub(crate) async fn holds(config: &SourceConfig, literal: &str) {
    let (source, abilities) = (&config.open(None), config.abilities());
    let (changes, end) = read(source).await;
    let end = end.unwrap();
    assert_eq!(end.mode, Mode::Full);
    assert!(end.fields.contains("mail") && end.attributes.contains(literal));
    let first = entries(changes);
    let anchors: BTreeSet<&Anchor> = first.iter().map(|entry| &entry.anchor).collect();
    assert!(first.len() > 20 && anchors.len() == first.len(), "each entry comes once");

    assert!(abilities.has_feed || end.cursor.is_none());
    assert_eq!(
        config.account()[0].is_some(),
        abilities.is_a_server,
        "whoever is a server is asked by somebody"
    );

    // The session of one read is one for the next.
    let source = &config.open(Some(source));
    let (changes, again) = read(source).await;
    // Where a feed goes on, and what time it is, is another each time.
    let lasting = |end: Completion| Completion { cursor: None, shown: Shown::default(), ..end };
    assert_eq!(lasting(again.unwrap()), lasting(end), "the second read ends like the first");
    assert_eq!(entries(changes), first, "and brings the same");

    let (sink, batches) = mpsc::channel(1);
    drop(batches);
    assert_eq!(source.read(None, sink.into()).await.unwrap_err().reason, Reason::Cancelled);

    let nobody = Anchor::new("00000000-0000-0000-0000-000000000000");
    let there: Vec<Anchor> = anchors.into_iter().cloned().collect();
    let asked: Vec<Anchor> = there.iter().cloned().chain([nobody.clone()]).collect();
    let settled = source.look_up(&asked, &HashMap::new()).await.unwrap();
    assert_eq!(settled.is_some(), abilities.looks_up);
    if let Some(settled) = settled {
        // Whoever a read brings is not elsewhere, though they be missing from the one before.
        assert_eq!((settled.found, settled.missing), (Vec::new(), vec![nobody]));
    }
}

fn literal() -> BTreeSet<String> {
    BTreeSet::from(["audio".to_owned()])
}

fn ldap(slapd: &Slapd) -> SourceConfig {
    let ldap = LdapConfig { literal: literal(), page_size: 7, ..config(&[&slapd.url()]) };
    SourceConfig::Ldap(crate::ldap::generic(ldap))
}

/// An export.
fn file(text: &[u8]) -> LdifSource {
    LdifSource::new(export(text))
}

fn export(text: &[u8]) -> LdifConfig {
    LdifConfig {
        input: Input::Text(text.into()),
        name: "export.ldif".to_owned(),
        directory_id: None,
        anchor: None,
        user_filter: None,
        group_filter: None,
        literal: literal(),
    }
}

#[tokio::test]
async fn ldap_and_ldif_hold_to_it_and_say_the_same_of_the_same_entries() {
    let slapd = Slapd::start(&Setup { ldif: &hurtful(), ..Setup::default() });
    let (server, file) = (ldap(&slapd), SourceConfig::Ldif(export(&slapd.export())));
    holds(&server, "audio").await;
    holds(&file, "audio").await;
    let (server, file) = (server.open(None), file.open(None));
    let ((over_the_wire, end), (from_a_file, of_file)) = (read(&server).await, read(&file).await);
    let (end, of_file) = (end.unwrap(), of_file.unwrap());
    assert_eq!((end.directory.as_str(), &end.directory), (SUFFIX, &of_file.directory));
    assert_eq!((end.fields, end.attributes), (of_file.fields, of_file.attributes));
    // A file has lines, which exceptions name.
    let from_a_file = entries(from_a_file).into_iter().map(|entry| Entry { place: None, ..entry });
    assert_eq!(entries(over_the_wire), from_a_file.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_report_of_ldapsearch_says_how_its_search_ended() {
    let slapd = Slapd::start(&Setup { ldif: &hurtful(), ..Setup::default() });
    let said = async |text: Vec<u8>| {
        let (changes, end) = read(&file(&text)).await;
        let doubt = changes
            .iter()
            .any(|change| matches!(change, Change::Unreadable { what, .. } if what.starts_with("the end")));
        let people = changes.iter().filter(|change| matches!(change, Change::Replace(_))).count();
        end.map(|_| (people, doubt)).map_err(|error| error.message)
    };
    let (whole, _) = said(slapd.export()).await.unwrap();
    for (options, doubt) in [
        (&[][..], false),
        (&["-E", "pr=3/noprompt"], false),
        (&["-L"], true),
        (&["-L", "-E", "pr=3/noprompt"], true),
    ] {
        assert_eq!(said(slapd.report(options)).await, Ok((whole, doubt)), "{options:?}");
    }
    let twice = [slapd.report(&[]), slapd.report(&["-s", "base"])].concat();
    assert!(said(twice).await.is_ok());
    let cut = said(slapd.report(&["-z", "3"])).await.unwrap_err();
    assert!(cut.contains("did not reach its end"), "{cut}");
    let page = String::from_utf8_lossy(&slapd.report(&["-E", "pr=3/noprompt"])).into_owned();
    let first = page[..page.find("# extended LDIF\n#\n# LDAPv3\n").map_or(0, |at| at + 1)].len();
    let second = page[first..].find("# extended LDIF").unwrap() + first;
    let cut = said(page.as_bytes()[..second].to_vec()).await.unwrap_err();
    assert!(cut.contains("there are more"), "{cut}");
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
    let source = file((0..5).map(group).collect::<String>().as_bytes());
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
async fn an_export_cut_at_any_byte_does_not_pass_for_a_whole_one() {
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
    let source = |text: &str| file(text.as_bytes());
    let (changes, end) = read(&source(&whole)).await;
    end.unwrap();
    let people = |changes: &[Change]| changes.iter().filter(|one| matches!(one, Change::Replace(_))).count();
    assert_eq!((changes.len(), people(&changes)), (3, 2));
    for cut in 0..whole.len() {
        let (changes, end) = read(&source(&whole[..cut])).await;
        // A text that ends with a line and before its trailer can be a whole, smaller export: then what
        // is missing from it is no more than unconfirmed. In a line it never is.
        if end.is_ok() && people(&changes) < 2 {
            let is_said = |change: &Change| matches!(change, Change::Unreadable { anchor: None, what, .. } if what.starts_with("the end of"));
            assert!(
                whole[..cut].ends_with('\n') || changes.iter().any(is_said),
                "complete within a line, at byte {cut}"
            );
        }
    }
}
