//! What every target must do, whatever is behind it: one suite, run on each.

use std::collections::BTreeSet;

use rollcall::directory::{
    Anchor, Content, DirectoryId, GroupContent, Key, Match, Operation, Outcome, Owner, SubjectKind, TargetId,
    TargetObject, TargetReason, UserContent,
};
use rollcall::store::Store;
use rollcall::target::mimecast::MimecastConfig;
use rollcall::target::registry::Registry;
use rollcall::target::{Names, Target};
use rstest::rstest;

use crate::support::fake_target::Fake;
use crate::support::mimecast::{Habits, Members, StandIn};
use crate::support::scim::{Kind, Server};

fn key(of: &str) -> Key {
    Key::new(&Owner::new("test", "contract"), &DirectoryId::new("dc=test"), &Anchor::new(of))
}

fn address(name: &str) -> String {
    format!("{name}@corp.example")
}

fn group(name: &str) -> Content {
    Content::Group(GroupContent { display_name: name.to_owned(), ..GroupContent::default() })
}

/// The suite, over one empty target, and what users are called there.
struct Suite<T>(T, fn(&str) -> String);

impl<T: Target> Suite<T> {
    fn called(&self, name: &str) -> String {
        (self.1)(name)
    }

    fn user(&self, name: &str) -> Content {
        let emails = vec![address(name)];
        Content::User(UserContent { user_name: self.called(name), emails, ..UserContent::default() })
    }

    fn holds_key(&self) -> bool {
        self.0.capabilities().users.unwrap().holds_key
    }

    async fn one(&self, operation: Operation) -> Outcome {
        let outcomes = self.0.apply(&[operation]).await;
        assert_eq!(outcomes.len(), 1);
        outcomes.into_iter().next().unwrap()
    }

    async fn create(&self, name: &str, content: Content) -> TargetId {
        match self.one(Operation::Create { key: key(name), content: content.into() }).await {
            Outcome::Done(id) => id,
            other => panic!("{name} was not created: {other:?}"),
        }
    }

    async fn find(&self, kind: SubjectKind, by: Match) -> Vec<TargetObject> {
        self.0.find(kind, &[by]).await.remove(0).unwrap()
    }

    async fn members(&self, group: &TargetId) -> BTreeSet<TargetId> {
        let found = self.find(SubjectKind::Group, Match::Id(group.clone())).await;
        found[0].members.clone().unwrap_or_default().into_iter().collect()
    }

    async fn holds(self) {
        let team = self.holds_but_for_deleted_members().await;
        assert_eq!(self.members(&team).await, BTreeSet::new(), "who is deleted is in no group");
    }

    /// Some services keep deleted members; gives the group in which there was one.
    async fn holds_but_for_deleted_members(&self) -> TargetId {
        self.creates_once_and_finds().await;
        self.names_are_unique_whatever_their_case().await;
        self.changes_only_what_is_there().await;
        self.answers_many_questions_in_order().await;
        self.lists_each_object_of_a_kind().await;
        self.members_come_and_go().await;
        self.answers_in_order().await;
        self.deletes_for_good().await
    }

    fn names_by_case(&self) -> bool {
        self.0.capabilities().users.unwrap().names == Names::UniqueByCase
    }

    async fn creates_once_and_finds(&self) {
        let id = self.create("ada", self.user("ada")).await;
        if self.holds_key() {
            assert_eq!(self.create("ada", self.user("ada")).await, id, "a repeated create leaves one object");
        }
        let by = [
            Match::Id(id.clone()),
            Match::Key(key("ada")),
            Match::Name(self.called("ADA")),
            Match::Email("Ada@corp.example".to_owned()),
        ];
        for by in by.into_iter().filter(|by| self.holds_key() || !matches!(by, Match::Key(_))) {
            let found = self.find(SubjectKind::User, by.clone()).await;
            assert_eq!(found.len(), 1, "{by:?}");
            assert_eq!(
                (&found[0].id, found[0].key, found[0].active),
                (&id, self.holds_key().then(|| key("ada")), Some(true)),
                "{by:?}"
            );
            assert_eq!(found[0].content, self.0.held(&self.user("ada")));
            assert_eq!(self.find(SubjectKind::Group, by).await, [], "a user is no group");
        }
    }

    async fn names_are_unique_whatever_their_case(&self) {
        let other = self.create("grace", self.user("grace")).await;
        let ada = |other: &'static str| if self.names_by_case() { "ada" } else { other };
        let taken = Operation::Create { key: key("impostor"), content: self.user(ada("Ada")).into() };
        assert_eq!(self.one(taken).await, Outcome::NameTaken(self.called(ada("Ada"))));
        let content = self.user(ada("ADA")).into();
        let rename = Operation::Update { id: other, key: key("grace"), content, before: None };
        assert_eq!(self.one(rename).await, Outcome::NameTaken(self.called(ada("ADA"))));
        // A group may be called what a user is.
        self.create("group ada", group("ada")).await;
    }

