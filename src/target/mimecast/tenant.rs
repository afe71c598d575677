//! What a run knows of a tenant: its domains, its addresses and its groups, each read once and brought up to date by what is
//! written. The API shows no single user, so whoever is looked for is looked for in the list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex as StdMutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::answer::Role;
use super::client::{Client, List};
use super::record::{self, Folder, Person};
use crate::directory::TargetReason;
use crate::target::refusal::{No, Refusal};

const DOMAINS: Role = "Directories | Internal | Read";
pub(super) const USERS: Role = "Directories | Internal | Read";
pub(super) const GROUPS: Role = "Directories | Groups | Read";
pub(super) const EDIT_USERS: Role = "Directories | Internal | Edit";
pub(super) const EDIT_GROUPS: Role = "Directories | Groups | Edit";

/// What is written; the first of each kind is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    MakeUser,
    NameUser,
    State,
    Link,
    Unlink,
    MakeGroup,
    NameGroup,
    AddMembers,
    RemoveMembers,
}

/// How members are sent. Two shapes are documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `groupMembers`.
    Members,
    /// `data`.
    Data,
    /// The older style, one at a time.
    Older,
}

pub(super) struct Tenant {
    pub(super) domains: BTreeSet<String>,
    /// What the group above ours is called.
    parent: String,
    people: Mutex<Option<BTreeMap<String, Person>>>,
    /// How often all addresses were read.
    reads: AtomicU32,
    folders: Mutex<Option<BTreeMap<String, Folder>>>,
    /// Who is in which of our groups, as far as it was read.
    members: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// Held by whoever makes the group above ours.
    making: Mutex<()>,
    proven: StdMutex<BTreeSet<Act>>,
    /// Users who move, by their old and their new address.
    moves: StdMutex<BTreeSet<(String, String)>>,
    form: StdMutex<(Form, bool)>,
    shows_names: AtomicBool,
    shows_state: AtomicBool,
}

impl Tenant {
    /// Reads the tenant's own domains: nobody with another address is its user.
    pub(super) async fn open(client: &Client, parent: &str) -> Result<Self, Refusal> {
        let list = List {
            path: vec!["domain", "cloud-gateway", "v1", "internal-domains"],
            field: "domains",
            older: "api/domain/get-internal-domain",
            within: "",
            asks: vec![Value::Null],
            role: DOMAINS,
        };
        let mut domains = BTreeSet::new();
        client.each(&list, |shown| domains.extend(record::domain(shown))).await?;
        if domains.is_empty() {
            let message = format!(
                "{} shows no internal domain of the tenant, so nobody can be its user. Add a domain in the console, or check whose client this is",
                client.host()
            );
            return Err(Refusal::new(No::Everything, TargetReason::Refused, message));
        }
        Ok(Self {
            domains,
            parent: parent.to_owned(),
            people: Mutex::default(),
            reads: AtomicU32::new(0),
            folders: Mutex::default(),
            members: Mutex::default(),
            making: Mutex::default(),
            proven: StdMutex::default(),
            moves: StdMutex::default(),
            form: StdMutex::new((Form::Members, false)),
            shows_names: AtomicBool::new(true),
            shows_state: AtomicBool::new(true),
        })
    }

    // Addresses.

    /// The address, as it is known.
    pub(super) async fn person(&self, client: &Client, address: &str) -> Result<Option<Person>, Refusal> {
        let people = self.people(client).await?;
        Ok(people.as_ref().and_then(|people| people.get(address)).cloned())
    }

    /// The same, and what is not there was not there twice: a list may change while it is read.
    pub(super) async fn surely(&self, client: &Client, address: &str) -> Result<Option<Person>, Refusal> {
        let person = self.person(client, address).await?;
        if person.is_some() || self.reads.load(Ordering::Relaxed) > 1 {
            return Ok(person);
        }
        self.look(client, address).await
    }

    /// The address as Mimecast shows it now.
    pub(super) async fn look(&self, client: &Client, address: &str) -> Result<Option<Person>, Refusal> {
        self.read_people(client).await?;
        self.person(client, address).await
    }

