//! The registries that are served, and their readers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::directory::Owner;
use crate::secret::Secret;

/// The policies whose registries are served, each to whoever bears its token; clones share it.
#[derive(Clone, Default)]
pub struct Served {
    tokens: Arc<RwLock<Tokens>>,
}

#[derive(Default)]
struct Tokens {
    known: BTreeMap<Owner, Known>,
    /// Whose registries are older than what was shown before.
    outdated: BTreeSet<Owner>,
    /// The namespaces (`None` is all of them) of which nobody knows yet which policies there are.
    unlisted: BTreeSet<Option<String>>,
    /// The policies of which nobody knows what their readers must show: not looked at since the process began, not
    /// understood, or without the Secret that they name.
    unseen: BTreeSet<Owner>,
}

/// A policy's token and what it opens.
struct Known {
    digest: Digest,
    state: State,
    /// Whether the store has it.
    remembered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The policy's registry.
    Served,
    /// Nothing yet: nobody has looked at the policy, or it cannot be understood, or its Secret is not there.
    Waiting,
    /// Nothing any more: the policy was deleted.
    Gone,
}

/// What is kept of a token: nobody needs the token itself again, and digests all have one length.
pub(super) type Digest = [u8; 32];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Bears the policy's token.
    Reader,
    /// Bears the token of a policy of which is not known yet what it says.
    Early,
    /// Bears the token of a policy that was deleted.
    Late,
    /// Bears the token of another policy.
    Other,
    /// Bears something that may be a token: not all are known yet.
    Unknown,
    /// Bears nothing that we gave.
    Invalid,
}

impl Served {
    /// Loads the stored tokens, by policy. Their registries are not served until the policies were processed.
    pub fn recall(&self, readers: impl IntoIterator<Item = (Owner, Digest)>) {
        let mut tokens = self.write();
        for (owner, digest) in readers {
            tokens.known.entry(owner).or_insert(Known { digest, state: State::Waiting, remembered: true });
        }
    }

    /// These namespaces are watched, or all if one is `None`. Nobody knows yet which policies there are in those that are new.
    /// Of policies that are elsewhere nobody knows any more what their readers must show.
    pub fn expect(&self, namespaces: &[Option<String>], new: &[Option<String>]) {
        let mut tokens = self.write();
        tokens.unlisted.extend(new.iter().cloned());
        tokens.unlisted.retain(|namespace| namespaces.contains(namespace));
        let Tokens { known, unseen, .. } = &mut *tokens;
        let elsewhere = |owner: &Owner| {
            !namespaces.iter().any(|of| of.as_deref().is_none_or(|namespace| namespace == owner.namespace()))
        };
        unseen.retain(|owner| !elsewhere(owner));
        for (_, known) in
            known.iter_mut().filter(|(owner, known)| known.state == State::Served && elsewhere(owner))
        {
            known.state = State::Waiting;
        }
    }

    /// Sets the policies of a namespace, each still to be processed. Policies that were there before are gone.
    pub fn listed(&self, namespace: Option<&str>, owners: BTreeSet<Owner>) {
        let mut tokens = self.write();
        for (owner, known) in &mut tokens.known {
            let here = namespace.is_none_or(|namespace| owner.namespace() == namespace);
            if here && known.state == State::Waiting && !owners.contains(owner) {
                known.state = State::Gone;
            }
        }
        tokens.unlisted.remove(&namespace.map(str::to_owned));
        tokens.unseen.extend(owners);
    }

    #[expect(clippy::needless_pass_by_value, reason = "whoever gives it away is to keep no copy")]
    /// Serves the registry of `owner` to readers with `token` only. Returns what must be stored of it, until
    /// [`Served::remembered`] is called.
    pub fn serve(&self, owner: Owner, token: Secret) -> Option<Digest> {
        let digest = digest(token.expose());
        let mut tokens = self.write();
        tokens.unseen.remove(&owner);
        let before = tokens.known.get(&owner);
        let remembered = before.is_some_and(|before| before.remembered && before.digest == digest);
        tokens.known.insert(owner, Known { digest, state: State::Served, remembered });
        (!remembered).then_some(digest)
    }

    /// The store has this token of the policy `owner` now.
    pub fn remembered(&self, owner: &Owner, digest: Digest) {
        if let Some(known) = self.write().known.get_mut(owner) {
            known.remembered = known.digest == digest;
        }
    }

    /// Whether the registry of `owner` is older than what was shown before: its readers are to wait.
    pub fn outdated(&self, owner: &Owner, is: bool) {
        let mut tokens = self.write();
        if is {
            tokens.outdated.insert(owner.clone());
        } else {
            tokens.outdated.remove(owner);
        }
    }

    pub(super) fn is_outdated(&self, owner: &Owner) -> bool {
        self.read().outdated.contains(owner)
    }

