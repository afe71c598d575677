//! What records mean: from what a file states to what is told of an entry. Pure.

use std::collections::BTreeSet;

use super::filter::Filter;
use super::parse::{End, Record};
use crate::directory::{Anchor, Change, Dn, Entry, Kind, Members, OfNoKind};
use crate::source::schema::posix::Primaries;
use crate::source::schema::{self, Attributes, Schema, active_directory};

/// Attributes of which an entry has one value; more are those of two records that ran together.
const SINGLE: &[&str] = &[
    "entryuuid",
    "nsuniqueid",
    "ipauniqueid",
    "objectguid",
    "entrycsn",
    "createtimestamp",
    "modifytimestamp",
    "structuralobjectclass",
    "useraccountcontrol",
    "samaccountname",
];
/// Attributes that list members.
const MEMBERS: &[&str] = &["member", "uniquemember", "memberuid"];
/// Attributes that hold the entry's own DN.
const OWN_DN: &[&str] = &["entrydn", "distinguishedname"];
/// Attributes whose values are compared as those of DNs are: an entry has the values that its DN starts with.
const NAMING: &[&str] = &["uid", "cn", "mail", "ou"];

/// A file may have been made by people, so a filter says nothing of one whose class is no longer known.
const KINDS: &[Kind] = &[Kind::User, Kind::Contact, Kind::Group];

/// How records are understood.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    pub(super) schema: Schema,
    /// Whether accounts of Active Directory show their state in this file.
    pub(super) states: bool,
    /// Whose primary group is which: a group may come before those who are in it.
    pub(super) primaries: Primaries,
    pub(super) users: Option<Filter>,
    pub(super) groups: Option<Filter>,
    /// What to call the file in messages.
    pub(super) name: String,
}

/// What an entry is.
enum Is {
    /// Of this kind, and read.
    Of(Kind),
    /// None of those that are read, though it may have been one.
    Outside,
    Neither,
}

impl Meaning {
    /// What a record tells.
    pub(super) fn changes(&self, record: &Record) -> Vec<Change> {
        let ids = self.ids(record);
        if let Some(why) = self.damage(record, &ids) {
            return self.unreadable(record, &ids, &why);
        }
        let Some(dn) = record.dns.first() else { return Vec::new() };
        let tell = |change: Change| vec![change];
        let is = self.is(&record.attributes);
        let kind = if let Is::Of(kind) = is { Some(kind) } else { None };
        let told = match self.schema.told(dn, &record.attributes, kind) {
            Some(gone @ (Change::Tombstone(_) | Change::Outside(_))) => return tell(gone),
            told => told.is_some(),
        };
        let kind = match is {
            Is::Of(kind) if told || ids.is_empty() => kind,
            Is::Outside => return ids.into_iter().map(Change::Outside).collect(),
            Is::Of(_) | Is::Neither => {
                let why = self.at(record, schema::OF_NO_KIND);
                let hides = record.end != End::Proven || !record.attributes.has("objectclass");
                return match ids.into_iter().next() {
                    Some(anchor) => {
                        tell(Change::OfNoKind(OfNoKind { anchor, what: dn.clone(), why, kinds: KINDS }))
                    }
                    None if hides => tell(Change::Unreadable { anchor: None, what: dn.clone(), why }),
                    None => Vec::new(),
                };
            }
        };
        let mut entry = match self.entry(kind, dn, &record.attributes, &ids) {
            Ok(entry) => entry,
            Err(why) => {
                let elsewhere = self.elsewhere(kind, record, &ids).map(elsewhere);
                return self.unreadable(record, &ids, &elsewhere.unwrap_or(why));
            }
        };
        if let Members::Partial(_, why) = &mut entry.members
            && let Some(name) = MEMBERS.iter().find(|name| record.unknown.contains(**name))
        {
            *why = elsewhere(name);
        }
        if record.end != End::Proven || matches!(entry.members, Members::Partial(..)) {
            entry.place = Some(self.place(record));
        }
        match &record.end {
            End::Proven => tell(Change::Replace(Box::new(entry))),
            End::Torn => tell(Change::Unproven { entry: Box::new(entry), sure: true, why: TORN.to_owned() }),
            End::Open(last) => {
                let certain = last.as_ref().map(|last| self.entry(kind, dn, &record.without(last), &ids));
                let sure = match certain {
                    None => true,
                    Some(Err(_)) => false,
                    Some(Ok(certain)) => {
                        // A member whose name may go on is somebody else.
                        entry.members = certain.members.clone();
                        certain == Entry { place: None, ..entry.clone() }
                    }
                };
                tell(Change::Unproven { entry: Box::new(entry), sure, why: UNENDED.to_owned() })
            }
        }
    }

