//! The kinds that are watched, and what can happen to their objects.

use std::collections::BTreeSet;
use std::fmt::Debug;

/// Which objects are ours.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// In which namespaces; `None` means in all.
    pub namespaces: Option<BTreeSet<String>>,
    /// In the namespaces with these labels, as they come and go; `namespaces` counts for nothing then.
    pub namespace_selector: Option<String>,
    /// With which labels.
    pub selector: Option<String>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// It is new, or something of it changed that concerns the operator.
    Changed,
    /// Only its status changed, which others may have written.
    Restated,
    /// It was deleted, or is not selected any more.
    Gone,
    /// All of its kind in this namespace can be watched again, or cannot be watched any more.
    Seen,
}

/// What a watch brings of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum WatchedKind {
    Connector,
    Policy,
    Secret,
    ConfigMap,
    Namespace,
}

impl WatchedKind {
    /// Those that are watched in each part.
    pub(super) const ALL: [Self; 4] = [Self::Connector, Self::Policy, Self::Secret, Self::ConfigMap];

    /// The objects of this kind, in messages.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Connector => "DirectoryConnectors",
            Self::Policy => "SyncPolicies",
            Self::Secret => "Secrets",
            Self::ConfigMap => "ConfigMaps",
            Self::Namespace => "Namespaces",
        }
    }

    /// The kind of its objects.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Connector => "DirectoryConnector",
            Self::Policy => "SyncPolicy",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::Namespace => "Namespace",
        }
    }

    /// In logs and metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Policy => "policy",
            Self::Secret => "secret",
            Self::ConfigMap => "config map",
            Self::Namespace => "namespace",
        }
    }
}

impl Scope {
    /// Each namespace, or one `None` for all of them.
    pub(super) fn parts(&self) -> Vec<Option<String>> {
        self.namespaces.as_ref().map_or_else(|| vec![None], |these| these.iter().cloned().map(Some).collect())
    }
}
