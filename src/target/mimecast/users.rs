//! Changes users. A user of Mimecast is an address: another address is another account there, so whoever gets one moves to it,
//! with their memberships, and leaves no account behind that works.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::client::Client;
use super::config::Claimed;
use super::groups;
use super::record::{self, Origin, Person};
use super::tenant::{Act, EDIT_GROUPS, EDIT_USERS, Tenant, USERS};
use crate::directory::{Content, Outcome, TargetError, TargetId, TargetReason, UserContent};
use crate::target::refusal::{No, Refusal, doubt, not_begun, outcome};

/// So often it is looked whether something is shown that was written.
const LOOKS: u32 = 3;

pub(super) struct Users<'a> {
    pub(super) client: &'a Client,
    pub(super) tenant: &'a Tenant,
    pub(super) adopts: bool,
    pub(super) claimed: &'a Claimed,
}

/// What is known of a user's addresses beside that of the account.
#[derive(Default)]
struct Known {
    /// The aliases of the account.
    now: BTreeSet<String>,
    /// Those that were aliases of the account that the user leaves.
    own: BTreeSet<String>,
    /// All that were confirmed before. An earlier try may have unlinked some of them.
    before: BTreeSet<String>,
    /// The account that the user leaves.
    left: Option<String>,
}

/// Addresses for which something was refused, each with the reason.
type Refused = Vec<(String, TargetError)>;

/// What stands in the way of a user's new address.
enum Place {
    /// Nothing: there is no such address.
    Free,
    /// An account that is or becomes the user's.
    Own,
    /// Somebody else's.
    Taken,
}

