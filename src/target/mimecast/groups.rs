//! Changes groups, and who is in them. What a directory integration of Mimecast's own keeps is never touched.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::client::Client;
use super::record::{self, Folder};
use super::tenant::{Act, EDIT_GROUPS, Form, Tenant, make_folder};
use crate::directory::{GroupContent, Outcome, RefusedMember, TargetError, TargetId, TargetReason};
use crate::target::refusal::{No, Refusal, doubt, not_begun, outcome};

/// So many members go in one request.
const TOGETHER: usize = 100;

/// Whether members come in or go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

pub(super) struct Groups<'a> {
    pub(super) client: &'a Client,
    pub(super) tenant: &'a Tenant,
}

/// How far a change of members came.
#[derive(Default)]
struct Came {
    done: usize,
    /// Who was refused, and why.
    refused: Vec<(String, TargetError)>,
}

impl Groups<'_> {
    pub(super) async fn create(&self, group: &GroupContent) -> Outcome {
        let parent = match self.tenant.parent_made(self.client).await {
            Ok(parent) => parent,
            Err(refusal) => return not_begun(refusal),
        };
        let name = group.display_name.as_str();
        match self.named(name).await {
            Ok(None) => {}
            Ok(Some(_)) => return Outcome::NameTaken(name.to_owned()),
            Err(refusal) => return not_begun(refusal),
        }
        let id = match make_folder(self.client, name, Some(&parent)).await {
            Ok(Some(id)) => id,
            Ok(None) => return Outcome::Ambiguous(self.not_done("tells no id of the group that it made")),
            Err(refusal) if matches!(refusal.no, No::Taken | No::Refused) => {
                return match self.tenant.ours_now(self.client).await {
                    Ok(ours) if ours.iter().any(|folder| folder.is_called(name)) => {
                        Outcome::NameTaken(name.to_owned())
                    }
                    _ => outcome(refusal),
                };
            }
            Err(refusal) => {
                // Whoever looks for it is to look anew.
                self.tenant.forget_folders().await;
                return outcome(refusal);
            }
        };
        let made = Folder {
            id: id.clone(),
            name: name.to_owned(),
            is_directorys: false,
            parent: Some(parent.clone()),
            users: 0,
        };
        if !self.tenant.is_proven(Act::MakeGroup) {
            match self.tenant.folder_now(self.client, &id).await {
                Ok(Some(shown)) if shown.name == name && shown.parent.as_ref() == Some(&parent) => {
                    self.tenant.prove(Act::MakeGroup);
                }
                Ok(Some(_)) => {
                    return Outcome::Rejected(
                        self.not_done("made a group with another name or place than it was told"),
                    );
                }
                Ok(None) => {
                    return Outcome::Ambiguous(
                        self.not_done("says that it made the group, and it is not there"),
                    );
                }
                Err(refusal) => return doubt(refusal),
            }
        }
        self.tenant.note_folder(made).await;
        Outcome::Done(TargetId(id.into()))
    }

    pub(super) async fn update(&self, id: &TargetId, group: &GroupContent) -> Outcome {
        let name = group.display_name.as_str();
        let now = match self.own(id).await {
            Ok(now) => now,
            Err(outcome) => return outcome,
        };
        if now.name == name {
            return Outcome::Done(id.clone());
        }
        match self.named(name).await {
            Ok(Some(other)) if other.id != now.id => return Outcome::NameTaken(name.to_owned()),
            Ok(_) => {}
            Err(refusal) => return not_begun(refusal),
        }
        let about = json!({ "id": now.id, "description": name });
        if let Err(refusal) = self.client.change("api/directory/update-group", &about, EDIT_GROUPS).await {
            return self.not_there(refusal, &now.id).await;
        }
        if !self.tenant.is_proven(Act::NameGroup) {
            match self.tenant.folder_now(self.client, &now.id).await {
                Ok(Some(shown)) if shown.name == name => self.tenant.prove(Act::NameGroup),
                Ok(Some(_)) => {
                    return Outcome::Rejected(
                        self.not_done("says that it renamed the group, and it is as before"),
                    );
                }
                Ok(None) => return Outcome::Gone,
                Err(refusal) => return doubt(refusal),
            }
        }
        self.tenant.note_folder(Folder { name: name.to_owned(), ..now }).await;
        Outcome::Done(id.clone())
    }

    pub(super) async fn delete(&self, id: &TargetId) -> Outcome {
        let now = match self.own(id).await {
            Ok(now) => now,
            Err(Outcome::Gone) => return Outcome::Done(id.clone()),
            Err(outcome) => return outcome,
        };
        let asked =
            self.client.change("api/directory/delete-group", &json!({ "id": now.id }), EDIT_GROUPS).await;
        if let Err(refusal) = &asked
            && !matches!(refusal.no, No::Refused | No::Taken | No::NotThere | No::Unknown)
        {
            return outcome(refusal.clone());
        }
        match (self.tenant.folder_now(self.client, &now.id).await, asked) {
            (Ok(None), _) => {
                self.tenant.forget_folder(&now.id).await;
                Outcome::Done(id.clone())
            }
            (Ok(Some(_)), Err(refusal)) if refusal.no == No::Unknown => Outcome::Ambiguous(refusal.error),
            (Ok(Some(_)), Err(refusal)) => {
                let message = format!(
                    "{} keeps the group: it refuses to delete one that a policy or a definition uses. Remove it there in the console; it \
                     is deleted with a later run",
                    self.client.host()
                );
                let mut error = TargetError::new(TargetReason::Refused, message);
                error.detail = refusal.error.detail;
                Outcome::Rejected(error)
            }
            (Ok(Some(_)), Ok(_)) => {
                Outcome::Rejected(self.not_done("says that it deleted the group, and it is still there"))
            }
            (Err(refusal), _) => doubt(refusal),
        }
    }

    pub(super) async fn members(&self, way: Way, group: &TargetId, members: &[TargetId]) -> Outcome {
        let now = match self.own(group).await {
            Ok(now) => now,
            Err(outcome) => return outcome,
        };
        let all: BTreeSet<String> = members.iter().map(|member| member.0.to_lowercase()).collect();
        let all: Vec<String> = all.into_iter().collect();
        let mut came = Came::default();
        let stopped = self.send_all(way, &now.id, &all, &mut came).await.err();
        if let Some(refusal) = &stopped
            && refusal.no == No::NotThere
        {
            return self.not_there(refusal.clone(), &now.id).await;
        }
        if matches!(&stopped, Some(refusal) if came.done == 0 && came.refused.is_empty() || refusal.no == No::Unknown)
        {
            return stopped.map_or(Outcome::Gone, outcome);
        }
        let act = if way == Way::In { Act::AddMembers } else { Act::RemoveMembers };
        let is_proof = !self.tenant.is_proven(act) && came.done > 0;
        let mut refused = came.refused;
        if is_proof || !refused.is_empty() {
            // Who was refused may be where they should be; who was not may be as before.
            let inside = match self.tenant.members_now(self.client, &now.id).await {
                Ok(inside) => inside,
                Err(refusal) => return doubt(refusal),
            };
            let is_done = |member: &String| inside.contains(member) == (way == Way::In);
            refused.retain(|(member, _)| !is_done(member));
            if is_proof && stopped.is_none() {
                let is_named = |member: &&String| refused.iter().any(|(named, _)| named == *member);
                let not_done = all.iter().filter(|member| !is_done(member) && !is_named(member));
                let not_done: Vec<String> = not_done.cloned().collect();
                if not_done.is_empty() {
                    self.tenant.prove(act);
                }
                let why = || self.not_done("says that it changed the group, and this member is as before");
                refused.extend(not_done.into_iter().map(|member| (member, why())));
            }
        }
        if let Some(refusal) = stopped {
            // Requests go in the order of the members, so the first ones are those that were answered.
            let named: BTreeSet<String> = refused.iter().map(|(member, _)| member.clone()).collect();
            let rest = all.iter().filter(|member| !named.contains(*member)).skip(came.done);
            refused.extend(rest.map(|member| (member.clone(), refusal.error.clone())));
        }
        let named: BTreeSet<&String> = refused.iter().map(|(member, _)| member).collect();
        let done: BTreeSet<String> = all.iter().filter(|member| !named.contains(member)).cloned().collect();
        self.tenant
            .note_members(&now.id, |inside| match way {
                Way::In => inside.extend(done),
                Way::Out => inside.retain(|member| !done.contains(member)),
            })
            .await;
        if refused.is_empty() {
            return Outcome::Done(group.clone());
        }
        let refused =
            refused.into_iter().map(|(member, why)| RefusedMember { member: TargetId(member.into()), why });
        Outcome::Partly(group.clone(), refused.collect())
    }

    /// Sends all of them, in requests that are taken; who is refused alone is named.
    async fn send_all(&self, way: Way, group: &str, all: &[String], came: &mut Came) -> Result<(), Refusal> {
        let mut waiting: VecDeque<&[String]> = all.chunks(TOGETHER).collect();
        while let Some(some) = waiting.pop_front() {
            let refusal = match send(self.client, self.tenant, way, group, some).await {
                Ok(done) => {
                    for (member, is_done) in some.iter().zip(done) {
                        if is_done {
                            came.done += 1;
                        } else {
                            came.refused.push((member.clone(), self.not_done("refused this member")));
                        }
                    }
                    continue;
                }
                Err(refusal) => refusal,
            };
            let is_of_some =
                matches!(refusal.no, No::Refused | No::TooLarge | No::Taken | No::NotThere | No::Unsupported);
            // Or the group is gone.
            let is_gone =
                refusal.no == No::NotThere && self.tenant.folder_now(self.client, group).await?.is_none();
            if !is_of_some || is_gone {
                return Err(refusal);
            }
            if some.len() > 1 {
                let (one, other) = some.split_at(some.len() / 2);
                waiting.push_front(other);
                waiting.push_front(one);
            } else {
                came.refused.extend(some.iter().map(|member| (member.clone(), refusal.error.clone())));
            }
        }
        Ok(())
    }

    /// The group, if it is there and may be changed.
    async fn own(&self, id: &TargetId) -> Result<Folder, Outcome> {
        match self.tenant.folder(self.client, &id.0).await {
            Ok(Some(folder)) if folder.is_directorys => {
                let message = "the group is kept by a directory integration of Mimecast (source ldap), which Rollcall never touches";
                Err(Outcome::Rejected(TargetError::new(TargetReason::Unsupported, message)))
            }
            Ok(Some(folder)) => Ok(folder),
            Ok(None) => Err(Outcome::Gone),
            Err(refusal) => Err(not_begun(refusal)),
        }
    }

    async fn named(&self, name: &str) -> Result<Option<Folder>, Refusal> {
        Ok(self.tenant.ours(self.client).await?.into_iter().find(|folder| folder.is_called(name)))
    }

    /// Whether the group is there to which a change was refused.
    async fn not_there(&self, refusal: Refusal, id: &str) -> Outcome {
        if refusal.no != No::NotThere {
            return outcome(refusal);
        }
        match self.tenant.folder_now(self.client, id).await {
            Ok(Some(_)) => Outcome::Rejected(refusal.error),
            Ok(None) => Outcome::Gone,
            Err(refusal) => not_begun(refusal),
        }
    }

    fn not_done(&self, what: &str) -> TargetError {
        TargetError::new(TargetReason::NotDone, format!("{} {what}", self.client.host()))
    }
}

