//! The accounts that a directory or a target refused. Many are locked after a few wrong passwords.

/// So many different ones are tried at once: a password, and the one that corrects it.
const AT_ONCE: usize = 2;

/// The accounts that were refused since one was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused<A>(Vec<A>);

impl<A> Default for Refused<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<A: PartialEq> Refused<A> {
    /// This one was refused.
    pub(super) fn add(&mut self, account: A) {
        if !self.waits(&account) {
            self.0.push(account);
        }
    }

    /// Whether this one is not tried before its time: it was refused, or so many were that each further one may lock the account.
    pub(super) fn waits(&self, account: &A) -> bool {
        self.0.len() >= AT_ONCE || self.0.contains(account)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
