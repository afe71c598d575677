//! Converts a SCIM target to its configuration.

use std::collections::BTreeSet;

use super::object::{Name, Objects};
use super::service::{Service, Wrong};
use crate::api::policy::overrides as api;
use crate::api::policy::overrides::ScimOverrides;
use crate::api::policy::{Scim, ScimCredentials, ScimOAuth};
use crate::net::oauth;
use crate::target::scim::dialect::{
    Addresses, Booleans, Members, Operators, Overrides, Paging, Removal, Update,
};
use crate::target::scim::{Credential, ScimConfig, profile};

/// The configuration, if nothing is wrong with it. `owned` are the attributes that the policy maps.
pub(super) fn resolve(
    name: &Name,
    scim: &Scim,
    owned: BTreeSet<String>,
    objects: &Objects,
) -> Result<ScimConfig, Vec<Wrong>> {
    let mut of = Service::new("spec.target.scim", "https://app.example/scim/v2", name, objects);
    let url = of.url("url", &scim.url, scim.insecure);
    let credential = credential(&mut of, &scim.credentials, scim.insecure);
    let ca_pem = of.authorities(&scim.tls);
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

fn credential(of: &mut Service<'_>, credentials: &ScimCredentials, insecure: bool) -> Option<Credential> {
    match (&credentials.token_secret_ref, &credentials.oauth) {
        (Some(token), None) => {
            let token = of.token(token);
            of.followed("credentials.tokenSecretRef", token).map(Credential::Token)
        }
        (None, Some(client)) => oauth_client(of, client, insecure).map(Credential::OAuth),
        _ => {
            of.wrong("credentials", "name exactly one credential: tokenSecretRef or oauth".to_owned());
            None
        }
    }
}

fn oauth_client(of: &mut Service<'_>, client: &ScimOAuth, insecure: bool) -> Option<oauth::Client> {
    let endpoint = of.url("credentials.oauth.tokenURL", &client.token_url, insecure);
    let (id, secret) = of.client("credentials.oauth.clientSecretRef", &client.client_secret_ref)?;
    Some(oauth::Client {
        endpoint: endpoint?,
        id,
        scope: client.scope.clone(),
        credential: oauth::Credential::Secret(secret),
    })
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
