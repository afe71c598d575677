//! Converts a SCIM target to its configuration.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::object::{Name, Objects};
use super::reference::CLIENT;
use crate::api::policy::overrides as api;
use crate::api::policy::overrides::ScimOverrides;
use crate::api::policy::{Scim, ScimCredentials, ScimOAuth};
use crate::api::reference::KeyRef;
use crate::net::http::Url;
use crate::net::oauth;
use crate::secret::Secret;
use crate::target::scim::dialect::{
    Addresses, Booleans, Members, Operators, Overrides, Paging, Removal, Update,
};
use crate::target::scim::{Credential, ScimConfig, profile};

/// Where the field is.
const AT: &str = "spec.target.scim";

/// A problem of a field, and whether it is one of what the field refers to.
pub(super) struct Wrong {
    pub(super) field: String,
    pub(super) why: String,
    pub(super) elsewhere: bool,
}

/// The address, as it names the target.
pub(super) fn place(url: &str) -> Cow<'_, str> {
    match Url::parse(url) {
        Ok(url) => Cow::Owned(url.as_str().trim_end_matches('/').to_owned()),
        Err(_) => Cow::Borrowed(url),
    }
}

/// The configuration, if nothing is wrong with it. `owned` are the attributes that the policy maps.
pub(super) fn resolve(
    name: &Name,
    scim: &Scim,
    owned: BTreeSet<String>,
    objects: &Objects,
) -> Result<ScimConfig, Vec<Wrong>> {
    let mut of = Resolving { name, objects, wrong: Vec::new() };
    let url = of.url("url", &scim.url, scim.insecure);
    let credential = of.credential(&scim.credentials, scim.insecure);
    let ca_pem = scim.tls.ca_ref.as_ref().map(|ca| objects.certificates(name, ca));
    let ca_pem = ca_pem.and_then(|followed| of.followed("tls.caRef", followed));
    let profile = match scim.profile.as_str() {
        "Auto" => None,
        named => {
            let profile = profile::named(named);
            if profile.is_none() {
                let known = profile::names().collect::<Vec<_>>().join(", ");
                of.wrong("profile", format!("there is no profile {named}; use Auto or one of: {known}"));
            }
            profile
        }
    };
    match (url, credential) {
        (Some(url), Some(credential)) if of.wrong.is_empty() => Ok(ScimConfig {
            url,
            credential,
            ca_pem,
            insecure: scim.insecure,
            headers: Vec::new(),
            profile,
            overrides: scim.overrides.as_ref().map(overrides).unwrap_or_default(),
            owned,
        }),
        _ => Err(of.wrong),
    }
}

struct Resolving<'a> {
    name: &'a Name,
    objects: &'a Objects,
    wrong: Vec<Wrong>,
}

