//! Converts a Mimecast target to its configuration.

use super::object::{Name, Objects};
use super::service::{Service, Wrong};
use crate::api::policy::{Adoption, MatchBy, Mimecast, Nesting, Recreated, SyncPolicySpec, UserAction};
use crate::target::mimecast::MimecastConfig;

/// The configuration, if nothing is wrong with it.
pub(super) fn resolve(
    name: &Name,
    spec: &SyncPolicySpec,
    mimecast: &Mimecast,
    objects: &Objects,
) -> Result<MimecastConfig, Vec<Wrong>> {
    let mut of = Service::new("spec.target.mimecast", "https://api.services.mimecast.com", name, objects);
    let url = of.url("url", &mimecast.url, mimecast.insecure);
    let client = of.client("credentialsSecretRef", &mimecast.credentials_secret_ref);
    let ca_pem = of.authorities(&mimecast.tls);
    if mimecast.parent_folder.trim().is_empty() {
        of.wrong("parentFolder", "is empty; name a folder, such as Rollcall".to_owned());
    }
    let mut wrong = of.wrong;
    wrong.extend(impossible(spec).map(|(field, why)| Wrong {
        field: field.to_owned(),
        why: why.to_owned(),
        elsewhere: false,
    }));
    match (url, client) {
        (Some(url), Some((client_id, client_secret))) if wrong.is_empty() => Ok(MimecastConfig {
            url,
            client_id,
            client_secret,
            ca_pem,
            insecure: mimecast.insecure,
            parent_folder: mimecast.parent_folder.trim().to_owned(),
            adopts: spec.users.adopt == Adoption::Match
                && spec.users.match_by.iter().any(|by| matches!(by, MatchBy::Email | MatchBy::Name)),
        }),
        _ => Err(wrong),
    }
}

/// What a policy asks for and the API of Mimecast cannot do. The rules of the CRD say the same.
fn impossible(spec: &SyncPolicySpec) -> impl Iterator<Item = (&'static str, &'static str)> {
    let deletes = spec.users.leavers.iter().any(|step| step.r#do == UserAction::Delete);
    let deletes = deletes.then_some((
        "spec.users.leavers",
        "the API of Mimecast deletes no users; end with a step that disables, and delete addresses in the console",
    ));
    let replaces = (spec.users.recreated == Recreated::Replace).then_some((
        "spec.users.recreated",
        "the API of Mimecast deletes no users, so none can be replaced; use Quarantine or Relink",
    ));
    let nests = (spec.groups.nesting == Nesting::Preserve)
        .then_some(("spec.groups.nesting", "a group of Mimecast cannot be a member of a group; use Flatten"));
    deletes.into_iter().chain(replaces).chain(nests)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::spec::manifest::Manifests;
    use crate::spec::{Resolved, resolve};
    use crate::target::TargetConfig;

    /// A policy with this target and more fields, beside a Secret with a client.
    fn resolved(mimecast: &str, more: &str) -> Resolved {
        let manifest = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: mimecast, namespace: test }}\n\
             stringData: {{ client-id: me, client-secret: mine }}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {{ name: other, namespace: test }}\n\
             stringData: {{ client-id: other, client-secret: mine }}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {{ name: half, namespace: test }}\nstringData: {{ client-id: me }}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\n\
             spec: {{ ldif: {{ path: none }} }}\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
             metadata: {{ name: staff, namespace: test }}\n\
             spec: {{ connectors: [{{ name: corp }}], target: {{ mimecast: {{ {mimecast} }} }}{more} }}\n"
        );
        let mut manifests = Manifests::default();
        manifests.text("test", &manifest, None);
        assert!(manifests.problems.is_empty(), "{:?}", manifests.problems);
        resolve(&manifests.objects)
    }

    const CLIENT: &str = "credentialsSecretRef: { name: mimecast }";

    #[test]
    fn the_defaults_are_those_of_the_service() {
        let resolved = resolved(CLIENT, "");
        let TargetConfig::Mimecast(config) = &resolved.policies[0].target else { panic!("another target") };
        assert_eq!(config.url.as_str(), "https://api.services.mimecast.com/");
        assert_eq!((config.parent_folder.as_str(), config.client_id.as_str()), ("Rollcall", "me"));
        assert!(config.adopts && !config.insecure && config.ca_pem.is_none());
        assert!(!format!("{config:?}").contains("mine"));
    }

    #[test]
    fn an_application_is_of_one_tenant() {
        let identity = |mimecast: &str| {
            let resolved = resolved(mimecast, "");
            let policy = &resolved.policies[0];
            policy.target.identity(&policy.policy.owner)
        };
        let one = identity(CLIENT);
        assert_eq!(identity(&format!("url: \"https://API.services.mimecast.com/\", {CLIENT}")), one);
        assert_ne!(identity("credentialsSecretRef: { name: other }"), one);
        assert_ne!(identity(&format!("url: \"https://eu-api.services.mimecast.com\", {CLIENT}")), one);
        assert!(!one.contains("me of") && !one.ends_with("of me"), "{one}");
    }

    #[rstest]
    #[case::no_tls("url: \"http://mimecast.test\"", "", "must begin with https://")]
    #[case::no_address("url: mimecast", "", "is no address such as https://api.services.mimecast.com")]
    #[case::no_folder("parentFolder: \" \"", "", "name a folder")]
    #[case::deletes(
        "",
        "users: { leavers: [{ do: Disable }, { after: 720h, do: Delete }] }",
        "deletes no users; end with"
    )]
    #[case::replaces("", "users: { recreated: Replace }", "none can be replaced")]
    #[case::nests("", "groups: { nesting: Preserve }", "use Flatten")]
    fn what_cannot_be_is_refused(#[case] fields: &str, #[case] more: &str, #[case] says: &str) {
        let fields = if fields.is_empty() { CLIENT.to_owned() } else { format!("{fields}, {CLIENT}") };
        let more = if more.is_empty() { String::new() } else { format!(", {more}") };
        let resolved = resolved(&fields, &more);
        assert!(resolved.policies.is_empty());
        assert!(
            resolved.problems.iter().any(|problem| problem.to_string().contains(says)),
            "{:?}",
            resolved.problems
        );
    }

    #[test]
    fn the_registry_forgets_no_group() {
        let resolved = resolved(CLIENT, ", groups: { vanished: { do: Unlink } }");
        assert_eq!(resolved.policies.len(), 1, "elsewhere one may be left as it is");
    }

    #[test]
    fn half_a_client_is_said_to_be_one() {
        let resolved = resolved("credentialsSecretRef: { name: half }", "");
        let says = |what: &str| resolved.problems.iter().any(|problem| problem.to_string().contains(what));
        assert!(
            says("client-secret") && says("spec.target.mimecast.credentialsSecretRef"),
            "{:?}",
            resolved.problems
        );
    }
}