    /// Every id that a record shows for certain.
    fn ids(&self, record: &Record) -> Vec<Anchor> {
        let anchor = schema::name(&self.schema.anchor);
        if self.schema.is_dn() {
            let dns = record.dns.iter().filter_map(|dn| Dn::parse(dn).ok());
            return dns.map(|dn| Anchor::new(dn.as_str())).collect();
        }
        let is_last = matches!(&record.end, End::Open(Some(last)) if schema::name(last) == anchor);
        let mut ids: Vec<Anchor> = Vec::new();
        if record.unknown.contains(anchor.as_ref()) || is_last {
            return ids;
        }
        for id in record.attributes.values(&anchor).map(schema::anchor) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// Why a record cannot be understood, or is not that of one entry.
    fn damage(&self, record: &Record, ids: &[Anchor]) -> Option<String> {
        if let Some(why) = &record.damage {
            return Some(format!("{why}; correct it, or export it again"));
        }
        if matches!(&record.end, End::Open(Some(last)) if last == "dn") {
            return Some(UNENDED.to_owned());
        }
        let normal = match Dn::parse(record.dns.first()?) {
            Ok(normal) => normal,
            Err(error) => return Some(error.to_string()),
        };
        let attributes = &record.attributes;
        let doubled = SINGLE.iter().find(|name| {
            let values: BTreeSet<&[u8]> = attributes.values(name).collect();
            values.len() > 1
        });
        let together = if ids.len() > 1 {
            format!("it has {} values of {}", ids.len(), self.schema.anchor)
        } else if let Some(name) = doubled {
            format!("it has several values of {name}")
        } else if record.end == End::Proven && !is_own(&normal, record) {
            "its DN is not the one that it states".to_owned()
        } else {
            return None;
        };
        Some(format!("{together}: two records may have run together; export it again"))
    }

    fn unreadable(&self, record: &Record, ids: &[Anchor], why: &str) -> Vec<Change> {
        let is_cut = matches!(&record.end, End::Open(Some(last)) if last == "dn");
        // A DN that may go on is none.
        let dns = if is_cut { &[][..] } else { record.dns.as_slice() };
        let place = format!("the record at line {} of {}", record.line, self.name);
        (0..ids.len().max(dns.len()).max(1))
            .map(|at| Change::Unreadable {
                anchor: ids.get(at).cloned(),
                what: dns.get(at).or(dns.last()).unwrap_or(&place).clone(),
                why: self.at(record, why),
            })
            .collect()
    }

    /// The attribute with a value in another file for which an entry cannot be read.
    fn elsewhere<'a>(&'a self, kind: Kind, record: &'a Record, ids: &[Anchor]) -> Option<&'a str> {
        let anchor = &self.schema.anchor;
        if ids.is_empty() && record.unknown.contains(schema::name(anchor).as_ref()) {
            return Some(anchor);
        }
        let dn = record.dns.first()?;
        let reads = |attributes: &Attributes| self.entry(kind, dn, attributes, ids).is_ok();
        let without = |but: Option<&String>| {
            let mut attributes = record.attributes.clone();
            for name in record.unknown.iter().filter(|name| Some(*name) != but) {
                attributes.remove(name);
            }
            attributes
        };
        let mut names = reads(&without(None)).then_some(&record.unknown).into_iter().flatten();
        names.find(|name| !reads(&without(Some(name)))).map(String::as_str)
    }

    /// A reason, with the place.
    fn at(&self, record: &Record, why: &str) -> String {
        format!("{why} ({})", self.place(record))
    }

    fn place(&self, record: &Record) -> String {
        format!("line {} of {}", record.line, self.name)
    }

    fn is(&self, attributes: &Attributes) -> Is {
        let finds = |filter: &Option<Filter>| filter.as_ref().map(|filter| filter.finds(attributes));
        match schema::kind(attributes) {
            Some(Kind::Group) if finds(&self.groups) == Some(false) => Is::Outside,
            Some(Kind::User | Kind::Contact) if finds(&self.users) == Some(false) => Is::Outside,
            Some(kind) => Is::Of(kind),
            None if finds(&self.users) == Some(true) => Is::Of(Kind::User),
            None if finds(&self.groups) == Some(true) => Is::Of(Kind::Group),
            None => Is::Neither,
        }
    }

    fn entry(&self, kind: Kind, dn: &str, attributes: &Attributes, ids: &[Anchor]) -> Result<Entry, String> {
        if ids.is_empty() {
            return Err(format!(
                "it has no {}, which would tell it apart for ever; export that attribute too, or set anchorAttribute to one \
                 that every entry has",
                self.schema.anchor
            ));
        }
        let hides_state = self.states && kind == Kind::User && !attributes.has("useraccountcontrol");
        if hides_state && active_directory::is_of(attributes) {
            let why = "it shows no userAccountControl, so it cannot be told whether the account is disabled; export that attribute too";
            return Err(why.to_owned());
        }
        let entry = self.schema.entry(dn, attributes, Some(kind)).map_err(|error| error.why)?;
        let mut entry = entry.ok_or_else(|| "it is neither user, contact nor group".to_owned())?;
        self.primaries.join(attributes, &mut entry.members);
        Ok(entry)
    }
}

/// What is wrong with an entry of which a value that counts stands in another file.
fn elsewhere(name: &str) -> String {
    format!(
        "a value of its {name} stands in another file (`{name}:< …`), so it is not known; export the values themselves: leave -t \
         away when you export with ldapsearch"
    )
}

/// What is wrong with a record at the end of a file.
const UNENDED: &str = "the file ends within the record, or without the empty line that ends it, so what it does not say is \
     not known; end the file with an empty line once it is complete";

/// What is wrong with a record that may go on after its end.
const TORN: &str = "lines without a DN follow it, which may be its own; export it again";

/// Whether a DN fits what the record states.
fn is_own(dn: &Dn, record: &Record) -> bool {
    let attributes = &record.attributes;
    let stated = |name: &str| attributes.has(name) && !record.unknown.contains(name);
    let names_it = |name: &&str| {
        let mut own = attributes.all(name).filter_map(|own| Dn::parse(std::str::from_utf8(own).ok()?).ok());
        own.next().is_none_or(|first| first == *dn || own.any(|own| own == *dn))
    };
    let has = |kind: &str| {
        !NAMING.contains(&kind)
            || !stated(kind)
            || attributes
                .all(kind)
                .any(|one| std::str::from_utf8(one).is_ok_and(|one| dn.is_named_by(kind, one)))
    };
    OWN_DN.iter().filter(|name| stated(name)).all(names_it) && dn.first_types().into_iter().all(has)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::directory::{Stated, fields};
    use crate::source::ldif::parse::Reader;

    fn meaning(domain: bool) -> Meaning {
        let anchor = if domain { "objectGUID" } else { "entryUUID" }.to_owned();
        Meaning {
            schema: Schema { anchor, literal: BTreeSet::new() },
            states: domain,
            primaries: Primaries::default(),
            users: None,
            groups: None,
            name: "a.ldif".to_owned(),
        }
    }

    fn told(meaning: &Meaning, text: &str) -> Vec<Change> {
        let mut reader = Reader::new(text.as_bytes());
        let mut changes = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            changes.extend(meaning.changes(&record));
        }
        changes
    }