    /// Tells of every user.
    pub(super) async fn users(&self, client: &Client) -> Result<Vec<Person>, Refusal> {
        self.read_people(client).await?;
        let people = self.people.lock().await;
        Ok(people
            .iter()
            .flatten()
            .map(|(_, person)| person)
            .filter(|person| person.is_user())
            .cloned()
            .collect())
    }

    /// What was written of an address.
    pub(super) async fn note(&self, person: Person) {
        if let Some(people) = &mut *self.people.lock().await {
            people.insert(person.address.clone(), person);
        }
    }

    pub(super) async fn forget(&self, address: &str) {
        if let Some(people) = &mut *self.people.lock().await {
            people.remove(address);
        }
    }

    /// What is asked next is read anew.
    pub(super) async fn forget_people(&self) {
        *self.people.lock().await = None;
    }

    /// The same of groups.
    pub(super) async fn forget_folders(&self) {
        *self.folders.lock().await = None;
    }

    async fn read_people(&self, client: &Client) -> Result<(), Refusal> {
        let mut people = self.people.lock().await;
        let mut now = self.all_people(client).await?;
        // Of what Mimecast does not show, what was written counts.
        for (address, known) in people.iter().flatten() {
            if let Some(shown) = now.get_mut(address) {
                shown.name = shown.name.take().or_else(|| known.name.clone());
                shown.disabled = shown.disabled.or(known.disabled);
            }
        }
        *people = Some(now);
        Ok(())
    }