    async fn changes_only_what_is_there(&self) {
        let id = self.find(SubjectKind::User, Match::Name(self.called("ada"))).await.remove(0).id;
        let content = self.user("countess").into();
        let update = Operation::Update { id: id.clone(), key: key("ada"), content, before: None };
        // It may have another id from here on.
        let Outcome::Done(id) = self.one(update).await else { panic!("it was not renamed") };
        for active in [false, false, true] {
            let done = self.one(Operation::SetActive { id: id.clone(), active }).await;
            assert_eq!(done, Outcome::Done(id.clone()));
            let found = self.find(SubjectKind::User, Match::Id(id.clone())).await;
            assert_eq!(
                (found[0].active, &found[0].content),
                (Some(active), &self.0.held(&self.user("countess")))
            );
        }
        let nobody = TargetId("6f9619ff-8b86-d011-b42d-00c04fc964ff".into());
        let content = self.user("nobody").into();
        let update = Operation::Update { id: nobody.clone(), key: key("nobody"), content, before: None };
        assert_eq!(self.one(update).await, Outcome::Gone);
        assert_eq!(self.one(Operation::SetActive { id: nobody.clone(), active: false }).await, Outcome::Gone);
        let add = Operation::AddMembers { group: nobody, members: vec![id] };
        assert_eq!(self.one(add).await, Outcome::Gone);
    }

    async fn answers_many_questions_in_order(&self) {
        let id = self.create("quentin", self.user("quentin")).await;
        let by = [
            Match::Name(self.called("nobody-of-this-name")),
            Match::Id(id.clone()),
            Match::Key(key("nobody")),
            Match::Name(self.called("Quentin")),
        ];
        let found = self.0.find(SubjectKind::User, &by).await;
        let ids: Vec<Vec<TargetId>> =
            found.into_iter().map(|one| one.unwrap().into_iter().map(|found| found.id).collect()).collect();
        assert_eq!(ids, [vec![], vec![id.clone()], vec![], vec![id]]);
        assert_eq!(self.0.find(SubjectKind::User, &[]).await, []);
    }

    async fn lists_each_object_of_a_kind(&self) {
        let team = self.create("listed team", group("listed team")).await;
        let person = self.create("listed", self.user("listed")).await;
        self.one(Operation::AddMembers { group: team.clone(), members: vec![person.clone()] }).await;
        let (users, groups) = (SubjectKind::User, SubjectKind::Group);
        for (kind, wanted, other_kind, other) in
            [(users, &person, groups, &team), (groups, &team, users, &person)]
        {
            let mut listed = Vec::new();
            self.0.list(kind, |object| listed.push(object)).await.unwrap();
            let found = self.find(kind, Match::Id(wanted.clone())).await;
            let mut shown = found[0].clone();
            let listed_one = listed.iter().find(|object| object.id == *wanted).unwrap();
            // Not every list shows members.
            shown.members = shown.members.filter(|_| listed_one.members.is_some());
            assert_eq!(*listed_one, shown);
            // Ids may be unique within a kind only.
            let other = self.find(other_kind, Match::Id(other.clone())).await.remove(0);
            assert!(listed.iter().all(|object| object.content != other.content));
        }
    }

    async fn members_come_and_go(&self) {
        let team = self.create("team", group("team")).await;
        let mut people = Vec::new();
        for number in 0..120 {
            people.push(self.create(&format!("p{number}"), self.user(&format!("p{number}"))).await);
        }
        let add = || Operation::AddMembers { group: team.clone(), members: people.clone() };
        assert_eq!(self.one(add()).await, Outcome::Done(team.clone()));
        assert_eq!(self.one(add()).await, Outcome::Done(team.clone()), "one that is there is no error");
        assert_eq!(self.members(&team).await, people.iter().cloned().collect());
        let few = people[..3].to_vec();
        let remove = || Operation::RemoveMembers { group: team.clone(), members: few.clone() };
        assert_eq!(self.one(remove()).await, Outcome::Done(team.clone()));
        assert_eq!(
            self.one(remove()).await,
            Outcome::Done(team.clone()),
            "one that is not there is no error"
        );
        assert_eq!(self.members(&team).await, people[3..].iter().cloned().collect());
        if !self.0.capabilities().nested_groups {
            return;
        }
        let inner = self.create("inner", group("inner")).await;
        let nest = Operation::AddMembers { group: team.clone(), members: vec![inner.clone()] };
        assert_eq!(self.one(nest).await, Outcome::Done(team.clone()));
        assert!(self.members(&team).await.contains(&inner));
    }