    /// No longer serves the registry of `owner`: its token is worth nothing any more. Says whether there was one.
    pub fn withdraw(&self, owner: &Owner) -> bool {
        let mut tokens = self.write();
        tokens.unseen.remove(owner);
        tokens.known.remove(owner).is_some()
    }

    /// The policy `owner` is invalid, or its token does not exist: its readers get 503, also those with an unknown
    /// token.
    pub fn pause(&self, owner: &Owner) {
        let mut tokens = self.write();
        tokens.unseen.insert(owner.clone());
        if let Some(known) = tokens.known.get_mut(owner) {
            known.state = State::Waiting;
        }
    }

    /// The policy `owner` was deleted; who bore its token is told so.
    pub fn gone(&self, owner: &Owner) {
        let mut tokens = self.write();
        tokens.unseen.remove(owner);
        tokens.outdated.remove(owner);
        if let Some(known) = tokens.known.get_mut(owner) {
            known.state = State::Gone;
        }
    }

    /// Identifies a reader of the registry of `owner` by `token`. The time that it takes does not depend on the tokens:
    /// every one of them is always compared completely.
    pub(super) fn who(&self, owner: &Owner, token: &[u8]) -> Caller {
        let given = digest(token);
        let (mut own, mut other) = (Choice::from(0), Choice::from(0));
        let tokens = self.read();
        for (whose, known) in &tokens.known {
            let same = given.ct_eq(&known.digest);
            own |= same & Choice::from(u8::from(whose == owner));
            other |= same;
        }
        let state = tokens.known.get(owner).map(|known| known.state);
        match (bool::from(own), bool::from(other)) {
            _ if token.is_empty() => Caller::Invalid,
            (true, _) => match state {
                Some(State::Served) => Caller::Reader,
                Some(State::Gone) => Caller::Late,
                Some(State::Waiting) | None => Caller::Early,
            },
            // It may be this policy's, too. Said of the whole namespace, it tells nobody which policies there are.
            (false, _) if tokens.lacks(owner) => Caller::Unknown,
            (false, true) => Caller::Other,
            (false, false) => Caller::Invalid,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Tokens> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tokens> {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tokens {
    /// Whether there may be tokens in the policy's namespace of which nobody knows yet.
    fn lacks(&self, owner: &Owner) -> bool {
        let here = |namespace: &str| namespace == owner.namespace();
        self.unlisted.iter().any(|of| of.as_deref().is_none_or(here))
            || self.unseen.iter().any(|unseen| here(unseen.namespace()))
    }
}

fn digest(token: &[u8]) -> Digest {
    Sha256::digest(token).into()
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.read().known.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_who_asks() {
        let (staff, guests) = (Owner::new("identity", "staff"), Owner::new("identity", "guests"));
        let served = Served::default();
        assert_eq!(served.who(&staff, b"one"), Caller::Invalid);
        served.serve(staff.clone(), Secret::new("one"));
        served.serve(guests.clone(), Secret::new("other"));
        for (owner, token, caller) in [
            (&staff, "one", Caller::Reader),
            (&staff, "other", Caller::Other),
            (&guests, "other", Caller::Reader),
            (&Owner::new("identity", "nobody"), "one", Caller::Other),
            (&staff, "on", Caller::Invalid),
            (&staff, "", Caller::Invalid),
        ] {
            assert_eq!(served.who(owner, token.as_bytes()), caller, "{owner} {token}");
        }
        served.serve(staff.clone(), Secret::new("new"));
        assert_eq!(served.who(&staff, b"one"), Caller::Invalid, "a token that was replaced is worth nothing");
        assert_eq!(served.who(&staff, b"new"), Caller::Reader);
        served.withdraw(&staff);
        assert_eq!(served.who(&staff, b"new"), Caller::Invalid);
        served.gone(&guests);
        assert_eq!(served.who(&guests, b"other"), Caller::Late, "it is told that the policy is gone");
        assert_eq!(served.who(&staff, b"other"), Caller::Other);
        served.serve(guests.clone(), Secret::new("another"));
        assert_eq!(served.who(&guests, b"other"), Caller::Invalid);
        served.pause(&guests);
        assert_eq!(served.who(&guests, b"another"), Caller::Early);
        assert_eq!(served.who(&guests, b"one that is made meanwhile"), Caller::Unknown);
        served.withdraw(&guests);
        assert_eq!(served.who(&guests, b"another"), Caller::Invalid);
    }

    #[test]
    fn readers_of_what_is_not_watched_any_more_wait() {
        let (staff, guests) = (Owner::new("identity", "staff"), Owner::new("sales", "guests"));
        let served = Served::default();
        let namespaces =
            |these: &[&str]| these.iter().map(|name| Some((*name).to_owned())).collect::<Vec<_>>();
        let both = namespaces(&["identity", "sales"]);
        served.expect(&both, &both);
        for owner in [&staff, &guests] {
            served.listed(Some(owner.namespace()), BTreeSet::from([owner.clone()]));
            served.serve(owner.clone(), Secret::new(owner.namespace()));
        }
        served.expect(&both[..1], &[]);
        assert_eq!(served.who(&staff, b"another"), Caller::Invalid, "all of there is known");
        assert_eq!(served.who(&staff, b"identity"), Caller::Reader, "those of others go on to read");
        assert_eq!(served.who(&guests, b"sales"), Caller::Early);
        served.expect(&both, &both[1..]);
        assert_eq!(served.who(&staff, b"identity"), Caller::Reader);
        assert_eq!(served.who(&guests, b"another"), Caller::Unknown);
        assert_eq!(served.who(&guests, b"sales"), Caller::Early, "nobody has looked yet");
        served.serve(guests.clone(), Secret::new("sales"));
        assert_eq!(served.who(&guests, b"sales"), Caller::Reader);
    }

    #[test]
    fn a_shared_token_is_nobody_elses_before_all_are_known() {
        let (staff, guests) = (Owner::new("identity", "staff"), Owner::new("identity", "guests"));
        let served = Served::default();
        served.expect(&[None], &[None]);
        served.recall([(staff.clone(), digest(b"old")), (guests.clone(), digest(b"old"))]);
        served.listed(None, BTreeSet::from([staff.clone(), guests.clone(), Owner::new("sales", "staff")]));
        served.serve(guests.clone(), Secret::new("new"));
        assert_eq!(served.who(&staff, b"new"), Caller::Unknown);
        served.serve(staff.clone(), Secret::new("new"));
        assert_eq!(served.who(&staff, b"new"), Caller::Reader);
        let nobody = Owner::new("identity", "nobody");
        assert_eq!(served.who(&nobody, b"new"), Caller::Other, "what is not known elsewhere does not matter");
        assert_eq!(served.who(&nobody, b"old"), Caller::Invalid);
    }

    #[test]
    fn a_token_is_told_of_until_it_is_remembered() {
        let staff = Owner::new("identity", "staff");
        let served = Served::default();
        for token in ["one", "two"] {
            let serve = || served.serve(staff.clone(), Secret::new(token));
            assert_eq!(serve(), Some(digest(token.as_bytes())));
            served.remembered(&staff, digest(b"another"));
            assert_eq!(serve(), Some(digest(token.as_bytes())), "the store could not be written");
            served.remembered(&staff, digest(token.as_bytes()));
            assert_eq!(serve(), None);
        }
    }

    #[test]
    fn no_token_is_wrong_before_all_are_known() {
        let owner = |name: &str| Owner::new("identity", name);
        let (staff, guests, former) = (owner("staff"), owner("guests"), owner("former"));
        let elsewhere = Owner::new("sales", "staff");
        let served = Served::default();
        served.expect(&[Some("identity".to_owned())], &[Some("identity".to_owned())]);
        served.recall([(staff.clone(), digest(b"one")), (former.clone(), digest(b"old"))]);
        assert_eq!(served.who(&staff, b"one"), Caller::Early);
        assert_eq!(served.who(&guests, b"other"), Caller::Unknown, "it is not known what there is");
        assert_eq!(served.who(&elsewhere, b"other"), Caller::Invalid, "that namespace is not ours");
        served.listed(Some("identity"), BTreeSet::from([staff.clone(), guests.clone()]));
        assert_eq!(served.who(&former, b"old"), Caller::Late);
        assert_eq!(served.who(&guests, b"other"), Caller::Unknown, "nobody has looked at it");
        assert_eq!(served.serve(guests.clone(), Secret::new("other")), Some(digest(b"other")));
        assert_eq!(served.who(&guests, b"other"), Caller::Reader);
        assert_eq!(served.who(&guests, b"wrong"), Caller::Unknown, "it may be that of the one that is left");
        assert_eq!(served.serve(staff.clone(), Secret::new("one")), None, "that was remembered");
        assert_eq!(served.who(&guests, b"wrong"), Caller::Invalid);
        assert_eq!(served.who(&guests, b""), Caller::Invalid);
    }

    #[test]
    fn an_empty_token_opens_nothing_and_debug_shows_none() {
        let staff = Owner::new("identity", "staff");
        let served = Served::default();
        served.serve(staff.clone(), Secret::new(""));
        assert_eq!(served.who(&staff, b""), Caller::Invalid);
        served.serve(staff, Secret::new("hunter2"));
        assert_eq!(format!("{served:?}"), r#"{Owner("identity/staff")}"#);
    }
}