impl Users<'_> {
    pub(super) async fn create(&self, user: &UserContent) -> Outcome {
        let address = match self.own_address(user) {
            Ok(address) => address,
            Err(why) => return Outcome::Rejected(why),
        };
        match self.tenant.person(self.client, &address).await {
            Ok(None) => {}
            Ok(Some(_)) => return Outcome::NameTaken(user.user_name.clone()),
            Err(refusal) => return not_begun(refusal),
        }
        if let Err(refusal) = self.make(&address, record::name(user)).await {
            return self.not_made(refusal, &address, user).await;
        }
        if let Err(outcome) = self.proof_of_user(Act::MakeUser, &address, |_| true).await {
            self.tenant.forget(&address).await;
            return outcome;
        }
        self.with_aliases(&address, user, &Known::default()).await
    }

    /// What a no to a create means: the address may be there, from before or all the same.
    async fn not_made(&self, refusal: Refusal, address: &str, user: &UserContent) -> Outcome {
        if matches!(refusal.no, No::Refused | No::Taken)
            && let Ok(Some(_)) = self.tenant.look(self.client, address).await
        {
            return Outcome::NameTaken(user.user_name.clone());
        }
        if refusal.no == No::Unknown {
            // Whoever looks for it is to look anew.
            self.tenant.forget_people().await;
        }
        outcome(refusal)
    }

    /// `before` is what was confirmed before.
    pub(super) async fn update(
        &self,
        id: &TargetId,
        user: &UserContent,
        before: Option<&Content>,
    ) -> Outcome {
        let address = match self.own_address(user) {
            Ok(address) => address,
            Err(why) => return Outcome::Rejected(why),
        };
        let now = match self.tenant.surely(self.client, &id.0).await {
            Ok(Some(now)) if now.is_user() => now,
            Ok(_) => return Outcome::Gone,
            Err(refusal) => return not_begun(refusal),
        };
        let before = self.addresses(before);
        if now.address != address {
            return self.move_to(&now, &address, user, before).await;
        }
        if let Err(outcome) = self.name(&now, user).await {
            return outcome;
        }
        match self.aliases_of(&address).await {
            Ok(now) => self.with_aliases(&address, user, &Known { now, before, ..Known::default() }).await,
            Err(refusal) => not_begun(refusal),
        }
    }

    /// The account at the new address becomes the user's; the old address becomes another one of it, or is
    /// disabled. That is the last step: as long as the old address is an account, it can all be repeated.
    async fn move_to(
        &self,
        old: &Person,
        address: &str,
        user: &UserContent,
        before: BTreeSet<String>,
    ) -> Outcome {
        let mut aliases = match self.aliases_of(&old.address).await {
            Ok(aliases) => aliases,
            Err(refusal) => return not_begun(refusal),
        };
        let place = match self.place(old, address, &aliases, &before).await {
            Ok(place) => place,
            Err(refusal) => return not_begun(refusal),
        };
        let was_there = matches!(place, Place::Own);
        let moved = match place {
            Place::Taken => return Outcome::NameTaken(user.user_name.clone()),
            Place::Free => match self.make(address, record::name(user)).await {
                Ok(()) => {
                    self.tenant.note_move(&old.address, address);
                    if old.disabled == Some(true) { self.disable(address).await } else { Ok(()) }
                }
                Err(refusal) => Err(refusal),
            },
            Place::Own => {
                if aliases.remove(address) {
                    if let Err(refusal) = self.unlink(&old.address, address).await {
                        return outcome(refusal);
                    }
                    self.tenant.note_move(&old.address, address);
                }
                self.set(
                    address,
                    &json!({ "name": record::name(user), "accountDisabled": old.disabled == Some(true) }),
                )
                .await
            }
        };
        if let Err(refusal) = moved {
            self.tenant.forget_people().await;
            return outcome(refusal);
        }
        let person = Person {
            address: address.to_owned(),
            name: record::name(user).map(str::to_owned),
            origin: Origin::Made,
            is_alias: false,
            disabled: Some(old.disabled == Some(true)),
        };
        self.tenant.note(person).await;
        if let Err(outcome) = self.proof_of_user(Act::MakeUser, address, Person::is_user).await {
            return outcome;
        }
        if let Err(refusal) = groups::follow(self.client, self.tenant, &old.address, address).await {
            return doubt(refusal);
        }
        // Its other addresses are those of the old account, until that is one itself.
        for alias in &aliases {
            if let Err(refusal) = self.unlink(&old.address, alias).await {
                return doubt(refusal);
            }
        }
        // An earlier try may have linked some.
        let mut now = BTreeSet::new();
        if was_there {
            match self.aliases_of(address).await {
                Ok(linked) => now = linked,
                Err(refusal) => return doubt(refusal),
            }
            let wanted = record::aliases(user, &self.tenant.domains);
            now.retain(|alias| wanted.contains(alias));
        }
        let known = Known { now, own: aliases, before, left: Some(old.address.clone()) };
        self.with_aliases(address, user, &known).await
    }

    async fn place(
        &self,
        old: &Person,
        address: &str,
        aliases: &BTreeSet<String>,
        before: &BTreeSet<String>,
    ) -> Result<Place, Refusal> {
        let there = self.tenant.person(self.client, address).await?;
        // One that an earlier try made, or unlinked, is the user's whether or not others are adopted.
        let may_be = self.adopts || before.contains(address) || self.tenant.is_move(&old.address, address);
        Ok(match there {
            None => Place::Free,
            Some(_) if aliases.contains(address) => Place::Own,
            Some(there) if !there.is_user() => Place::Taken,
            Some(there) if may_be && !self.is_claimed(&there.address).await => Place::Own,
            Some(_) => Place::Taken,
        })
    }

    pub(super) async fn set_active(&self, id: &TargetId, active: bool) -> Outcome {
        let mut now = match self.tenant.surely(self.client, &id.0).await {
            // An address that became another one of somebody's is not this account any more.
            Ok(Some(now)) if now.is_user() => now,
            Ok(_) => return Outcome::Gone,
            Err(refusal) => return not_begun(refusal),
        };
        if let Err(refusal) = self.set(&now.address, &json!({ "accountDisabled": !active })).await {
            return self.not_set(refusal, &now.address).await;
        }
        now.disabled = Some(!active);
        self.tenant.note(now.clone()).await;
        let is_so = |shown: &Person| shown.disabled.is_none_or(|disabled| disabled != active);
        match self.proof_of_user(Act::State, &now.address, is_so).await {
            Ok(()) => Outcome::Done(now.id()),
            Err(outcome) => outcome,
        }
    }

    async fn not_set(&self, refusal: Refusal, address: &str) -> Outcome {
        if refusal.no != No::NotThere {
            return outcome(refusal);
        }
        match self.tenant.look(self.client, address).await {
            Ok(Some(person)) if person.is_user() => Outcome::Rejected(refusal.error),
            Ok(_) => Outcome::Gone,
            Err(refusal) => not_begun(refusal),
        }
    }

    /// The addresses of an account beside its own.
    pub(super) async fn aliases_of(&self, address: &str) -> Result<BTreeSet<String>, Refusal> {
        let path = "api/user/get-aliases";
        let about = json!({ "emailAddress": address });
        let data = match self.client.all_older(path, "", about, USERS).await {
            Ok(data) => data,
            // So it may say that there are none.
            Err(refusal) if refusal.no == No::NotThere => return Ok(BTreeSet::new()),
            Err(refusal) => return Err(refusal),
        };
        let mut aliases = BTreeSet::new();
        for part in &data {
            match part.get("aliases") {
                Some(Value::Array(some)) => aliases.extend(some.iter().filter_map(record::alias)),
                Some(_) => {}
                None => aliases.extend(record::alias(part)),
            }
        }
        aliases.remove(address);
        Ok(aliases)
    }

    /// Makes the aliases of an account those that the user has. The account that the user leaves is linked or
    /// disabled after all others.
    async fn with_aliases(&self, address: &str, user: &UserContent, known: &Known) -> Outcome {
        let wanted = record::aliases(user, &self.tenant.domains);
        let mut kept = match self.drop_aliases(address, &wanted, known).await {
            Ok(kept) => kept,
            Err(outcome) => return outcome,
        };
        let refused = match self.link_aliases(address, &wanted, known).await {
            Ok(refused) => refused,
            Err(outcome) => return outcome,
        };
        if let Some(left) = known.left.as_ref().filter(|left| !wanted.contains(*left))
            && let Err(outcome) = self.disable_or_keep(left, &mut kept).await
        {
            return outcome;
        }
        done(address, user, &refused, &kept)
    }

    /// Unlinks the aliases that the user does not have any more, and disables them. Returns those that could
    /// not be disabled.
    async fn drop_aliases(
        &self,
        address: &str,
        wanted: &BTreeSet<String>,
        known: &Known,
    ) -> Result<Refused, Outcome> {
        let mut dropped: BTreeSet<&String> =
            known.now.iter().chain(&known.own).chain(&known.before).collect();
        dropped.retain(|alias| {
            !wanted.contains(*alias) && alias.as_str() != address && Some(*alias) != known.left.as_ref()
        });
        let mut kept = Vec::new();
        for alias in dropped {
            let is_linked = known.now.contains(alias);
            if is_linked {
                self.unlink(address, alias).await.map_err(outcome)?;
            }
            // One that an earlier try unlinked may still work.
            let works =
                is_linked || known.own.contains(alias) || self.is_left_over(alias).await.map_err(doubt)?;
            if !works {
                continue;
            }
            self.disable_or_keep(alias, &mut kept).await?;
        }
        Ok(kept)
    }

    /// Links the aliases that are not linked yet. Returns those that may not be.
    async fn link_aliases(
        &self,
        address: &str,
        wanted: &BTreeSet<String>,
        known: &Known,
    ) -> Result<Refused, Outcome> {
        let mut missing: Vec<&String> = wanted.difference(&known.now).collect();
        // The account that the user leaves comes last, in whatever order the others are.
        missing.sort_by_key(|alias| Some(*alias) == known.left.as_ref());
        let mut refused = Vec::new();
        for alias in missing {
            let linked = match self.may_link(alias, known).await {
                Ok(true) => self.link(address, alias).await,
                Ok(false) => Err(Refusal::new(
                    No::Taken,
                    TargetReason::Refused,
                    "an alias of this user is an account of its own at Mimecast, so it was not linked; disable that account there, or \
                     remove the alias in the directory",
                )),
                Err(refusal) => Err(refusal),
            };
            match linked {
                Ok(()) => {}
                Err(refusal) if is_final(&refusal) => refused.push((alias.clone(), refusal.error)),
                Err(refusal) => return Err(doubt(refusal)),
            }
        }
        Ok(refused)
    }

    /// Whether an address may become an alias: nobody's working account does.
    async fn may_link(&self, alias: &str, known: &Known) -> Result<bool, Refusal> {
        if known.own.contains(alias) || known.left.as_deref() == Some(alias) {
            return Ok(true);
        }
        let there = self.tenant.person(self.client, alias).await?;
        Ok(match there {
            None => true,
            // That of another account it was linked to before: it is linked to this one now.
            Some(there) if there.is_alias => true,
            Some(there) if there.origin == Origin::List => false,
            Some(there) if there.disabled == Some(true) => true,
            Some(there) => {
                let may_be = self.adopts || there.origin == Origin::Mail || known.before.contains(alias);
                may_be && !self.is_claimed(&there.address).await
            }
        })
    }

    /// Whether an address that was the user's is an account that may work, and that is nobody's.
    async fn is_left_over(&self, address: &str) -> Result<bool, Refusal> {
        let there = self.tenant.person(self.client, address).await?;
        let may_work = there.is_some_and(|there| there.is_user() && there.disabled != Some(true));
        Ok(may_work && !self.is_claimed(address).await)
    }

    async fn name(&self, now: &Person, user: &UserContent) -> Result<(), Outcome> {
        let Some(name) = record::name(user) else { return Ok(()) };
        if now.name.as_deref() == Some(name) {
            return Ok(());
        }
        self.set(&now.address, &json!({ "name": name })).await.map_err(outcome)?;
        self.tenant.note(Person { name: Some(name.to_owned()), ..now.clone() }).await;
        let is_so = |shown: &Person| shown.name.as_deref().is_none_or(|shown| shown == name);
        self.proof_of_user(Act::NameUser, &now.address, is_so).await
    }

    async fn make(&self, address: &str, name: Option<&str>) -> Result<(), Refusal> {
        let mut about = json!({ "emailAddress": address });
        if let Some(name) = name {
            about["name"] = name.into();
        }
        self.client.change("api/user/create-user", &about, EDIT_USERS).await?;
        let person = Person {
            address: address.to_owned(),
            name: name.map(str::to_owned),
            origin: Origin::Made,
            is_alias: false,
            disabled: Some(false),
        };
        self.tenant.note(person).await;
        Ok(())
    }

    async fn set(&self, address: &str, what: &Value) -> Result<(), Refusal> {
        let mut about = what.clone();
        about["emailAddress"] = address.into();
        if about.get("name").is_some_and(Value::is_null)
            && let Some(fields) = about.as_object_mut()
        {
            fields.remove("name");
        }
        self.client.change("api/user/update-user", &about, EDIT_USERS).await.map(drop)
    }

    async fn disable(&self, address: &str) -> Result<(), Refusal> {
        self.set(address, &json!({ "accountDisabled": true })).await?;
        if let Some(person) = self.tenant.person(self.client, address).await? {
            self.tenant.note(Person { disabled: Some(true), is_alias: false, ..person }).await;
        }
        Ok(())
    }

    /// Disables an address that was the user's; one that may not be disabled is kept.
    async fn disable_or_keep(&self, address: &str, kept: &mut Refused) -> Result<(), Outcome> {
        match self.disable_left(address).await {
            Ok(()) => Ok(()),
            Err(refusal) if is_final(&refusal) => {
                kept.push((address.to_owned(), refusal.error));
                Ok(())
            }
            Err(refusal) => Err(doubt(refusal)),
        }
    }

    /// Disables an address that was the user's. One that is no account does not work.
    async fn disable_left(&self, address: &str) -> Result<(), Refusal> {
        let Err(refusal) = self.disable(address).await else { return Ok(()) };
        if refusal.no != No::NotThere {
            return Err(refusal);
        }
        match self.tenant.look(self.client, address).await? {
            Some(there) if there.is_user() => Err(refusal),
            _ => Ok(()),
        }
    }

    async fn link(&self, address: &str, alias: &str) -> Result<(), Refusal> {
        let about = json!({ "aliasFor": address, "alias": alias });
        self.client.change("api/user/update-alias", &about, EDIT_GROUPS).await?;
        self.note_alias(alias, true).await;
        self.proof_of_alias(Act::Link, address, alias).await
    }

    async fn unlink(&self, address: &str, alias: &str) -> Result<(), Refusal> {
        let about = json!({ "aliasFor": address, "alias": alias });
        if let Err(refusal) = self.client.change("api/user/remove-alias", &about, EDIT_GROUPS).await {
            if refusal.no == No::Unknown {
                // Whether it still is one is to be read anew.
                self.tenant.forget_people().await;
            }
            return Err(refusal);
        }
        self.note_alias(alias, false).await;
        self.proof_of_alias(Act::Unlink, address, alias).await
    }

    async fn note_alias(&self, alias: &str, is_alias: bool) {
        let person =
            Person { address: alias.to_owned(), name: None, origin: Origin::Made, is_alias, disabled: None };
        self.tenant.note(person).await;
    }

    async fn proof_of_alias(&self, act: Act, address: &str, alias: &str) -> Result<(), Refusal> {
        if self.tenant.is_proven(act) {
            return Ok(());
        }
        if self.aliases_of(address).await?.contains(alias) == (act == Act::Link) {
            self.tenant.prove(act);
            return Ok(());
        }
        Err(Refusal::new(No::Refused, TargetReason::NotDone, self.not_done("the aliases of the user are")))
    }

    /// Reads a user back if it is the first that was written so.
    async fn proof_of_user(
        &self,
        act: Act,
        address: &str,
        is_so: impl Fn(&Person) -> bool,
    ) -> Result<(), Outcome> {
        if self.tenant.is_proven(act) {
            return Ok(());
        }
        let mut wait = std::time::Duration::from_millis(200);
        for look in 1..=LOOKS {
            let shown = self.tenant.look(self.client, address).await.map_err(doubt)?;
            if shown.as_ref().is_some_and(&is_so) {
                self.tenant.prove(act);
                return Ok(());
            }
            if look < LOOKS {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
        }
        let error = TargetError::new(TargetReason::NotDone, self.not_done("the user is"));
        // Whether it was made at all is looked for again; a change can be repeated.
        Err(if act == Act::MakeUser { Outcome::Ambiguous(error) } else { Outcome::Rejected(error) })
    }

    fn not_done(&self, what: &str) -> String {
        format!("{} says that it did it, and {what} as before", self.client.host())
    }

    /// The user's address, if it is one of the tenant's own.
    fn own_address(&self, user: &UserContent) -> Result<String, TargetError> {
        let refused = |why: &str| TargetError::new(TargetReason::Refused, why);
        let Some(address) = record::primary(user) else {
            return Err(refused(
                "a user of Mimecast is an e-mail address, and this name is none; users who exchange their addresses need a third one \
                 meanwhile",
            ));
        };
        if record::is_in(&address, &self.tenant.domains) {
            return Ok(address);
        }
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        Err(refused(
            "the address is in no internal domain of the tenant, so it was left out; add the domain in the console, or restrict \
             users.emailDomains",
        )
        .in_its_words(format!("the domain is {domain}")))
    }

    /// The addresses of a content, as far as they are the tenant's own.
    fn addresses(&self, of: Option<&Content>) -> BTreeSet<String> {
        let Some(Content::User(user)) = of else { return BTreeSet::new() };
        let domains = &self.tenant.domains;
        let mut all = record::aliases(user, domains);
        all.extend(record::primary(user).filter(|address| record::is_in(address, domains)));
        all
    }

    async fn is_claimed(&self, address: &str) -> bool {
        let (claimed, id) = (self.claimed.clone(), TargetId(address.into()));
        // What cannot be told is taken for somebody's.
        tokio::task::spawn_blocking(move || claimed(&id)).await.unwrap_or(true)
    }
}

