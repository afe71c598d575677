//! An LDIF export.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private scope")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::reference::KeyRef;

/// An LDIF export (RFC 2849).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("!has(self.path)", "a file on disk is only for `rollcall sync`: put the export into a Secret or ConfigMap and name that with secretKeyRef or configMapKeyRef"),
    validation = ("[has(self.path), has(self.secretKeyRef), has(self.configMapKeyRef)].filter(place, place).size() == 1", "name exactly one place: path, secretKeyRef or configMapKeyRef")
)]
pub struct Ldif {
    /// A file on disk, relative to the manifest; only for `rollcall sync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
    /// A key of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
    /// A key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
    /// The identity of the exported directory, which never changes. If empty, it is the suffix that all entries have in
    /// common.
    #[serde(default, rename = "directoryID", skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub directory_id: String,
    /// The attribute with an entry's immutable id. If empty, it is the one of `entryUUID`, `nsUniqueId`, `ipaUniqueID`
    /// and `objectGUID` that most entries of the first file have. With `dn` the DN is the id: then a renamed entry
    /// counts as a different one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub anchor_attribute: String,
    /// An LDAP filter (RFC 4515) for users and contacts. If empty, they are selected by their object classes; in an
    /// export of Active Directory only the accounts of people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub user_filter: String,
    /// An LDAP filter (RFC 4515) for groups. If empty, they are selected by their object classes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub group_filter: String,
    /// A CEL expression over `user` that is true if the account is disabled.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub disabled_when: String,
}
