//! What a connector came to.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::spec::reference::Reference;
use crate::spec::{Connector, Content, Name, Problem};

/// What makes a read another one: the object, what is used of what it refers to, and what policies name of its
/// directory's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) uid: Option<String>,
    pub(super) generation: Option<i64>,
    pub(super) content: Content,
    pub(super) literal: BTreeSet<String>,
}

/// An object, its uid and its generation.
pub(super) type Generation = (Name, Option<String>, Option<i64>);

/// What policies name of what a connector reads.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// By which policies, and with which connectors.
    pub(super) by: Arc<[Generation]>,
    /// The fields on which they rest.
    pub(super) used: Arc<BTreeSet<String>>,
    /// The attributes that they name.
    pub(super) literal: BTreeSet<String>,
}

/// What a connector came to.
#[derive(Clone, Debug)]
pub(in crate::controller) struct Resolved {
    pub(super) versions: Vec<(Reference, Option<String>)>,
    pub(super) key: Key,
    /// Name and password with which the directory is asked.
    pub(super) account: Content,
    pub(super) connector: Result<Arc<Connector>, Arc<[Problem]>>,
    /// What policies rest on of what it reads.
    pub(super) used: Arc<BTreeSet<String>>,
}

#[cfg(test)]
impl Resolved {
    /// Of a connector that can be used, asked for with the password of this name.
    pub(super) fn of(key: Key, account: &str, connector: Connector) -> Self {
        Self {
            versions: Vec::new(),
            key,
            account: Content::of([Some(account.as_bytes())]),
            connector: Ok(Arc::new(connector)),
            used: Arc::default(),
        }
    }
}

#[cfg(test)]
impl Key {
    /// Of an object with this uid, of whose directory's attributes this one is named.
    pub(super) fn of(uid: &str, literal: &str) -> Self {
        Self {
            uid: Some(uid.to_owned()),
            generation: Some(1),
            content: Content::of([]),
            literal: BTreeSet::from([literal.to_owned()]),
        }
    }
}