    /// What a change is, in short, and of whom.
    fn short(change: &Change) -> String {
        let id = change.anchor().map_or("?", Anchor::as_str);
        match change {
            Change::Replace(_) => format!("is {id}"),
            Change::Unproven { sure, .. } => format!("{} {id}", if *sure { "at least" } else { "perhaps" }),
            Change::Unreadable { what, .. } => format!("unreadable {id} {what}"),
            Change::OfNoKind(_) => format!("no kind {id}"),
            Change::Tombstone(_) => format!("deleted {id}"),
            Change::Outside(_) => format!("outside {id}"),
            other => format!("{other:?}"),
        }
    }

    const ANN: &str = "dn: uid=ann,dc=x\nobjectClass: person\nuid: ann\nentryUUID: a\n";

    #[rstest]
    #[case::whole(&format!("{ANN}\n"), &["is a"])]
    #[case::unended(ANN, &["at least a"])]
    #[case::cut_in_the_name(&format!("{ANN}cn: An"), &["perhaps a"])]
    #[case::cut_in_a_further_value(&format!("{ANN}cn: Ann\ncn: An"), &["perhaps a"])]
    #[case::cut_in_what_nobody_uses(&format!("{ANN}photo: x"), &["at least a"])]
    #[case::before_others(&format!("{ANN}\nmail: ann@x\n\n"), &["at least a", "unreadable ? the record at line 6 of a.ldif"])]
    #[case::nothing_but_a_dn("dn: uid=ann,dc=x\n\n", &["unreadable ? uid=ann,dc=x"])]
    #[case::before_its_class("dn: uid=ann,dc=x\nentryUUID: a\nuid: ann\n", &["no kind a"])]
    #[case::before_its_id("dn: uid=ann,dc=x\nuid: ann\n", &["unreadable ? uid=ann,dc=x"])]
    #[case::in_its_id("dn: uid=ann,dc=x\nobjectClass: person\nentryUUID: a", &["unreadable ? uid=ann,dc=x"])]
    #[case::in_its_dn("dn: uid=an", &["unreadable ? the record at line 1 of a.ldif"])]
    #[case::another_dn_within(&format!("{ANN}dn: uid=bob,dc=x\nentryUUID: b\n\n"), &["unreadable a uid=ann,dc=x", "unreadable b uid=bob,dc=x"])]
    #[case::another_id_within(&format!("{ANN}uid: bob\nentryUUID: b\n\n"), &["unreadable a uid=ann,dc=x", "unreadable b uid=ann,dc=x"])]
    #[case::another_entry_within("dn: uid=ann,dc=x\nobjectClass: person\nuid: bob\nentryUUID: b\n\n", &["unreadable b uid=ann,dc=x"])]
    #[case::another_name_within(&format!("{ANN}entryDN: uid=bob,dc=x\n\n"), &["unreadable a uid=ann,dc=x"])]
    #[case::another_time_within(&format!("{ANN}createTimestamp: 1\ncreateTimestamp: 2\n\n"), &["unreadable a uid=ann,dc=x"])]
    #[case::without_a_dn("uid: ann\nentryUUID: a\n\n", &["unreadable a the record at line 1 of a.ldif"])]
    #[case::odd_dn("dn: ann\nobjectClass: person\nentryUUID: a\n\n", &["unreadable a ann"])]
    #[case::odd_line(&format!("{ANN}what\n\n"), &["unreadable a uid=ann,dc=x"])]
    #[case::unknown_class("dn: uid=ann,dc=x\nobjectClass: persn\nentryUUID: a\n\n", &["no kind a"])]
    #[case::class_with_blanks("dn: uid=ann,dc=x\nobjectClass: person \nentryUUID: a\n\n", &["is a"])]
    #[case::tombstone("dn: nsuniqueid=a,uid=ann,dc=x\nobjectClass: nsTombstone\nentryUUID: a\n\n", &["deleted a"])]
    #[case::id_elsewhere("dn: uid=ann,dc=x\nobjectClass: person\nentryUUID:< file:///a\n\n", &["unreadable ? uid=ann,dc=x"])]
    #[case::name_in_another_spelling("dn: UID=Ann\\20B,dc=x\nobjectClass: person\nuid: ann  b\nentryUUID: a\n\n", &["is a"])]
    fn a_record_tells_no_more_than_it_proves(#[case] text: &str, #[case] expected: &[&str]) {
        let told: Vec<String> = told(&meaning(false), text).iter().map(short).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_value_that_stands_elsewhere_is_not_known() {
        let told = told(&meaning(false), &format!("{ANN}title:< file:///t\njpegPhoto:< file:///p\n\n"));
        let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(entry.fields[fields::TITLE], Stated::Undecodable);
        assert!(!entry.fields.contains_key(fields::MAIL));
    }

    #[test]
    fn a_member_whose_name_may_go_on_is_not_taken() {
        let text =
            "dn: cn=g,dc=x\nobjectClass: posixGroup\ncn: g\nentryUUID: g\nmemberUid: bob\nmemberUid: ada";
        let told = told(&meaning(false), text);
        let [Change::Unproven { entry, sure: true, .. }] = told.as_slice() else { panic!("{told:?}") };
        assert!(
            matches!(&entry.members, Members::Partial(some, _) if *some == [crate::directory::Reference::uid("bob")])
        );
    }

    #[rstest]
    #[case::person("user", "userAccountControl: 512", "is")]
    #[case::computer("computer", "userAccountControl: 4096", "outside")]
    #[case::trust("user", "userAccountControl: 2080", "outside")]
    #[case::of_every_domain("user", "userAccountControl: 512\nisCriticalSystemObject: TRUE", "outside")]
    #[case::hidden("user", "sn: a", "unreadable")]
    #[case::contact("contact", "sn: a", "is")]
    #[case::deleted("user", "isDeleted: TRUE", "deleted")]
    #[case::builtin_group("group", "isCriticalSystemObject: TRUE", "is")]
    fn accounts_of_active_directory_are_those_of_people(
        #[case] class: &str,
        #[case] line: &str,
        #[case] is: &str,
    ) {
        let text = format!(
            "dn: CN=Ann,DC=x\nobjectClass: top\nobjectClass: {}\nobjectClass: {class}\ncn: Ann\n\
             objectGUID: 0b31ee10-94ad-44e9-a3a2-1a3f1b8d0d11\n{line}\n\n",
            if class == "group" { "top" } else { "person" },
        );
        let told = told(&meaning(true), &text);
        assert_eq!(short(&told[0]).split(' ').next(), Some(is), "{told:?}");
    }

    #[test]
    fn members_in_active_directory_are_found_by_their_names() {
        let group = |lines: &str| {
            let text = format!("dn: CN=G,DC=x\nobjectClass: group\ncn: G\nobjectGUID: g\n{lines}\n\n");
            match told(&meaning(true), &text).pop() {
                Some(Change::Replace(entry)) => entry.members,
                other => panic!("{other:?}"),
            }
        };
        assert!(
            matches!(group("member: CN=Ann,DC=x\nmember: CN=Bob,DC=x"), Members::Complete(all) if all.len() == 2)
        );
        let part = group("member;range=0-1: CN=Ann,DC=x\nmember;range=0-1: CN=Bob,DC=x");
        assert!(matches!(part, Members::Partial(some, why) if some.len() == 2 && why.contains("export all")));
        assert!(
            matches!(group("member: CN=Ann,DC=x\nmember: what"), Members::Partial(some, _) if some.len() == 1)
        );
    }

    #[rstest]
    #[case("(title=*)", "(cn=none)", &["outside a", "no kind g"])]
    #[case("(uid=*)", "(objectClass=groupOfURLs)", &["is a", "is g"])]
    fn filters_say_who_is_read(#[case] users: &str, #[case] groups: &str, #[case] expected: &[&str]) {
        let filter = |text| Some(Filter::parse(text).unwrap());
        let meaning = Meaning { users: filter(users), groups: filter(groups), ..meaning(false) };
        let text = format!("{ANN}\ndn: cn=g,dc=x\nobjectClass: groupOfURLs\ncn: g\nentryUUID: g\n\n");
        assert_eq!(told(&meaning, &text).iter().map(short).collect::<Vec<_>>(), expected);
    }

    #[rstest]
    #[case::uid(&ANN.replace("uid: ann", "uid:< file:///tmp/uid\nphoto:< file:///tmp/photo"), "its uid stands in another file")]
    #[case::id(&ANN.replace("entryUUID: a", "entryUUID:< file:///tmp/id"), "its entryUUID stands in another file")]
    #[case::uid_of_another_charset(&ANN.replace("uid: ann", "uid:: /w==\nphoto:< file:///tmp/photo"), "not valid UTF-8")]
    fn says_that_a_value_stands_in_another_file(#[case] text: &str, #[case] said: &str) {
        let told = told(&meaning(false), &format!("{}\n", text.replace("dn: uid=ann", "dn: cn=ann")));
        let [Change::Unreadable { why, .. }] = told.as_slice() else { panic!("{told:?}") };
        assert!(why.contains(said), "{why}");
    }

    #[test]
    fn says_that_a_member_stands_in_another_file() {
        let text = "dn: cn=t,dc=x\nobjectClass: groupOfNames\nentryUUID: t\nmember:< file:///tmp/m\nmember: uid=b,dc=x\n\n";
        let told = told(&meaning(false), text);
        let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
        let Members::Partial(members, why) = &entry.members else { panic!("{entry:?}") };
        assert!(members.len() == 1 && why.contains("its member stands in another file"), "{why}");
        assert_eq!(entry.place.as_deref(), Some("line 1 of a.ldif"));
    }
}
