//! Something that happens in a directory.

use std::fmt;

use super::samba::Samba;

pub(crate) enum Happening {
    /// Change records.
    Changes(String),
    /// The account is taken back from among the deleted, to this place and with this address. It has neither kept that
    /// nor its groups, as there is no recycle bin.
    Restored { account: String, dn: String, mail: String },
}

impl Happening {
    pub(crate) fn befall(&self, samba: &Samba) {
        match self {
            Self::Changes(changes) => samba.modify(changes),
            Self::Restored { account, dn, mail } => samba.restore(account, dn, mail),
        }
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changes(changes) => f.write_str(changes),
            Self::Restored { account, dn, mail } => write!(f, "{account} is restored as {dn}, {mail}\n\n"),
        }
    }
}
