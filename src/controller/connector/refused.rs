//! The accounts that a directory refused. Directories lock an account after a few wrong passwords.

use crate::spec::Content;

/// So many are remembered: two tools that each write a Secret back take turns with two.
const KEPT: usize = 8;

/// The accounts that a directory refused since it accepted one, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RefusedAccounts(Vec<Content>);

impl RefusedAccounts {
    /// It refused this one.
    pub(super) fn add(&mut self, account: Content) {
        self.0.retain(|known| *known != account);
        self.0.push(account);
        if self.0.len() > KEPT {
            self.0.remove(0);
        }
    }

    pub(super) fn has(&self, account: &Content) -> bool {
        self.0.contains(account)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
