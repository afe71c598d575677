//! Whose registries are served, and to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::directory::Owner;
use crate::secret::Secret;

/// The policies whose registries are served, each to whoever bears its token; clones share it.
#[derive(Clone, Default)]
pub struct Served {
    // Not the tokens, which nobody needs again; and digests all have one length.
    tokens: Arc<RwLock<Tokens>>,
}

#[derive(Default)]
struct Tokens {
    served: BTreeMap<Owner, Token>,
    /// Of policies that were deleted while this process lived: who bears one is told that it is gone.
    gone: BTreeMap<Owner, Token>,
    /// Whose registries are older than what was shown before.
    outdated: BTreeSet<Owner>,
}

type Token = [u8; 32];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Bears the policy's token.
    Reader,
    /// Bears the token of another policy, or of one that is gone.
    Other,
    /// Bears nothing that we gave.
    Stranger,
}

impl Served {
    #[expect(clippy::needless_pass_by_value, reason = "whoever gives it away is to keep no copy")]
    /// Serves the registry of `owner` to whoever bears `token`, and to nobody else from now on.
    pub fn serve(&self, owner: Owner, token: Secret) {
        let digest = digest(token.expose());
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.gone.remove(&owner);
        tokens.served.insert(owner, digest);
    }

    /// Whether the registry of `owner` is older than what was shown before: its readers are to wait.
    pub fn outdated(&self, owner: &Owner, is: bool) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if is {
            tokens.outdated.insert(owner.clone());
        } else {
            tokens.outdated.remove(owner);
        }
    }

    pub(super) fn is_outdated(&self, owner: &Owner) -> bool {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).outdated.contains(owner)
    }

    /// No longer serves the registry of `owner`: its token is worth nothing any more.
    pub fn withdraw(&self, owner: &Owner) {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).served.remove(owner);
    }

    /// The policy `owner` was deleted; who bore its token is told so.
    pub fn gone(&self, owner: &Owner) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.outdated.remove(owner);
        if let Some(token) = tokens.served.remove(owner) {
            tokens.gone.insert(owner.clone(), token);
        }
    }

    /// Who bears `token`, to the registry of `owner`. How long it takes says nothing of the tokens: each is
    /// compared to its end, and every one of them always.
    pub(super) fn who(&self, owner: &Owner, token: &[u8]) -> Caller {
        let given = digest(token);
        let (mut reader, mut other) = (Choice::from(0), Choice::from(0));
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        for (whose, wanted) in &tokens.served {
            let same = given.ct_eq(wanted);
            let own = Choice::from(u8::from(whose == owner));
            reader |= same & own;
            other |= same;
        }
        for wanted in tokens.gone.values() {
            other |= given.ct_eq(wanted);
        }
        match (bool::from(reader), bool::from(other)) {
            _ if token.is_empty() => Caller::Stranger,
            (true, _) => Caller::Reader,
            (false, true) => Caller::Other,
            (false, false) => Caller::Stranger,
        }
    }
}

fn digest(token: &[u8]) -> Token {
    Sha256::digest(token).into()
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(tokens.served.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_who_asks() {
        let (staff, guests) = (Owner::new("identity", "staff"), Owner::new("identity", "guests"));
        let served = Served::default();
        assert_eq!(served.who(&staff, b"one"), Caller::Stranger);
        served.serve(staff.clone(), Secret::new("one"));
        served.serve(guests.clone(), Secret::new("other"));
        for (owner, token, caller) in [
            (&staff, "one", Caller::Reader),
            (&staff, "other", Caller::Other),
            (&guests, "other", Caller::Reader),
            (&Owner::new("identity", "nobody"), "one", Caller::Other),
            (&staff, "on", Caller::Stranger),
            (&staff, "", Caller::Stranger),
        ] {
            assert_eq!(served.who(owner, token.as_bytes()), caller, "{owner} {token}");
        }
        served.serve(staff.clone(), Secret::new("new"));
        assert_eq!(
            served.who(&staff, b"one"),
            Caller::Stranger,
            "a token that was replaced is worth nothing"
        );
        assert_eq!(served.who(&staff, b"new"), Caller::Reader);
        served.withdraw(&staff);
        assert_eq!(served.who(&staff, b"new"), Caller::Stranger);
        served.gone(&guests);
        assert_eq!(served.who(&guests, b"other"), Caller::Other, "it is told that the policy is gone");
        served.serve(guests.clone(), Secret::new("another"));
        assert_eq!(served.who(&guests, b"other"), Caller::Stranger);
    }

    #[test]
    fn an_empty_token_opens_nothing_and_debug_shows_none() {
        let staff = Owner::new("identity", "staff");
        let served = Served::default();
        served.serve(staff.clone(), Secret::new(""));
        assert_eq!(served.who(&staff, b""), Caller::Stranger);
        served.serve(staff, Secret::new("hunter2"));
        assert_eq!(format!("{served:?}"), r#"{Owner("identity/staff")}"#);
    }
}