/// Whoever moved to another address is in our groups by that one.
pub(super) async fn follow(client: &Client, tenant: &Tenant, old: &str, new: &str) -> Result<(), Refusal> {
    for group in tenant.groups_of(client, old).await? {
        for (way, address) in [(Way::In, new), (Way::Out, old)] {
            let one = [address.to_owned()];
            let done = send(client, tenant, way, &group, &one).await;
            // One that is there already may be refused.
            let inside = tenant.members_now(client, &group).await?;
            if inside.contains(address) != (way == Way::In) {
                return Err(done.err().unwrap_or_else(|| {
                    let message = format!(
                        "{} does not move the memberships of a user to the new address",
                        client.host()
                    );
                    Refusal::new(No::Refused, TargetReason::NotDone, message)
                }));
            }
        }
    }
    Ok(())
}

/// Sends members in the form that this tenant takes; says of each whether it was taken.
async fn send(
    client: &Client,
    tenant: &Tenant,
    way: Way,
    group: &str,
    some: &[String],
) -> Result<Vec<bool>, Refusal> {
    let (form, is_known) = tenant.form();
    let answered = send_as(client, form, way, group, some).await;
    if answered.is_ok() {
        tenant.learn(form);
    }
    let other = match &answered {
        Err(refusal) if !is_known && refusal.no == No::Refused => Form::Data,
        Err(refusal) if !is_known && matches!(refusal.no, No::Unsupported | No::NotThere) => Form::Older,
        _ => return answered,
    };
    match send_as(client, other, way, group, some).await {
        Ok(done) if done.contains(&true) => {
            tenant.learn(other);
            Ok(done)
        }
        _ => answered,
    }
}