    async fn deletes_for_good(&self) -> TargetId {
        let team = self.create("leaving team", group("leaving team")).await;
        let person = self.create("leaver", self.user("leaver")).await;
        let add = Operation::AddMembers { group: team.clone(), members: vec![person.clone()] };
        self.one(add).await;
        let delete = || Operation::Delete { kind: SubjectKind::User, id: person.clone() };
        if !self.0.capabilities().users.unwrap().delete {
            assert!(
                matches!(self.one(delete()).await, Outcome::Rejected(why) if why.reason == TargetReason::Unsupported)
            );
            let other = self.create("other leaving team", group("other leaving team")).await;
            for _ in 0..2 {
                let delete = Operation::Delete { kind: SubjectKind::Group, id: other.clone() };
                assert_eq!(
                    self.one(delete).await,
                    Outcome::Done(other.clone()),
                    "one that is gone is no error"
                );
            }
            assert_eq!(self.find(SubjectKind::Group, Match::Id(other)).await, []);
            return team;
        }
        assert_eq!(self.one(delete()).await, Outcome::Done(person.clone()));
        assert_eq!(self.one(delete()).await, Outcome::Done(person.clone()), "one that is gone is no error");
        assert_eq!(self.find(SubjectKind::User, Match::Key(key("leaver"))).await, []);
        // The name is free again.
        self.create("successor", self.user("leaver")).await;
        team
    }

    async fn answers_in_order(&self) {
        let nobody = TargetId("nobody".into());
        let second = if self.names_by_case() { "first" } else { "FIRST" };
        let batch = [
            Operation::Create { key: key("first"), content: self.user("first").into() },
            Operation::SetActive { id: nobody, active: false },
            Operation::Create { key: key("second"), content: self.user(second).into() },
            Operation::Create { key: key("third"), content: self.user("third").into() },
        ];
        let outcomes = self.0.apply(&batch).await;
        assert!(matches!(outcomes[0], Outcome::Done(_)), "{outcomes:?}");
        assert_eq!(outcomes[1], Outcome::Gone);
        assert_eq!(outcomes[2], Outcome::NameTaken(self.called(second)));
        assert!(matches!(outcomes[3], Outcome::Done(_)), "what fails costs the rest nothing: {outcomes:?}");
    }
}

#[tokio::test]
async fn the_fake_holds_to_it() {
    Suite(Fake::new(), str::to_owned).holds().await;
}

#[tokio::test]
async fn the_registry_holds_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    Suite(Registry::new(store, Owner::new("test", "contract")), str::to_owned).holds().await;
}

async fn a_server_holds_to_it(kind: Kind) {
    let server = Server::start(kind);
    Suite(server.target().await, str::to_owned).holds_but_for_deleted_members().await;
}

#[tokio::test]
async fn scim2_server_holds_to_it() {
    a_server_holds_to_it(Kind::Scim2Server).await;
}

#[tokio::test]
async fn django_holds_to_it() {
    a_server_holds_to_it(Kind::Django).await;
}

#[tokio::test]
async fn scimmy_holds_to_it() {
    a_server_holds_to_it(Kind::Scimmy).await;
}

/// In both of its styles.
#[rstest]
#[case::newer(Habits::default())]
#[case::older(Habits { older_only: true, members: Members::OlderOnly, ..Habits::default() })]
#[case::another_page(Habits { pagination: true, members: Members::ByData, known_member_fails: true, ..Habits::default() })]
#[tokio::test]
async fn mimecast_holds_to_it(#[case] habits: Habits) {
    let service = StandIn::start(habits);
    let config = MimecastConfig { adopts: false, ..service.config() };
    let target = service.opened(config, &[]).await.unwrap();
    Suite(target, address).holds_but_for_deleted_members().await;
}

#[tokio::test]
async fn the_parts_of_two_policies_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    for policy in ["one", "other"] {
        let suite = Suite(Registry::new(store.clone(), Owner::new("test", policy)), str::to_owned);
        assert_eq!(suite.find(SubjectKind::User, Match::Name("ada".to_owned())).await, []);
        suite.create("ada", suite.user("ada")).await;
    }
}

#[tokio::test]
async fn the_registry_knows_its_members_as_they_are_now() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let owner = Owner::new("test", "contract");
    let suite = |store| Suite(Registry::new(store, owner.clone()), str::to_owned);
    let (one, other) = (suite(store.clone()), suite(store));
    let team = one.create("team", group("team")).await;
    let mut people = Vec::new();
    for number in 0..120 {
        people.push(one.create(&format!("p{number}"), one.user(&format!("p{number}"))).await);
    }
    let add = |members: &[TargetId]| Operation::AddMembers { group: team.clone(), members: members.to_vec() };
    one.one(add(&people)).await;
    // Whoever comes after the last one was deleted gets that one's place.
    let last = people[119].clone();
    other.one(Operation::Delete { kind: SubjectKind::User, id: last }).await;
    let new = other.create("new", other.user("new")).await;
    one.one(add(&people)).await;
    assert_eq!(one.members(&team).await, people[..119].iter().cloned().collect());
    people[119] = new;
    one.one(add(&people)).await;
    assert_eq!(one.members(&team).await, people.iter().cloned().collect());
}