    async fn people(
        &self,
        client: &Client,
    ) -> Result<MutexGuard<'_, Option<BTreeMap<String, Person>>>, Refusal> {
        let mut people = self.people.lock().await;
        if people.is_none() {
            *people = Some(self.all_people(client).await?);
        }
        Ok(people)
    }

    async fn all_people(&self, client: &Client) -> Result<BTreeMap<String, Person>, Refusal> {
        let list = List {
            path: vec!["user", "cloud-gateway", "v1", "users"],
            field: "users",
            older: "api/user/get-internal-users",
            within: "users",
            asks: self.domains.iter().map(|domain| json!({ "domain": domain })).collect(),
            role: USERS,
        };
        let mut people = BTreeMap::new();
        let mut unread = 0;
        client
            .each(&list, |shown| match Person::read(shown) {
                Some(person) => drop(people.insert(person.address.clone(), person)),
                None => unread += 1,
            })
            .await?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        let all = || people.values();
        self.shows_names.store(people.is_empty() || all().any(|one| one.name.is_some()), Ordering::Relaxed);
        self.shows_state
            .store(people.is_empty() || all().any(|one| one.disabled.is_some()), Ordering::Relaxed);
        tracing::debug!(addresses = people.len(), unread, "read the addresses of the tenant");
        Ok(people)
    }

    /// Whether Mimecast shows what users are called.
    pub(super) fn shows_names(&self) -> bool {
        self.shows_names.load(Ordering::Relaxed)
    }

    /// Whether it shows who is disabled.
    pub(super) fn shows_state(&self) -> bool {
        self.shows_state.load(Ordering::Relaxed)
    }

    /// The account at the new address was made, or set free, for the user of the old one.
    pub(super) fn note_move(&self, old: &str, new: &str) {
        let a_move = (old.to_owned(), new.to_owned());
        self.moves.lock().unwrap_or_else(PoisonError::into_inner).insert(a_move);
    }

    /// Whether it was.
    pub(super) fn is_move(&self, old: &str, new: &str) -> bool {
        let a_move = (old.to_owned(), new.to_owned());
        self.moves.lock().unwrap_or_else(PoisonError::into_inner).contains(&a_move)
    }

    // Groups.

    /// The group of this id.
    pub(super) async fn folder(&self, client: &Client, id: &str) -> Result<Option<Folder>, Refusal> {
        if let Some(folder) = self.folders(client).await?.as_ref().and_then(|folders| folders.get(id)) {
            return Ok(Some(folder.clone()));
        }
        self.folder_now(client, id).await
    }

    /// The group of this id, as Mimecast shows it now.
    pub(super) async fn folder_now(&self, client: &Client, id: &str) -> Result<Option<Folder>, Refusal> {
        if !record::is_id(id) {
            return Ok(None);
        }
        let path = ["directory", "cloud-gateway", "v1", "groups", id];
        let shown = match client.get(&path, &[], GROUPS).await {
            Ok(shown) => Folder::read(&shown, Some(id)),
            // Whether it is not there or cannot be asked for, the list says.
            Err(refusal) if matches!(refusal.no, No::NotThere | No::Unsupported | No::Refused) => {
                let is_listed =
                    self.folders(client).await?.as_ref().is_some_and(|folders| folders.contains_key(id));
                if is_listed || refusal.no != No::NotThere {
                    self.read_folders(client).await?;
                }
                self.folders.lock().await.as_ref().and_then(|folders| folders.get(id)).cloned()
            }
            Err(refusal) => return Err(refusal),
        };
        if let Some(folders) = &mut *self.folders.lock().await {
            match &shown {
                Some(folder) => drop(folders.insert(id.to_owned(), folder.clone())),
                None => drop(folders.remove(id)),
            }
        }
        Ok(shown)
    }

    /// The groups below ours.
    pub(super) async fn ours(&self, client: &Client) -> Result<Vec<Folder>, Refusal> {
        let Some(parent) = self.parent(client).await? else { return Ok(Vec::new()) };
        let folders = self.folders(client).await?;
        let is_ours = |folder: &&Folder| folder.parent.as_deref() == Some(&parent) && !folder.is_directorys;
        Ok(folders.iter().flatten().map(|(_, folder)| folder).filter(is_ours).cloned().collect())
    }

    /// The same, as Mimecast shows them now.
    pub(super) async fn ours_now(&self, client: &Client) -> Result<Vec<Folder>, Refusal> {
        self.read_folders(client).await?;
        self.ours(client).await
    }

    /// The group above ours, made if it is not there.
    pub(super) async fn parent_made(&self, client: &Client) -> Result<String, Refusal> {
        let _making = self.making.lock().await;
        if let Some(parent) = self.parent(client).await? {
            return Ok(parent);
        }
        let made = make_folder(client, &self.parent, None).await;
        // It may have been made all the same, or by somebody else meanwhile.
        self.read_folders(client).await?;
        match (self.parent(client).await?, made) {
            (Some(parent), _) => Ok(parent),
            (None, Err(refusal)) => Err(refusal),
            (None, Ok(_)) => {
                let message =
                    format!("{} says that it made the parent folder, and it is not there", client.host());
                Err(Refusal::new(No::Busy, TargetReason::NotDone, message))
            }
        }
    }

    /// The group above ours; an error if it cannot be told which it is.
    async fn parent(&self, client: &Client) -> Result<Option<String>, Refusal> {
        let folders = self.folders(client).await?;
        let is_it = |folder: &&Folder| !folder.is_directorys && folder.is_called(&self.parent);
        let all: Vec<&Folder> = folders.iter().flatten().map(|(_, folder)| folder).filter(is_it).collect();
        // One of our own groups may be called so too.
        let within = |folder: &Folder| {
            folder.parent.as_ref().is_some_and(|parent| all.iter().any(|one| one.id == *parent))
        };
        let outer: Vec<&&Folder> = all.iter().filter(|folder| !within(folder)).collect();
        match outer.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.id.clone())),
            several => {
                let message = format!(
                    "{} has {} groups that are called like parentFolder; rename all but one of them in the console",
                    client.host(),
                    several.len()
                );
                Err(Refusal::new(No::Refused, TargetReason::Refused, message))
            }
        }
    }

    pub(super) async fn note_folder(&self, folder: Folder) {
        if let Some(folders) = &mut *self.folders.lock().await {
            folders.insert(folder.id.clone(), folder);
        }
    }

    pub(super) async fn forget_folder(&self, id: &str) {
        if let Some(folders) = &mut *self.folders.lock().await {
            folders.remove(id);
        }
        self.members.lock().await.remove(id);
    }

    async fn read_folders(&self, client: &Client) -> Result<(), Refusal> {
        let mut folders = self.folders.lock().await;
        *folders = Some(all_folders(client).await?);
        Ok(())
    }

    async fn folders(
        &self,
        client: &Client,
    ) -> Result<MutexGuard<'_, Option<BTreeMap<String, Folder>>>, Refusal> {
        let mut folders = self.folders.lock().await;
        if folders.is_none() {
            *folders = Some(all_folders(client).await?);
        }
        Ok(folders)
    }

    // Members.

    /// Who is in a group, as Mimecast shows it now.
    pub(super) async fn members_now(
        &self,
        client: &Client,
        group: &str,
    ) -> Result<BTreeSet<String>, Refusal> {
        let list = List {
            path: vec!["directory", "cloud-gateway", "v1", "groups", group, "members"],
            field: "groupMembers",
            older: "api/directory/get-group-members",
            within: "groupMembers",
            asks: vec![json!({ "id": group })],
            role: GROUPS,
        };
        let mut members = BTreeSet::new();
        client.each(&list, |shown| members.extend(record::member(shown))).await?;
        self.members.lock().await.insert(group.to_owned(), members.clone());
        Ok(members)
    }

    /// The groups of ours that an address is in.
    pub(super) async fn groups_of(&self, client: &Client, address: &str) -> Result<Vec<String>, Refusal> {
        let mut of = Vec::new();
        for folder in self.ours(client).await? {
            let known = self.members.lock().await.get(&folder.id).map(|members| members.contains(address));
            let is_in = match known {
                Some(is_in) => is_in,
                None => self.members_now(client, &folder.id).await?.contains(address),
            };
            if is_in {
                of.push(folder.id);
            }
        }
        Ok(of)
    }

    /// What was written of the members of a group.
    pub(super) async fn note_members(&self, group: &str, change: impl FnOnce(&mut BTreeSet<String>)) {
        self.members.lock().await.get_mut(group).map(change);
    }

    // What was found out.

    pub(super) fn is_proven(&self, act: Act) -> bool {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).contains(&act)
    }

    pub(super) fn prove(&self, act: Act) {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).insert(act);
    }

    /// How members are sent, and whether that went well once.
    pub(super) fn form(&self) -> (Form, bool) {
        *self.form.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn learn(&self, form: Form) {
        *self.form.lock().unwrap_or_else(PoisonError::into_inner) = (form, true);
    }
}

