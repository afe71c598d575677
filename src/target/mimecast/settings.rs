//! The settings of a tenant's own directory integrations, for whoever wants the same of Rollcall.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::answer::Role;
use super::client::Client;
use super::config::MimecastConfig;
use super::record;
use crate::clock::Clock;
use crate::directory::TargetError;
use crate::target::refusal::{No, Refusal};
use crate::target::turn::Turns;

const ROLE: Role = "Services | Directory Sync | Read";
/// The kinds that the newer style has, as they stand in its addresses.
const NEWER: [(&str, Kind); 3] =
    [("active-directory", Kind::ActiveDirectory), ("m365", Kind::EntraId), ("google", Kind::Google)];

/// A directory integration of Mimecast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    /// Its id.
    pub id: String,
    /// Of what kind of directory.
    pub kind: Kind,
    /// What it is called.
    pub description: String,
    /// What else was written of it.
    pub info: String,
    /// Whether it syncs.
    pub enabled: bool,
    /// The domains whose addresses it syncs; all internal ones if empty.
    pub domains: Vec<String>,
    /// Whether accounts that are disabled in the directory are disabled.
    pub acknowledges_disabled: Option<bool>,
    /// So many users one sync may unlink.
    pub most_unlinked: Option<Most>,
    /// Whether users who vanish are deleted.
    pub deletes_users: Option<bool>,
    /// Whether contacts are synced.
    pub contacts: Option<bool>,
    /// Whether guests of a tenant are synced.
    pub guests: Option<bool>,
    /// The servers of a directory, the first one first.
    pub hosts: Vec<String>,
    /// Their port.
    pub port: Option<u64>,
    /// Who reads it.
    pub user_dn: String,
    /// Where reading begins.
    pub root_dn: String,
    /// `none`, `relaxed` or `strict`.
    pub encryption: String,
    /// The tenant of Microsoft Entra ID, and whether it is of a government cloud.
    pub tenant: Option<(String, bool)>,
    /// The administrator of Google Workspace in whose name is read.
    pub admin: String,
}

/// A kind of integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Active Directory, by LDAP.
    ActiveDirectory,
    /// The Mimecast Synchronization Engine.
    SyncEngine,
    /// Microsoft Entra ID.
    EntraId,
    /// Google Workspace.
    Google,
    /// Domino, by LDAP.
    Domino,
    /// Another one, as Mimecast calls it.
    Other(String),
}

/// The maximum of `maxUnlink`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Most {
    /// So many.
    Number(u64),
    /// Any number.
    Unlimited,
}

/// The integrations of the tenant of this client.
///
/// # Errors
/// They cannot be read.
pub async fn integrations(
    config: &MimecastConfig,
    clock: Arc<dyn Clock>,
) -> Result<Vec<Integration>, TargetError> {
    let read = async {
        let client = Client::new(config, Turns::free(), clock)?;
        // The older list is documented to its fields, but lacks Google.
        let older = client.all_older("api/directory/get-connection", "", Value::Null, ROLE).await;
        let older = match older {
            Err(refusal) if is_lacking(&refusal) => Vec::new(),
            older => older?,
        };
        let mut all: Vec<Integration> =
            older.iter().filter_map(|shown| Integration::read(shown, None)).collect();
        let base = ["directory", "cloud-gateway", "v1", "integrations"];
        let newer = match client.get(&base, &[], ROLE).await {
            Err(refusal) if is_lacking(&refusal) => Value::Null,
            newer => newer?,
        };
        for id in ids(&newer) {
            let known = all.iter().position(|one| one.id == id);
            for (place, kind) in NEWER {
                if known.and_then(|at| all.get(at)).is_some_and(|one| one.kind != kind) {
                    continue;
                }
                let path = ["directory", "cloud-gateway", "v1", "integrations", place, &id];
                let shown = match client.get(&path, &[], ROLE).await {
                    Err(refusal) if is_lacking(&refusal) => continue,
                    shown => shown?,
                };
                if let Some(one) = Integration::read(&shown, Some((&id, kind))) {
                    match known.and_then(|at| all.get_mut(at)) {
                        // It knows more of the servers.
                        Some(known) => *known = one,
                        None => all.push(one),
                    }
                }
                break;
            }
        }
        Ok::<_, Refusal>(all)
    };
    Box::pin(read).await.map_err(|refusal| refusal.error)
}

fn is_lacking(refusal: &Refusal) -> bool {
    matches!(refusal.no, No::NotThere | No::Unsupported | No::Refused)
}

/// The ids in a list whose shape is not documented.
fn ids(list: &Value) -> BTreeSet<String> {
    let lists = list.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_array()).flatten();
    let ids = lists.filter_map(|one| one.get("id")?.as_str()).filter(|id| record::is_id(id));
    ids.map(str::to_owned).collect()
}