async fn send_as(
    client: &Client,
    form: Form,
    way: Way,
    group: &str,
    some: &[String],
) -> Result<Vec<bool>, Refusal> {
    let these: Vec<Value> = some.iter().map(|member| json!({ "emailAddress": member })).collect();
    let (field, last) = match (form, way) {
        (Form::Members, Way::In) => ("groupMembers", "members"),
        (Form::Members, Way::Out) => ("groupMembers", "remove-members"),
        (Form::Data, Way::In) => ("data", "members"),
        (Form::Data, Way::Out) => ("data", "remove-members"),
        (Form::Older, _) => return send_older(client, way, group, some).await,
    };
    let path = ["directory", "cloud-gateway", "v1", "groups", group, last];
    let answer = client.post(&path, &json!({ field: these }), EDIT_GROUPS).await?;
    let results = answer.get("results").and_then(Value::as_array);
    let of = |at: usize| {
        let result =
            results.and_then(|results| results.get(at)).and_then(|result| result.get("success")?.as_bool());
        result.unwrap_or(true)
    };
    Ok((0..some.len()).map(of).collect())
}

async fn send_older(client: &Client, way: Way, group: &str, some: &[String]) -> Result<Vec<bool>, Refusal> {
    let path = match way {
        Way::In => "api/directory/add-group-member",
        Way::Out => "api/directory/remove-group-member",
    };
    let mut done = Vec::with_capacity(some.len());
    for member in some {
        let about = json!({ "id": group, "emailAddress": member });
        match client.change(path, &about, EDIT_GROUPS).await {
            Ok(_) => done.push(true),
            Err(refusal) if matches!(refusal.no, No::Refused | No::Taken | No::NotThere) => done.push(false),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(done)
}

/// Names of groups of ours that are called so.
pub(super) fn called<'f>(folders: &'f [Folder], name: &str) -> Vec<&'f Folder> {
    folders.iter().filter(|folder| record::same(&folder.name, name)).collect()
}