impl Resolving<'_> {
    fn url(&mut self, field: &str, text: &str, insecure: bool) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|url| {
            url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        match url {
            Some(url) if url.scheme() == "https" || (insecure && url.scheme() == "http") => Some(url),
            Some(url) if url.scheme() == "http" => {
                self.wrong(
                    field,
                    "must begin with https://; insecure: true allows http://, for tests only".to_owned(),
                );
                None
            }
            _ => {
                self.wrong(field, format!("{text:?} is no address such as https://app.example/scim/v2"));
                None
            }
        }
    }

    fn credential(&mut self, credentials: &ScimCredentials, insecure: bool) -> Option<Credential> {
        match (&credentials.token_secret_ref, &credentials.oauth) {
            (Some(token), None) => {
                let token = self.token(token);
                self.followed("credentials.tokenSecretRef", token).map(Credential::Token)
            }
            (None, Some(client)) => self.client(client, insecure).map(Credential::OAuth),
            _ => {
                self.wrong("credentials", "name exactly one credential: tokenSecretRef or oauth".to_owned());
                None
            }
        }
    }

    fn token(&self, reference: &KeyRef) -> Result<Secret, String> {
        let token = self.objects.secret(self.name, &reference.name, &reference.key)?;
        match std::str::from_utf8(token.without_line_end()) {
            Ok(text) if !text.trim().is_empty() => Ok(token.clone()),
            _ => Err(format!(
                "the key {} of Secret {} holds no token",
                reference.key,
                self.name.beside(&reference.name)
            )),
        }
    }

    fn client(&mut self, client: &ScimOAuth, insecure: bool) -> Option<oauth::Client> {
        let endpoint = self.url("credentials.oauth.tokenURL", &client.token_url, insecure);
        let [id, secret] = CLIENT.map(|key| {
            self.token(&KeyRef { name: client.client_secret_ref.name.clone(), key: key.to_owned() })
        });
        let id = id.and_then(|id| {
            let text = String::from_utf8(id.without_line_end().to_vec());
            text.map_err(|_| "the client's id is not UTF-8 text".to_owned())
        });
        let id = self.followed("credentials.oauth.clientSecretRef", id);
        let secret = self.followed("credentials.oauth.clientSecretRef", secret);
        Some(oauth::Client {
            endpoint: endpoint?,
            id: id?,
            scope: client.scope.clone(),
            credential: oauth::Credential::Secret(secret?),
        })
    }

    fn followed<T>(&mut self, field: &str, followed: Result<T, String>) -> Option<T> {
        followed
            .map_err(|why| self.wrong.push(Wrong { field: format!("{AT}.{field}"), why, elsewhere: true }))
            .ok()
    }

    fn wrong(&mut self, field: &str, why: String) {
        self.wrong.push(Wrong { field: format!("{AT}.{field}"), why, elsewhere: false });
    }
}

