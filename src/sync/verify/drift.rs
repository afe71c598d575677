//! Compares an object at the target with what was last confirmed there. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use litemap::LiteMap;
use roaring::RoaringBitmap;

use crate::directory::{Content, SubjectId, SubjectKind, TargetId, TargetObject};
use crate::store::link::{Link, Subjects};

/// An object that somebody else changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// Whose object it is.
    pub subject: SubjectId,
    /// What that is.
    pub kind: SubjectKind,
    /// Its name, as we left it.
    pub name: String,
    /// How it differs, at least in one way.
    pub differs: Vec<Difference>,
    /// The link as it is in truth; `None` if the object is gone.
    pub(super) link: Option<Link>,
    /// Members whom somebody else put in, and of whom no plan knows.
    pub(super) strangers: Vec<TargetId>,
}

/// How an object differs from what was confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is not there.
    Gone,
    /// This attribute has another value, or none.
    Attribute(String),
    /// It is active, or is not.
    Active(bool),
    /// So many of the members that we put in are not in it.
    Members(u64),
    /// So many members are in it whom somebody else put in.
    Others(u64),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("is not there any more"),
            Self::Attribute(name) => write!(f, "{name} is another one"),
            Self::Active(true) => f.write_str("is active"),
            Self::Active(false) => f.write_str("is disabled"),
            Self::Members(1) => f.write_str("lacks 1 member"),
            Self::Members(count) => write!(f, "lacks {count} members"),
            Self::Others(1) => f.write_str("has 1 member whom somebody else put in"),
            Self::Others(count) => write!(f, "has {count} members whom somebody else put in"),
        }
    }
}

impl Drift {
    /// The object of this subject is gone.
    pub(super) fn gone(subject: SubjectId, link: &Link) -> Self {
        Self {
            subject,
            kind: link.confirmed.kind(),
            name: link.confirmed.name().to_owned(),
            differs: vec![Difference::Gone],
            link: None,
            strangers: Vec::new(),
        }
    }

    /// Whether its object is gone.
    pub fn is_gone(&self) -> bool {
        self.link.is_none()
    }

    /// How many memberships are gone.
    pub fn members(&self) -> u64 {
        let members = |difference: &Difference| match difference {
            Difference::Members(count) => *count,
            _ => 0,
        };
        self.differs.iter().map(members).sum()
    }

    /// How many memberships somebody else added, where those are ended.
    pub fn others(&self) -> u64 {
        let others = |difference: &Difference| match difference {
            Difference::Others(count) => *count,
            _ => 0,
        };
        self.differs.iter().map(others).sum()
    }
}

/// What the comparison needs to know.
pub(super) struct Comparison<'a> {
    pub(super) subjects: &'a Subjects,
    /// The attributes of users that the policy maps: others are not ours.
    pub(super) mapped: &'a BTreeSet<String>,
    /// Whether the target can disable.
    pub(super) disables: bool,
    /// Whose each object is, where memberships that somebody else added are ended.
    pub(super) owners: Option<HashMap<&'a TargetId, SubjectId>>,
}

