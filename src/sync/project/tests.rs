//! What entries come to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::directory::{
    Anchor, ConnectorName, Content, DirectoryId, Dn, Entry, Evidence, Grade, GroupContent, Key, Kind,
    Members, Mode, Owner, Reference, Stated, SubjectId, TargetId, UserContent, fields,
};
use crate::source::schema::Schema;
use crate::store::link::{Link, Subject};
use crate::store::snapshot::{NameId, Presence, Trip};
use crate::sync::expression::{Expression, Returns, Subject as About};
use crate::sync::policy::{
    Adopt, Budget, GroupRules, Limits, Membership, Nesting, OnDisabled, OnExceed, OnRecreated, PerGroup,
    Rung, Step, UserRules, Vouching,
};

/// A snapshot in memory. An entry's row, and the name that it bears, are its place in the list; `names`
/// are those of entries that bear another one.
struct Snapshot {
    info: SnapshotInfo,
    names: BTreeMap<u32, u32>,
    entries: Vec<(Entry, Presence, Edges)>,
}

impl View for Snapshot {
    fn info(&self) -> &SnapshotInfo {
        &self.info
    }

    fn for_each_row(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        for (at, (entry, presence, _)) in (0..).zip(&self.entries) {
            let (entry, presence) = (entry.clone(), presence.clone());
            let name = NameId(self.names.get(&at).copied().unwrap_or(at));
            each(Row { id: RowId(at), sequence: 1, entry, names: vec![name], presence });
        }
        Ok(())
    }

    fn rows(&self, rows: &RoaringBitmap, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.for_each_row(&mut |row| {
            if rows.contains(row.id.0) {
                each(row);
            }
        })
    }

    fn changed_since(&self, _: u64) -> Option<RoaringBitmap> {
        None
    }

    fn edges(&self, group: RowId) -> Result<Edges, StoreError> {
        Ok(self.entries[group.0 as usize].2.clone())
    }
}

struct Case {
    policy: Policy,
    snapshot: Snapshot,
    known: Subjects,
}

impl Case {
    fn new() -> Self {
        let info = SnapshotInfo {
            connector: ConnectorName::new("test", "corp"),
            directory: DirectoryId::new("d"),
            server: None,
            sequence: 1,
            completion: 1,
            completed_at: Timestamp::UNIX_EPOCH,
            mode: Mode::Full,
            fields: Schema::fields(),
            attributes: BTreeSet::from(["status".to_owned()]),
            scope: String::new(),
            notices: Vec::new(),
            vendor: None,
            feed: None,
            full_at: None,
            shrunk: None,
            tripped: BTreeMap::new(),
            strangers: Vec::new(),
            stranger_count: 0,
            new_names: 100,
            next_row: 0,
            next_name: 100,
            users: 0,
            groups: 0,
            contacts: 0,
        };
        let known = Subjects { next: 1, ..Subjects::default() };
        Self {
            policy: policy(),
            snapshot: Snapshot { info, names: BTreeMap::new(), entries: Vec::new() },
            known,
        }
    }

    fn with(mut self, entry: Entry) -> Self {
        self.snapshot.entries.push((entry, Presence::Present, Edges::default()));
        self
    }

    /// A group of those in these places.
    fn group(mut self, name: &str, members: &[u32]) -> Self {
        let entry = Entry {
            kind: Kind::Group,
            fields: BTreeMap::from([(fields::NAME.to_owned(), value(name))]),
            members: Members::Complete(Vec::new()),
            ..anybody(name)
        };
        let edges = Edges { names: members.iter().copied().collect(), complete: true };
        self.snapshot.entries.push((entry, Presence::Present, edges));
        self
    }

    fn presence(mut self, presence: Presence) -> Self {
        self.snapshot.entries.last_mut().unwrap().1 = presence;
        self
    }

    fn incomplete(mut self) -> Self {
        self.snapshot.entries.last_mut().unwrap().2.complete = false;
        self
    }