fn overrides(of: &ScimOverrides) -> Overrides {
    let update = |update| match update {
        api::Update::Patch => Update::Patch,
        api::Update::Put => Update::Put,
    };
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Overrides {
        user_update: of.user_update.map(update),
        group_update: of.group_update.map(update),
        operators: of.operators.map(|operators| match operators {
            api::Operators::Lower => Operators::Lower,
            api::Operators::Capital => Operators::Capital,
        }),
        booleans: of.booleans.map(|booleans| match booleans {
            api::Booleans::Json => Booleans::Json,
            api::Booleans::Text => Booleans::Text,
        }),
        removal: of.member_removal.map(|removal| match removal {
            api::MemberRemoval::ByPath => Removal::ByPath,
            api::MemberRemoval::ByValue => Removal::ByValue,
            api::MemberRemoval::OneAtATime => Removal::OneAtATime,
        }),
        members_per_request: of.members_per_request.map(number),
        members: of.members.map(|members| match members {
            api::MembersShown::Given => Members::Given,
            api::MembersShown::Asked => Members::Asked,
            api::MembersShown::Never => Members::Never,
        }),
        paging: of.paging.map(|paging| match paging {
            api::Paging::Index => Paging::Index,
            api::Paging::Cursor => Paging::Cursor,
        }),
        page: of.page_size,
        keys_of_users: of.user_external_id,
        keys_of_groups: of.group_external_id,
        addresses: of.addresses.map(|addresses| match addresses {
            api::Addresses::All => Addresses::All,
            api::Addresses::Primary => Addresses::Primary,
        }),
        nested: of.nested_groups,
        reads_per_minute: of.reads_per_minute,
        writes_per_minute: of.writes_per_minute,
        at_once: of.requests_at_once.map(number),
        ..Overrides::default()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::spec::manifest::Manifests;
    use crate::spec::{Resolved, Runnable, rebuild, resolve};
    use crate::target::TargetConfig;

    /// A policy whose target has these fields, with a Secret that has a token and a client.
    fn resolved(scim: &str) -> Resolved {
        let manifest = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: app, namespace: test }}\n\
             stringData: {{ token: one, other: two, empty: \" \", client-id: me, client-secret: mine }}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\n\
             spec: {{ ldif: {{ path: none }} }}\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
             metadata: {{ name: staff, namespace: test }}\n\
             spec: {{ connectors: [{{ name: corp }}], target: {{ scim: {{ {scim} }} }} }}\n"
        );
        let mut manifests = Manifests::default();
        manifests.text("test", &manifest, None);
        assert!(manifests.problems.is_empty(), "{:?}", manifests.problems);
        resolve(&manifests.objects)
    }

    fn policy(scim: &str) -> Runnable {
        let resolved = resolved(scim);
        // The connector's file is not there, which is no matter here.
        let of_policy = resolved.problems.iter().find(|problem| problem.to_string().contains("SyncPolicy"));
        assert!(of_policy.is_none(), "{of_policy:?}");
        resolved.policies[0].clone()
    }

    const TOKEN: &str = "credentials: { tokenSecretRef: { name: app, key: token } }";

    #[test]
    fn only_the_address_names_the_target() {
        let one = policy(&format!("url: \"https://App.example/scim/v2/\", {TOKEN}"));
        for same in [
            format!("url: \"https://app.example:443/scim/v2\", {TOKEN}"),
            "url: \"https://app.example/scim/v2\", credentials: { tokenSecretRef: { name: app, key: other } }".to_owned(),
            "url: \"https://app.example/scim/v2\", profile: keycloak, credentials: { oauth: { tokenURL: \"https://l.example/t\", \
             clientSecretRef: { name: app } } }"
                .to_owned(),
        ] {
            let same = policy(&same);
            assert_eq!(same.policy.spec_hash, one.policy.spec_hash);
            assert_eq!(same.target.identity(&same.policy.owner), one.target.identity(&one.policy.owner));
        }
        let other = policy(&format!("url: \"https://app.example/scim/v1\", {TOKEN}"));
        assert_ne!(other.policy.spec_hash, one.policy.spec_hash);
        assert_ne!(other.target.identity(&other.policy.owner), one.target.identity(&one.policy.owner));
        // What was applied is understood without any Secret, and holds none.
        let again = rebuild(&one.policy.spec_json).unwrap();
        assert_eq!(
            (again.spec_hash, again.users.adopt),
            (one.policy.spec_hash.clone(), one.policy.users.adopt.clone())
        );
        assert!(!one.policy.spec_json.contains("tokenSecretRef"));
    }

    #[rstest]
    #[case("url: \"http://app.example\"", "spec.target.scim.url")]
    #[case("url: \"https://me:secret@app.example\"", "spec.target.scim.url")]
    #[case("url: \"app.example\"", "spec.target.scim.url")]
    #[case("profile: acme, url: \"https://app.example\"", "spec.target.scim.profile")]
    fn what_is_wrong_is_said(#[case] scim: &str, #[case] field: &str) {
        let problems = resolved(&format!("{scim}, {TOKEN}")).problems;
        assert!(problems.iter().any(|problem| problem.to_string().contains(field)), "{problems:?}");
    }

    #[rstest]
    #[case("tokenSecretRef: { name: app, key: empty }", "spec.target.scim.credentials.tokenSecretRef")]
    #[case("tokenSecretRef: { name: app, key: absent }", "spec.target.scim.credentials.tokenSecretRef")]
    #[case("", "spec.target.scim.credentials")]
    fn whoever_is_nobody_is_told(#[case] credentials: &str, #[case] field: &str) {
        let problems =
            resolved(&format!("url: \"https://app.example\", credentials: {{ {credentials} }}")).problems;
        assert!(problems.iter().any(|problem| problem.to_string().contains(field)), "{problems:?}");
    }

    #[test]
    fn what_is_given_is_taken() {
        let policy = policy(&format!(
            "url: \"http://127.0.0.1:1/v2\", insecure: true, {TOKEN}, overrides: {{ membersPerRequest: 7, memberRemoval: OneAtATime }}"
        ));
        let TargetConfig::Scim(config) = &policy.target else { panic!("{:?}", policy.target) };
        assert_eq!((config.overrides.members_per_request, config.insecure), (Some(7), true));
        assert!(config.owned.contains("displayName") && config.owned.contains("emails"));
    }
}