impl Comparison<'_> {
    /// How the object of this link differs from it, given both contents as the target holds them.
    pub(super) fn compare(
        &self,
        subject: SubjectId,
        link: &Link,
        shown: &TargetObject,
        (held, content): (&Content, Content),
    ) -> Option<Drift> {
        let mut truth = link.clone();
        let mut differs = Vec::new();
        let confirmed = self.contents(&link.confirmed, held, content, &mut differs);
        if !differs.is_empty() {
            truth.confirmed = Arc::new(confirmed);
        }
        let state = shown.active.filter(|active| *active != link.active);
        if let Some(active) = state.filter(|_| self.disables && link.confirmed.kind() == SubjectKind::User) {
            differs.push(Difference::Active(active));
            truth.active = active;
            // What was done because somebody left is to be done again.
            if let Some(leaving) = truth.leaving.as_mut().filter(|_| active) {
                leaving.steps_done = 0;
                leaving.executed_at = None;
            }
        }
        let lacking = self.lacking(link, shown.members.as_deref());
        if !lacking.is_empty() {
            differs.push(Difference::Members(lacking.len()));
            truth.members -= lacking;
        }
        let (known, strangers) = self.others(link, shown.members.as_deref());
        let others = known.len() + strangers.len() as u64;
        if others > 0 {
            differs.push(Difference::Others(others));
            truth.members |= known;
        }
        let name = link.confirmed.name().to_owned();
        (!differs.is_empty()).then(|| Drift {
            subject,
            kind: link.confirmed.kind(),
            name,
            differs,
            link: Some(truth),
            strangers,
        })
    }

    /// What was confirmed, with what is there in the place of what differs. What the target does not hold stays.
    fn contents(
        &self,
        confirmed: &Content,
        held: &Content,
        shown: Content,
        differs: &mut Vec<Difference>,
    ) -> Content {
        let mut truth = confirmed.clone();
        let mut note = |name: &str| differs.push(Difference::Attribute(name.to_owned()));
        match (&mut truth, held, shown) {
            (Content::User(truth), Content::User(held), Content::User(shown)) => {
                // Some services write it in lower case.
                if !same(&held.user_name, &shown.user_name) {
                    note("userName");
                    truth.user_name = shown.user_name;
                }
                if !same_addresses(&held.emails, &shown.emails) {
                    note("emails");
                    truth.emails = shown.emails;
                }
                attributes(&mut truth.attributes, &held.attributes, &shown.attributes, self.mapped, note);
            }
            (Content::Group(truth), Content::Group(held), Content::Group(shown)) => {
                if held.display_name != shown.display_name {
                    note("displayName");
                    truth.display_name = shown.display_name;
                }
                let mapped = BTreeSet::new();
                attributes(&mut truth.attributes, &held.attributes, &shown.attributes, &mapped, note);
            }
            _ => {}
        }
        truth
    }

    /// The members that we put in and that are not in it; none where the target does not say.
    fn lacking(&self, link: &Link, shown: Option<&[TargetId]>) -> RoaringBitmap {
        let Some(shown) = shown.filter(|_| !link.members.is_empty()) else { return RoaringBitmap::new() };
        let there: HashSet<&TargetId> = shown.iter().collect();
        let is_lacking = |member: &u32| {
            self.subjects.link(SubjectId(*member)).is_none_or(|link| !there.contains(&link.target))
        };
        link.members.iter().filter(is_lacking).collect()
    }

    /// Members whom somebody else put in: those of whom a plan knows, which ends such a membership like any other, and the rest.
    fn others(&self, link: &Link, shown: Option<&[TargetId]>) -> (RoaringBitmap, Vec<TargetId>) {
        let (mut known, mut strangers) = (RoaringBitmap::new(), Vec::new());
        // Of a group that is gone nobody knows who is to be in it.
        let (Some(shown), Some(owners), None) = (shown, &self.owners, link.leaving) else {
            return (known, strangers);
        };
        let stays = |subject: SubjectId| {
            let leaving = self.subjects.link(subject).and_then(|link| link.leaving);
            leaving.is_none_or(|leaving| leaving.steps_done == 0)
        };
        for member in shown {
            match owners.get(member) {
                Some(subject) if link.members.contains(subject.0) => {}
                Some(subject) if stays(*subject) => drop(known.insert(subject.0)),
                _ => strangers.push(member.clone()),
            }
        }
        (known, strangers)
    }
}

/// Values that we wrote, and others under names that the policy maps.
fn attributes(
    truth: &mut LiteMap<String, String>,
    held: &LiteMap<String, String>,
    shown: &LiteMap<String, String>,
    mapped: &BTreeSet<String>,
    mut note: impl FnMut(&str),
) {
    for (name, value) in held {
        match shown.get(name) {
            Some(other) if other == value => {}
            Some(other) => {
                note(name);
                truth.insert(name.clone(), other.clone());
            }
            None => {
                note(name);
                truth.remove(name);
            }
        }
    }
    for (name, value) in shown {
        if !held.contains_key(name) && mapped.contains(name) {
            note(name);
            truth.insert(name.clone(), value.clone());
        }
    }
}

fn same(name: &str, other: &str) -> bool {
    name == other || name.to_lowercase() == other.to_lowercase()
}