    /// The last entry has an object under this name already.
    fn linked(mut self, name: &str) -> Self {
        let (entry, ..) = self.snapshot.entries.last().unwrap();
        let (id, kind) = (SubjectId(self.known.next), SubjectKind::of(entry.kind));
        let confirmed = match kind {
            SubjectKind::User => {
                Content::User(UserContent { user_name: name.to_owned(), ..UserContent::default() })
            }
            SubjectKind::Group => {
                Content::Group(GroupContent { display_name: name.to_owned(), ..GroupContent::default() })
            }
        };
        let link = Link {
            target: TargetId(name.into()),
            confirmed: confirmed.into(),
            active: true,
            members: RoaringBitmap::new(),
            leaving: None,
        };
        let directory = self.snapshot.info.directory.clone();
        let key = Key::new(&self.policy.owner, &directory, &entry.anchor);
        let anchors = vec![(directory, entry.anchor.clone())];
        self.known.by_id.insert(id, Subject { id, kind, key, anchors, link: Some(link) });
        self.known.next += 1;
        self
    }

    fn project(&self) -> Projection {
        project(&self.policy, &[&self.snapshot], &self.known, now()).unwrap()
    }

    /// Names of the users that are kept.
    fn kept(&self) -> Vec<String> {
        let kept = |verdict: &Verdict<User>| match verdict {
            Verdict::Keep(user) => Some(user.content.name().to_owned()),
            _ => None,
        };
        self.project().users.values().filter_map(kept).collect()
    }

    /// Why each quarantined entry is.
    fn quarantined(&self) -> Vec<QuarantineReason> {
        self.project().quarantined.iter().map(|one| one.reason).collect()
    }