async fn all_folders(client: &Client) -> Result<BTreeMap<String, Folder>, Refusal> {
    let list = List {
        path: vec!["directory", "cloud-gateway", "v1", "groups"],
        field: "groups",
        older: "api/directory/find-groups",
        within: "folders",
        asks: vec![json!({})],
        role: GROUPS,
    };
    let mut folders = BTreeMap::new();
    let each =
        |shown: &Value| folders.extend(Folder::read(shown, None).map(|folder| (folder.id.clone(), folder)));
    client.each(&list, each).await?;
    Ok(folders)
}

/// Makes a group; gives its id.
pub(super) async fn make_folder(
    client: &Client,
    name: &str,
    parent: Option<&str>,
) -> Result<Option<String>, Refusal> {
    let mut about = json!({ "description": name });
    if let Some(parent) = parent {
        about["parentId"] = parent.into();
    }
    let path = ["directory", "cloud-gateway", "v1", "groups"];
    let made = match client.post(&path, &about, EDIT_GROUPS).await {
        Err(refusal) if refusal.no == No::Unsupported => {
            client.change("api/directory/create-group", &about, EDIT_GROUPS).await?
        }
        made => made?,
    };
    let id = made.get("id").and_then(Value::as_str).filter(|id| record::is_id(id));
    Ok(id.map(str::to_owned))
}