impl Integration {
    fn read(shown: &Value, known: Option<(&str, Kind)>) -> Option<Self> {
        let text =
            |names: &[&str]| names.iter().find_map(|name| shown.pointer(name)?.as_str()).unwrap_or_default();
        let flag = |name: &str| shown.get(name)?.as_bool();
        let (id, kind) = match known {
            Some((id, kind)) => (id, kind),
            None => (text(&["/id"]), Kind::of(text(&["/serverType"]))),
        };
        let within = if kind == Kind::SyncEngine { "/adPushSettings" } else { "/ldapSettings" };
        let of_server = |name: &str| {
            let inner = format!("{within}/{name}");
            text(&[&format!("/{name}"), &inner]).trim().to_owned()
        };
        let hosts = [of_server("hostname"), of_server("alternateHostname")];
        let tenant = text(&["/tenantDomain", "/office365Settings/tenantDomain"]);
        let domains = shown.get("domains").and_then(Value::as_array);
        let port = [shown.get("port"), shown.pointer(&format!("{within}/port"))]
            .into_iter()
            .flatten()
            .find_map(Value::as_u64);
        (!id.is_empty()).then(|| Self {
            id: id.to_owned(),
            kind,
            description: text(&["/description"]).to_owned(),
            info: text(&["/info"]).to_owned(),
            enabled: flag("enabled").unwrap_or(true),
            domains: domains
                .into_iter()
                .flatten()
                .filter_map(|domain| Some(domain.as_str()?.to_lowercase()))
                .collect(),
            acknowledges_disabled: flag("acknowledgeDisabledAccounts"),
            most_unlinked: shown.get("maxUnlink").and_then(Most::read),
            deletes_users: flag("deleteUsers"),
            contacts: flag("syncContacts"),
            guests: flag("syncGuestUsers"),
            hosts: hosts.into_iter().filter(|host| !host.is_empty()).collect(),
            port,
            user_dn: of_server("userDn"),
            root_dn: of_server("rootDn"),
            encryption: of_server("encryptionMode"),
            admin: text(&["/user"]).to_owned(),
            tenant: (!tenant.is_empty()).then(|| (tenant.to_owned(), text(&["/serverSubtype"]) == "gov")),
        })
    }
}

impl Kind {
    fn of(server: &str) -> Self {
        match server {
            "active_directory" => Self::ActiveDirectory,
            "ad_push" => Self::SyncEngine,
            "office_365" => Self::EntraId,
            "google" | "google_directory" => Self::Google,
            "domino" => Self::Domino,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl Most {
    /// It is a number, a text with separators, or the name of a step.
    fn read(shown: &Value) -> Option<Self> {
        let Some(text) = shown.as_str() else { return shown.as_u64().map(Self::Number) };
        if text.to_lowercase().ends_with("unlimited") {
            return Some(Self::Unlimited);
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.parse().ok().map(Self::Number)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!("0"), Some(Most::Number(0)))]
    #[case(json!("10"), Some(Most::Number(10)))]
    #[case(json!("20"), Some(Most::Number(20)))]
    #[case(json!("50"), Some(Most::Number(50)))]
    #[case(json!("100"), Some(Most::Number(100)))]
    #[case(json!("300"), Some(Most::Number(300)))]
    #[case(json!("500"), Some(Most::Number(500)))]
    #[case(json!("1,000"), Some(Most::Number(1000)))]
    #[case(json!("2,000"), Some(Most::Number(2000)))]
    #[case(json!("5,000"), Some(Most::Number(5000)))]
    #[case(json!("10,000"), Some(Most::Number(10_000)))]
    #[case(json!("50,000"), Some(Most::Number(50_000)))]
    #[case(json!("100,000"), Some(Most::Number(100_000)))]
    #[case(json!("unlimited"), Some(Most::Unlimited))]
    #[case(json!("unlink_10"), Some(Most::Number(10)))]
    #[case(json!("unlink_unlimited"), Some(Most::Unlimited))]
    #[case(json!(300), Some(Most::Number(300)))]
    #[case(json!(null), None)]
    fn each_step_is_read_in_each_spelling(#[case] shown: Value, #[case] most: Option<Most>) {
        assert_eq!(Most::read(&shown), most);
    }

    #[test]
    fn both_styles_are_read() {
        let older = json!({
            "id": "1", "description": "HQ", "serverType": "ad_push", "enabled": false, "domains": ["Corp.example"],
            "adPushSettings": { "hostname": "dc1", "port": 389, "rootDn": "DC=corp", "userDn": "CN=svc" },
        });
        let read = Integration::read(&older, None).unwrap();
        assert_eq!(
            (read.kind, read.enabled, read.hosts, read.port),
            (Kind::SyncEngine, false, vec!["dc1".to_owned()], Some(389))
        );
        assert_eq!((read.domains, read.root_dn.as_str()), (vec!["corp.example".to_owned()], "DC=corp"));
        let newer = json!({ "description": "HQ", "hostname": "dc1", "alternateHostname": "dc2", "encryptionMode": "strict" });
        let read = Integration::read(&newer, Some(("7", Kind::ActiveDirectory))).unwrap();
        assert_eq!((read.id.as_str(), read.hosts.len(), read.encryption.as_str()), ("7", 2, "strict"));
        let cloud = json!({ "id": "2", "serverType": "office_365", "office365Settings": { "tenantDomain": "corp.example" } });
        assert_eq!(Integration::read(&cloud, None).unwrap().tenant, Some(("corp.example".to_owned(), false)));
        assert_eq!(Integration::read(&json!({ "description": "x" }), None), None);
    }
}