    fn members(&self, subject: u32) -> Vec<u32> {
        match &self.project().groups[&SubjectId(subject)] {
            Verdict::Keep(group) => group.members.iter().collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn policy() -> Policy {
    let any = Budget { count: 100, percent: 100 };
    Policy {
        owner: Owner::new("test", "all"),
        connectors: vec![Vouching {
            connector: ConnectorName::new("test", "corp"),
            max_age: Duration::from_hours(24),
            disabled_when: None,
        }],
        users: UserRules {
            email_domains: BTreeSet::new(),
            r#where: None,
            contacts: false,
            without_mailboxes: BTreeSet::new(),
            disabled: OnDisabled::Disable,
            leavers: vec![Rung { after: Duration::ZERO, step: Step::Disable }],
            recreated: OnRecreated::Quarantine,
            adopt: Adopt::Never,
            protected: BTreeSet::new(),
            attributes: BTreeMap::new(),
        },
        groups: GroupRules {
            include: Vec::new(),
            exclude: Vec::new(),
            r#where: None,
            nesting: Nesting::Flatten,
            membership: Membership::Owned,
            vanished: Rung { after: Duration::ZERO, step: Step::Delete },
            adopt: Adopt::Never,
        },
        limits: Limits {
            window: Duration::from_hours(24),
            user_removals: any,
            group_removals: any,
            member_removals: any,
            member_removals_per_group: PerGroup { percent: 100, minimum_size: 0 },
            identifier_changes: any,
            disables: any,
            quarantined: any,
            on_exceed: OnExceed::HoldRemovals,
        },
        spec_hash: String::new(),
        spec_json: String::new(),
    }
}

fn value(text: &str) -> Stated {
    Stated::Values(vec![text.to_owned()])
}

fn anybody(name: &str) -> Entry {
    let dn = format!("cn={name}");
    let names = vec![Reference::Dn(Dn::parse(&dn).unwrap())];
    Entry { anchor: Anchor::new(name), dn, names, ..Entry::nobody() }
}

/// A user with an address.
fn user(name: &str) -> Entry {
    user_with(name, &[(fields::MAIL, &format!("{name}@corp.example"))])
}

fn user_with(name: &str, stated: &[(&str, &str)]) -> Entry {
    let mut entry = anybody(name);
    entry.fields = stated.iter().map(|(field, text)| ((*field).to_owned(), value(text))).collect();
    entry.fields.insert(fields::USER_NAME.to_owned(), value(name));
    entry
}

fn wanted(text: &str) -> Expression {
    Expression::compile(text, About::User, Returns::Bool).unwrap()
}

fn gone(grade: Grade) -> Presence {
    Presence::Gone { evidence: Evidence::data(grade), since: Timestamp::UNIX_EPOCH }
}

#[test]
fn a_user_is_called_by_the_address_else_by_the_login_name() {
    let case = Case::new().with(user("ann")).with(user_with("bob", &[])).with(anybody("cid"));
    assert_eq!(case.kept(), ["ann@corp.example", "bob"]);
    assert_eq!(case.project().skipped.without_address, 1);
}

#[test]
fn what_is_mapped_is_the_default_and_what_the_policy_adds() {
    let stated = [
        (fields::MAIL, "Ann@corp.example"),
        (fields::ALIASES, "a@corp.example"),
        (fields::DISPLAY_NAME, "Ann"),
        (fields::TITLE, "Chief"),
        (fields::FAMILY_NAME, "Lee"),
    ];
    let mut case = Case::new().with(user_with("ann", &stated));
    let mapping = |text| Expression::compile(text, About::User, Returns::Text).unwrap();
    case.policy.users.attributes = BTreeMap::from([
        ("title".to_owned(), mapping("user.title")),
        ("displayName".to_owned(), mapping("user.familyName + ', ' + user.displayName")),
        ("department".to_owned(), mapping("user.department")),
    ]);
    let projection = case.project();
    let Some(Verdict::Keep(User { content, .. })) = projection.users.values().next() else {
        panic!("{projection:?}")
    };
    let Content::User(user) = &**content else { panic!("{content:?}") };
    assert_eq!(user.emails, ["Ann@corp.example", "a@corp.example"]);
    let expected = [("displayName", "Lee, Ann"), ("familyName", "Lee"), ("title", "Chief")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(user.attributes, expected.into_iter().collect(), "what is empty is left out");
}

#[rstest]
#[case::a_domain("corp.example", "", false, &["ann@corp.example"])]
#[case::another_domain("other.example", "", false, &[])]
#[case::a_condition("", "user.title == 'Chief'", false, &["bob@corp.example"])]
#[case::contacts_too("", "", true, &["ann@corp.example", "bob@corp.example", "eve@sub.corp.example"])]
fn scope_is_what_the_policy_says(
    #[case] domain: &str,
    #[case] condition: &str,
    #[case] contacts: bool,
    #[case] expected: &[&str],
) {
    let bob = user_with("bob", &[(fields::MAIL, "bob@corp.example"), (fields::TITLE, "Chief")]);
    let eve = Entry { kind: Kind::Contact, ..user_with("eve", &[(fields::MAIL, "eve@sub.corp.example")]) };
    let mut case = Case::new().with(user("ann")).with(bob).with(eve);
    if !domain.is_empty() {
        case.policy.users.email_domains.insert(domain.to_owned());
        case.snapshot.entries.remove(1);
    }
    if !condition.is_empty() {
        case.policy.users.r#where = Some(wanted(condition));
    }
    case.policy.users.contacts = contacts;
    assert_eq!(case.kept(), expected);
}

#[rstest]
#[case::kept(&[], &["ann@corp.example", "box@corp.example", "hall@corp.example"])]
#[case::no_shared(&["shared"], &["ann@corp.example", "hall@corp.example"])]
#[case::no_rooms(&["room", "equipment"], &["ann@corp.example", "box@corp.example"])]
fn a_kind_of_mailbox_can_stay_out(#[case] without: &[&str], #[case] expected: &[&str]) {
    let of = |name: &str, mailbox: &str| {
        let mail = format!("{name}@corp.example");
        user_with(name, &[(fields::MAIL, mail.as_str()), (fields::MAILBOX, mailbox)])
    };
    let mut case = Case::new().with(user("ann")).with(of("box", "shared")).with(of("hall", "room"));
    case.policy.users.without_mailboxes = without.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(case.kept(), expected);
}

#[test]
fn who_is_out_of_scope_is_gone_if_there_is_an_object_and_nobody_else() {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example").with(user("bob"));
    case.policy.users.r#where = Some(wanted("user.title != ''"));
    let projection = case.project();
    let evidence = Evidence::data(Grade::OutOfScope);
    assert_eq!(projection.users, BTreeMap::from([(SubjectId(1), Verdict::Gone(evidence))]));
    assert_eq!(projection.skipped.out_of_scope, 1);
}

#[rstest]
#[case::disable(OnDisabled::Disable, Some(true))]
#[case::ignore(OnDisabled::Ignore, Some(false))]
#[case::leave(OnDisabled::Leave, None)]
fn a_disabled_account_means_what_the_policy_says(#[case] rule: OnDisabled, #[case] kept: Option<bool>) {
    let disabled = || Entry { disabled: Some(true), ..user("ann") };
    let mut case = Case::new().with(disabled()).linked("ann@corp.example");
    case.policy.users.disabled = rule;
    let verdict = case.project().users.remove(&SubjectId(1)).unwrap();
    match kept {
        Some(disabled) => assert!(matches!(verdict, Verdict::Keep(user) if user.disabled == disabled)),
        None => assert_eq!(verdict, Verdict::Gone(Evidence::data(Grade::Disabled))),
    }
    // Nobody is created who is disabled when first seen, unless that means nothing.
    let mut case = Case::new().with(disabled());
    case.policy.users.disabled = rule;
    assert_eq!(case.kept().is_empty(), rule != OnDisabled::Ignore);
}

#[test]
fn an_account_expires_without_anybody_saying_so() {
    let ending = |name: &str, seconds: i64| {
        let expires = Some(now().checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap());
        Entry { disabled: Some(false), expires, ..user(name) }
    };
    let case = Case::new().with(ending("ann", 7)).linked("ann@corp.example").with(ending("bob", 0));
    let case = case.linked("bob@corp.example").with(ending("cid", 5));
    let projection = case.project();
    let disabled: Vec<bool> = projection
        .users
        .values()
        .map(|verdict| matches!(verdict, Verdict::Keep(user) if user.disabled))
        .collect();
    assert_eq!(disabled, [false, true, false]);
    assert_eq!(projection.due, Some(now().checked_add(jiff::SignedDuration::from_secs(5)).unwrap()));
}

#[test]
fn the_connectors_own_rule_says_who_is_disabled() {
    let mut off = user("ann");
    off.attributes.insert("status".to_owned(), value("off"));
    let mut case =
        Case::new().with(off).linked("ann@corp.example").with(user("bob")).linked("bob@corp.example");
    case.policy.connectors[0].disabled_when = Some(wanted("user.attributes['status'] == 'off'"));
    let disabled = |id: u32| match &case.project().users[&SubjectId(id)] {
        Verdict::Keep(user) => user.disabled,
        other => panic!("{other:?}"),
    };
    assert_eq!((disabled(1), disabled(2)), (true, false));
}

#[test]
fn what_cannot_be_told_freezes_and_is_named() {
    let mut unclear = user("ann");
    unclear.fields.insert(fields::MAIL.to_owned(), Stated::Undecodable);
    let case = Case::new()
        .with(unclear)
        .linked("ann@corp.example")
        .with(user("bob"))
        .linked("bob@corp.example")
        .presence(Presence::Unreadable("it is damaged".to_owned()))
        .with(user("cid"))
        .linked("cid@corp.example")
        .presence(Presence::Unsettled { since: Timestamp::UNIX_EPOCH, server: None });
    let projection = case.project();
    assert!(projection.users.values().all(|verdict| *verdict == Verdict::Frozen), "{:?}", projection.users);
    assert_eq!(case.quarantined(), [QuarantineReason::UnknownField, QuarantineReason::Unreadable]);
    assert_eq!(projection.unsettled, BTreeSet::from([SubjectId(3)]));
}

#[test]
fn an_expression_that_fails_quarantines_its_entry_only() {
    let mut case = Case::new().with(user("ann")).with(user_with("bob", &[(fields::TITLE, "7")]));
    case.policy.users.r#where = Some(wanted("int(user.title) == 7"));
    assert_eq!(case.kept(), ["bob"]);
    assert_eq!(case.quarantined(), [QuarantineReason::ExpressionFailed]);
}

#[test]
fn of_two_that_want_a_name_the_linked_one_goes_on() {
    let twins = || {
        let mail = [(fields::MAIL, "ann@corp.example")];
        (user_with("ann1", &mail), user_with("ann2", &[(fields::MAIL, "ANN@corp.example")]))
    };
    let (one, two) = twins();
    let case = Case::new().with(one).with(two);
    assert_eq!((case.kept(), case.quarantined().len()), (Vec::<String>::new(), 2));
    let (one, two) = twins();
    let case = Case::new().with(one).with(two).linked("ann@corp.example");
    assert_eq!(
        (case.kept(), case.quarantined()),
        (vec!["ANN@corp.example".to_owned()], vec![QuarantineReason::NameConflict])
    );
}

#[rstest]
#[case::relink(OnRecreated::Relink)]
#[case::replace(OnRecreated::Replace)]
#[case::quarantine(OnRecreated::Quarantine)]
fn a_new_entry_with_a_leavers_name_follows_the_rule(#[case] rule: OnRecreated) {
    let again = user_with("ann2", &[(fields::MAIL, "ann@corp.example")]);
    let mut case =
        Case::new().with(user("ann")).linked("ann@corp.example").presence(gone(Grade::Absent)).with(again);
    case.policy.users.recreated = rule;
    let projection = case.project();
    let first_is_kept = matches!(projection.users[&SubjectId(1)], Verdict::Keep(_));
    match rule {
        OnRecreated::Relink => {
            assert!(first_is_kept && projection.newcomers.is_empty());
            assert_eq!(projection.joins[0].0, SubjectId(1));
        }
        OnRecreated::Replace => {
            assert!(!first_is_kept && projection.newcomers.len() == 1);
            assert_eq!(projection.replaced, BTreeSet::from([SubjectId(1)]));
        }
        OnRecreated::Quarantine => {
            assert!(!first_is_kept && projection.newcomers.is_empty());
            assert_eq!(case.quarantined(), [QuarantineReason::Recreated]);
        }
    }
}

#[test]
fn of_two_entries_that_were_taken_for_one_the_second_waits() {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example").with(user("bob"));
    let bob = (DirectoryId::new("d"), Anchor::new("bob"));
    case.known.by_id.get_mut(&SubjectId(1)).unwrap().anchors.push(bob);
    assert_eq!(case.kept(), ["ann@corp.example"]);
    assert_eq!(case.quarantined(), [QuarantineReason::Recreated]);
}

#[test]
fn groups_in_groups_are_resolved_through_circles() {
    // 0 and 1 are people; 2 holds 0 and 3; 3 holds 1 and 2; 4 holds itself and nobody.
    let case = Case::new()
        .with(user("ann"))
        .with(user("bob"))
        .group("a", &[0, 3])
        .group("b", &[1, 2])
        .group("self", &[4])
        .group("outer", &[2, 77]);
    assert_eq!((case.members(3), case.members(4), case.members(5)), (vec![1, 2], vec![1, 2], vec![]));
    assert_eq!(case.members(6), [1, 2]);
    assert_eq!(case.project().skipped.dangling_members, 1);
}

#[test]
fn a_group_in_a_group_stays_one_where_nesting_is_kept() {
    let mut case = Case::new().with(user("ann")).group("a", &[0]).group("b", &[1, 2]).group("out", &[]);
    case.policy.groups.nesting = Nesting::Preserve;
    case.policy.groups.exclude = vec!["ou*".to_owned()];
    assert_eq!((case.members(2), case.members(3)), (vec![1], vec![2]));
    assert_eq!(case.project().groups.len(), 2);
}

#[test]
fn who_is_gone_or_out_of_scope_is_no_member() {
    let mut case = Case::new()
        .with(user("ann"))
        .linked("ann@corp.example")
        .presence(gone(Grade::Absent))
        .with(user_with("bob", &[(fields::TITLE, "x")]))
        .with(user("cid"))
        .group("team", &[0, 1, 2]);
    case.policy.users.r#where = Some(wanted("user.title == ''"));
    assert_eq!(case.kept(), ["cid@corp.example"]);
    assert_eq!(case.members(3), [2], "subjects: cid is 2, the team is 3");
}

#[test]
fn a_list_that_was_not_read_completely_ends_no_membership() {
    let mut case = Case::new()
        .with(user("ann"))
        .linked("ann@corp.example")
        .group("team", &[])
        .linked("team")
        .incomplete();
    case.known.by_id.get_mut(&SubjectId(2)).unwrap().link.as_mut().unwrap().members.insert(1);
    let Verdict::Keep(group) = &case.project().groups[&SubjectId(2)] else { panic!() };
    assert_eq!((group.members.len(), group.unproven.contains(1)), (0, true));
    assert_eq!(case.quarantined(), [QuarantineReason::UnknownField], "it is not in step, and says so");
}

#[test]
fn who_became_a_group_stays_where_they_are_a_member() {
    let mut case =
        Case::new().with(user("ann")).linked("ann@corp.example").group("team", &[0]).linked("team");
    case.known.by_id.get_mut(&SubjectId(2)).unwrap().link.as_mut().unwrap().members.insert(1);
    case.snapshot.entries[0].0.kind = Kind::Group;
    let Verdict::Keep(group) = &case.project().groups[&SubjectId(2)] else { panic!() };
    assert_eq!((group.members.len(), group.unproven.contains(1)), (0, true));
}

#[test]
fn a_name_that_two_bear_neither_begins_nor_ends_a_membership() {
    let mut case = Case::new()
        .with(user("ann"))
        .linked("ann@corp.example")
        .with(user("bob"))
        .linked("bob@corp.example")
        .group("inner", &[0])
        .linked("inner")
        .group("outer", &[2])
        .linked("outer");
    case.snapshot.names.insert(1, 0);
    for group in [3, 4] {
        case.known.by_id.get_mut(&SubjectId(group)).unwrap().link.as_mut().unwrap().members.insert(1);
        let Verdict::Keep(group) = &case.project().groups[&SubjectId(group)] else { panic!() };
        assert_eq!((group.members.len(), group.unproven.iter().collect::<Vec<_>>()), (0, vec![1]));
    }
}

#[rstest]
#[case(Presence::Unreadable(String::new()))]
#[case(Presence::Unsettled { since: Timestamp::UNIX_EPOCH, server: None })]
fn a_frozen_entry_bears_its_name_before_one_that_is_gone(#[case] frozen: Presence) {
    let mut case = Case::new()
        .with(user("old"))
        .presence(gone(Grade::Absent))
        .with(user("ann"))
        .linked("ann@corp.example")
        .presence(frozen)
        .group("team", &[0]);
    case.snapshot.names.insert(1, 0);
    assert_eq!(case.members(2), [1]);
}

#[test]
fn a_name_that_nobody_bears_ends_no_membership_of_somebody_who_was_not_read() {
    // Who could not be read may have been moved, and be the one whom the list names by a new name.
    let moved = || Case::new().with(user("ann")).linked("ann");
    let unreadable = Presence::Unreadable("damaged".to_owned());
    let unproven = |case: Case, member: u32, group: u32| {
        let mut case = case;
        let link = case.known.by_id.get_mut(&SubjectId(group)).unwrap().link.as_mut().unwrap();
        link.members.insert(member);
        let Verdict::Keep(group) = case.project().groups[&SubjectId(group)].clone() else { panic!() };
        assert!(!group.members.contains(member));
        group.unproven.contains(member)
    };
    assert!(unproven(moved().presence(unreadable.clone()).group("team", &[99]).linked("team"), 1, 2));
    assert!(!unproven(moved().presence(unreadable.clone()).group("team", &[]).linked("team"), 1, 2));
    assert!(!unproven(moved().group("team", &[99]).linked("team"), 1, 2), "who was read is not named");
    // An old list names its members as they were called before.
    let inner = moved().group("outer", &[2]).linked("outer").group("inner", &[99]).linked("inner");
    assert!(unproven(inner.presence(unreadable), 1, 2));
}

#[test]
fn a_new_name_that_nobody_bears_ends_no_membership_until_the_next_read() {
    // Ann was read, then renamed; then the list was read, which has her new name.
    let mut case = Case::new().with(user("ann")).linked("ann").group("team", &[99]).linked("team");
    case.known.by_id.get_mut(&SubjectId(2)).unwrap().link.as_mut().unwrap().members.insert(1);
    for (new_names, awaits) in [(99, true), (100, false)] {
        case.snapshot.info.new_names = new_names;
        let Verdict::Keep(group) = case.project().groups[&SubjectId(2)].clone() else { panic!() };
        assert_eq!((group.unproven.contains(1), group.awaits), (awaits, awaits));
    }
    assert_eq!(case.quarantined(), [], "nobody has to do anything");
}

#[test]
fn a_path_that_is_gone_on_weak_evidence_ends_weakly() {
    let mut case = Case::new()
        .with(user("ann"))
        .linked("ann@corp.example")
        .group("inner", &[0])
        .linked("inner")
        .presence(gone(Grade::AbsentUnconfirmed))
        .group("outer", &[1])
        .linked("outer");
    let weak = |case: &Case| match &case.project().groups[&SubjectId(3)] {
        Verdict::Keep(group) => (group.members.len(), group.weak.contains(1)),
        other => panic!("{other:?}"),
    };
    assert_eq!(weak(&case), (0, true));
    case.snapshot.entries[1].1 = gone(Grade::Absent);
    assert_eq!(weak(&case), (0, false));
}

#[test]
fn doubt_is_about_fields_that_the_policy_uses() {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example");
    let trip = || Trip { carried: 10, lost: RoaringBitmap::from_iter([0]) };
    case.snapshot.info.tripped.insert(fields::OFFICE.to_owned(), trip());
    assert_eq!(case.project().doubtful, BTreeMap::new());
    case.policy.users.r#where = Some(wanted("user.office == ''"));
    assert_eq!(case.project().doubtful, BTreeMap::from([(SubjectId(1), vec!["office".to_owned()])]));
}

#[test]
fn who_lost_what_said_that_their_account_says_nothing_is_in_doubt() {
    // A shared mailbox that is no longer known for one is a disabled account.
    let mut case = Case::new().with(Entry { disabled: Some(true), ..user("box") }).linked("box@corp.example");
    let trip = Trip { carried: 10, lost: RoaringBitmap::from_iter([0]) };
    case.snapshot.info.tripped.insert(fields::MAILBOX.to_owned(), trip);
    assert_eq!(case.project().doubtful, BTreeMap::from([(SubjectId(1), vec!["mailbox".to_owned()])]));
}

#[test]
fn a_member_list_that_many_lost_is_in_doubt_in_the_groups_around_it_too() {
    let mut case = Case::new()
        .group("inner", &[])
        .linked("inner")
        .group("outer", &[0])
        .linked("outer")
        .group("other", &[]);
    let trip = Trip { carried: 10, lost: RoaringBitmap::from_iter([0]) };
    case.snapshot.info.tripped.insert(fields::MEMBERS.to_owned(), trip);
    let members = vec![fields::MEMBERS.to_owned()];
    let expected = BTreeMap::from([(SubjectId(1), members.clone()), (SubjectId(2), members)]);
    assert_eq!(case.project().doubtful, expected);
}

#[test]
fn a_subject_of_which_nothing_was_read_is_frozen() {
    let mut case = Case::new().with(user("ann")).linked("ann@corp.example");
    case.snapshot.entries.clear();
    assert_eq!(case.project().users, BTreeMap::from([(SubjectId(1), Verdict::Frozen)]));
}