/// The same addresses, with the same one first.
fn same_addresses(held: &[String], shown: &[String]) -> bool {
    let folded = |all: &[String]| all.iter().map(|one| one.to_lowercase()).collect::<BTreeSet<_>>();
    held.first().map(|one| one.to_lowercase()) == shown.first().map(|one| one.to_lowercase())
        && folded(held) == folded(shown)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::directory::{Anchor, DirectoryId, Evidence, Grade, GroupContent, Key, Owner, UserContent};
    use crate::store::link::{Leaving, Subject};

    /// Of who left and was disabled.
    fn leaving() -> Leaving {
        Leaving {
            since: Timestamp::UNIX_EPOCH,
            evidence: Evidence::data(Grade::Absent),
            steps_done: 1,
            executed_at: Some(Timestamp::UNIX_EPOCH),
            completion: 7,
        }
    }

    fn user(name: &str, emails: &[&str], attributes: &[(&str, &str)]) -> Content {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Content::User(UserContent {
            user_name: name.to_owned(),
            emails: emails.iter().map(|one| (*one).to_owned()).collect(),
            attributes: attributes.iter().map(pair).collect(),
        })
    }

    fn link(content: Content, members: &[u32]) -> Link {
        Link {
            target: TargetId("o1".into()),
            confirmed: Arc::new(content),
            active: true,
            members: members.iter().copied().collect(),
            leaving: None,
        }
    }

    fn shown(content: &Content, active: bool, members: Option<&[&str]>) -> TargetObject {
        TargetObject {
            id: TargetId("o1".into()),
            key: None,
            content: content.clone(),
            active: Some(active),
            members: members.map(|all| all.iter().map(|id| TargetId((*id).into())).collect()),
        }
    }

    /// The subjects 2 and 3 have the objects t2 and t3.
    fn subjects() -> Subjects {
        let subject = |id: u32| {
            let key =
                Key::new(&Owner::new("test", "all"), &DirectoryId::new("d"), &Anchor::new(format!("a{id}")));
            let mut link = link(user("x", &[], &[]), &[]);
            link.target = TargetId(format!("t{id}").into());
            let one = Subject {
                id: SubjectId(id),
                kind: SubjectKind::User,
                key,
                anchors: Vec::new(),
                link: Some(link),
            };
            (SubjectId(id), one)
        };
        Subjects { by_id: [subject(2), subject(3)].into_iter().collect(), next: 4 }
    }

    fn drift(link: &Link, shown: &TargetObject) -> Option<Drift> {
        let (subjects, mapped) = (subjects(), BTreeSet::from(["title".to_owned(), "displayName".to_owned()]));
        let comparison = Comparison { subjects: &subjects, mapped: &mapped, disables: true, owners: None };
        comparison.compare(SubjectId(1), link, shown, (&link.confirmed, shown.content.clone()))
    }

    fn says(link: &Link, shown: &TargetObject) -> Vec<String> {
        drift(link, shown)
            .map(|drift| drift.differs.iter().map(ToString::to_string).collect())
            .unwrap_or_default()
    }

    const ADA: [&str; 2] = ["ada@a.example", "al@a.example"];

    #[rstest]
    #[case::nothing(user("ada", &ADA, &[("title", "Dr")]), &[])]
    #[case::the_letter_case_of_a_name(user("ADA", &ADA, &[("title", "Dr")]), &[])]
    #[case::the_letter_case_of_addresses(user("ada", &["Ada@a.example", "al@a.example"], &[("title", "Dr")]), &[])]
    #[case::what_we_do_not_map(user("ada", &ADA, &[("title", "Dr"), ("nickName", "a")]), &[])]
    #[case::a_name(user("eve", &ADA, &[("title", "Dr")]), &["userName is another one"])]
    #[case::a_value(user("ada", &ADA, &[("title", "Mr")]), &["title is another one"])]
    #[case::a_value_is_gone(user("ada", &ADA, &[]), &["title is another one"])]
    #[case::a_value_that_should_not_be(
        user("ada", &ADA, &[("title", "Dr"), ("displayName", "A")]), &["displayName is another one"]
    )]
    #[case::another_address(user("ada", &["x@a.example", "al@a.example"], &[("title", "Dr")]), &["emails is another one"])]
    #[case::one_address_more(
        user("ada", &[ADA[0], ADA[1], "x@a.example"], &[("title", "Dr")]), &["emails is another one"]
    )]
    #[case::another_address_first(user("ada", &[ADA[1], ADA[0]], &[("title", "Dr")]), &["emails is another one"])]
    fn what_we_wrote_is_compared(#[case] there: Content, #[case] says_so: &[&str]) {
        let link = link(user("ada", &ADA, &[("title", "Dr")]), &[]);
        assert_eq!(says(&link, &shown(&there, true, None)), says_so);
        if let Some(drift) = drift(&link, &shown(&there, true, None)) {
            // What is planned then is what leads back.
            let truth = drift.link.unwrap();
            assert_ne!(truth.confirmed, link.confirmed);
            assert_eq!(says(&truth, &shown(&there, true, None)), [""; 0], "the truth is what is there");
        }
    }

    #[test]
    fn what_the_target_does_not_hold_is_no_difference_and_is_not_forgotten() {
        let link = link(user("ada", &ADA, &[("title", "Dr"), ("room", "7")]), &[]);
        let there = user("ada", &ADA[..1], &[("title", "Mr")]);
        let held = user("ada", &ADA[..1], &[("title", "Dr")]);
        let (subjects, mapped) = (subjects(), BTreeSet::new());
        let comparison = Comparison { subjects: &subjects, mapped: &mapped, disables: true, owners: None };
        let object = shown(&there, true, None);
        let drift = comparison.compare(SubjectId(1), &link, &object, (&held, there.clone())).unwrap();
        let truth = drift.link.unwrap();
        assert_eq!(*truth.confirmed, user("ada", &ADA, &[("title", "Mr"), ("room", "7")]));
    }

    #[test]
    fn a_leaver_who_is_active_again_is_to_be_disabled_again() {
        let content = user("ada", &ADA, &[]);
        let gone = Link { active: false, leaving: Some(leaving()), ..link(content.clone(), &[]) };
        assert_eq!(drift(&gone, &shown(&content, false, None)), None);
        let drift = drift(&gone, &shown(&content, true, None)).unwrap();
        assert_eq!(drift.differs, [Difference::Active(true)]);
        let truth = drift.link.unwrap();
        assert!(truth.active);
        assert_eq!(truth.leaving, Some(Leaving { steps_done: 0, executed_at: None, ..leaving() }));
    }

    #[test]
    fn a_state_that_the_target_does_not_show_is_no_difference() {
        let content = user("ada", &ADA, &[]);
        let gone = Link { active: false, leaving: Some(leaving()), ..link(content.clone(), &[]) };
        let silent = TargetObject { active: None, ..shown(&content, true, None) };
        assert_eq!(drift(&gone, &silent), None);
    }

    /// Where such memberships are ended: who is somebody's is left to a plan, whoever else is a stranger, and so is who left.
    #[rstest]
    #[case::nobody_else(&["t2"], &[], &[])]
    #[case::one_of_ours(&["t2", "t3"], &[3], &[])]
    #[case::one_of_nobodys(&["t9", "t2"], &[], &["t9"])]
    #[case::one_who_left(&["t2", "t4"], &[], &["t4"])]
    fn members_whom_somebody_else_put_in_are_told(
        #[case] there: &[&str],
        #[case] known: &[u32],
        #[case] strangers: &[&str],
    ) {
        let team =
            Content::Group(GroupContent { display_name: "team".to_owned(), ..GroupContent::default() });
        let mut subjects = subjects();
        let mut left = subjects.by_id.get(&SubjectId(2)).unwrap().clone();
        left.link.as_mut().unwrap().target = TargetId("t4".into());
        left.link.as_mut().unwrap().leaving = Some(leaving());
        subjects.by_id.insert(SubjectId(4), left);
        let mapped = BTreeSet::new();
        let ids: Vec<TargetId> = [2, 3, 4].map(|id| TargetId(format!("t{id}").into())).into();
        let owners = ids.iter().zip([2, 3, 4].map(SubjectId)).collect();
        let mut comparison =
            Comparison { subjects: &subjects, mapped: &mapped, disables: true, owners: Some(owners) };
        let link = link(team.clone(), &[2]);
        let object = shown(&team, true, Some(there));
        let compare = |comparison: &Comparison<'_>, link: &Link| {
            comparison.compare(SubjectId(1), link, &object, (&team, team.clone()))
        };
        let drift = compare(&comparison, &link);
        assert_eq!(drift.as_ref().map_or(0, Drift::others), (known.len() + strangers.len()) as u64);
        if let Some(drift) = drift {
            let members: RoaringBitmap = known.iter().copied().chain([2]).collect();
            assert_eq!(drift.link.unwrap().members, members);
            let ids: Vec<TargetId> = strangers.iter().map(|id| TargetId((*id).into())).collect();
            assert_eq!(drift.strangers, ids);
        }
        let gone = Link { leaving: Some(leaving()), ..link.clone() };
        assert_eq!(compare(&comparison, &gone), None, "of a group that is gone nobody knows");
        comparison.owners = None;
        assert_eq!(compare(&comparison, &link), None, "they stay where memberships are owned");
    }

    #[rstest]
    #[case::all_are_there(Some(&["t3", "t2"][..]), 0)]
    #[case::others_too(Some(&["t3", "t2", "t9"][..]), 0)]
    #[case::one_is_gone(Some(&["t3"][..]), 1)]
    #[case::nobody_is_there(Some(&[][..]), 2)]
    #[case::it_does_not_say(None, 0)]
    fn members_whom_we_put_in_are_looked_for(#[case] there: Option<&[&str]>, #[case] lacking: u64) {
        let team =
            Content::Group(GroupContent { display_name: "team".to_owned(), ..GroupContent::default() });
        let link = link(team.clone(), &[2, 3]);
        let drift = drift(&link, &shown(&team, true, there));
        assert_eq!(drift.as_ref().map_or(0, Drift::members), lacking);
        if let Some(drift) = drift {
            assert_eq!(drift.link.unwrap().members.len(), 2 - lacking);
        }
    }
}