/// Whether to be told no again is all that would come of another try.
fn is_final(refusal: &Refusal) -> bool {
    matches!(refusal.no, No::Taken | No::Refused | No::NotThere | No::TooLarge)
}

/// What was done: all but what was not linked or not disabled. The latter counts as the user's until it is.
fn done(
    address: &str,
    user: &UserContent,
    refused: &[(String, TargetError)],
    kept: &[(String, TargetError)],
) -> Outcome {
    let id = TargetId(address.into());
    let Some((_, why)) = kept.first().or(refused.first()) else { return Outcome::Done(id) };
    // What could not be done is still to be done.
    let is_refused = |email: &String| {
        record::address(email).is_some_and(|email| refused.iter().any(|(alias, _)| *alias == email))
    };
    let mut has = user.clone();
    has.emails.retain(|email| !is_refused(email));
    has.emails.extend(kept.iter().map(|(alias, _)| alias.clone()));
    let named: Vec<&str> = kept.iter().chain(refused).map(|(alias, _)| alias.as_str()).collect();
    let mut why = why.clone();
    why.detail = Some(match why.detail {
        Some(detail) => format!("{} ({detail})", named.join(", ")),
        None => named.join(", "),
    });
    Outcome::Short(id, Arc::new(Content::User(has)), why)
}
