//! Manifests that cannot work, and what is said of them.

use std::path::Path;

use rollcall::spec::{self, manifest};
use rstest::rstest;

/// Every problem of these manifests, which stand in a file.
fn problems(text: &str) -> Vec<String> {
    problems_in(Some(Path::new("")), text)
}

/// Every problem of these manifests, which stand in a file in `folder`, or in no file.
pub(crate) fn problems_in(folder: Option<&Path>, text: &str) -> Vec<String> {
    let mut manifests = manifest::Manifests::default();
    manifests.text("test.yaml", text, folder);
    let mut problems = spec::resolve(&manifests.objects).problems;
    problems.extend(manifests.problems);
    problems.iter().map(ToString::to_string).collect()
}

fn connector(spec: &str) -> String {
    format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: id }}\nspec:\n{spec}\n"
    )
}

fn policy(spec: &str) -> String {
    format!(
        "{}---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: staff, namespace: id }}\nspec:\n  \
         connectors: [{{ name: corp }}]\n  target: {{ registry: {{}} }}\n{spec}\n",
        connector("  ldif: { path: corp.ldif }")
    )
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    let problems = problems(text);
    assert!(!problems.is_empty(), "nothing is said of:\n{text}");
    let said = problems.join("\n");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[rstest]
#[case("  ldap: { urls: [\"ldaps://dc1\"] }")]
#[case(
    "  ldap: { urls: [\"ldap://dc1\"], startTLS: true, userFilter: \"(&(uid=*)(!(uid=x)))\" }\n  timeout: 90m"
)]
#[case("  ldif: { path: x.ldif, disabledWhen: \"user.attributes['status'] == 'off'\" }")]
fn takes_a_connector(#[case] spec: &str) {
    assert_eq!(problems(&connector(spec)), [""; 0]);
}

#[rstest]
#[case("  {}", &["DirectoryConnector id/corp: spec: name a kind of directory: activeDirectory, domino, entraId, googleWorkspace, ldap or ldif"])]
#[case("  ldap: { urls: [\"ldaps://a\"] }\n  ldif: { path: x }", &["names several kinds"])]
#[case("  ldap: { urls: [\"ldap://a\"] }", &["spec.ldap.urls[0]", "ldap://a would send passwords", "startTLS", "insecure"])]
#[case("  ldap: { urls: [] }", &["spec.ldap.urls", "at least one url"])]
#[case("  ldap: { urls: [\"ldaps://a\"], groupFilter: \" \\n\" }", &["spec.ldap.groupFilter", "only blanks"])]
#[case("  ldap: { urls: [\"ldaps://a\"], userFilter: \"(uid=*\" }", &["spec.ldap.userFilter", "(uid=* is not an LDAP filter", "parentheses"])]
#[case("  ldap: { urls: [\"ldaps://a\"], baseDNs: [\"corp\"] }", &["spec.ldap.baseDNs[0]", "corp is not a DN"])]
#[case("  ldap: { urls: [\"ldaps://a\"], disabledWhen: \"user.mial == ''\" }", &["spec.ldap.disabledWhen", "line 1, column 5", "did you mean `mail`?"])]
#[case("  ldap: { urls: [\"ldaps://a\"], anchorAttribute: \"employee number\" }", &["spec.ldap.anchorAttribute", "not an attribute name"])]
#[case("  ldap: { urls: [\"ldaps://a\"], anchorAttribute: dn }", &["spec.ldap.anchorAttribute", "renamed"])]
#[case("  ldap: { urls: [\"ldaps://a\"], pageSize: 0 }", &["spec.ldap.pageSize", "at least 1"])]
#[case("  ldap: { urls: [\"ldaps://a\"], credentialsSecretRef: { name: reader } }", &["spec.ldap.credentialsSecretRef", "there is no Secret id/reader", "there is: none"])]
#[case("  ldap: { urls: [\"ldaps://a\"], tls: { caRef: { name: ca } } }", &["spec.ldap.tls.caRef", "there is no ConfigMap id/ca"])]
#[case("  ldap: { urls: [\"ldaps://a\"], startTls: true }", &["spec.ldap.startTls", "did you mean startTLS?"])]
#[case("  domino: { urls: [\"ldap://a\"] }", &["spec.domino.urls[0]", "ldap://a would send passwords", "startTLS", "insecure"])]
#[case("  domino: { urls: [\"ldaps://a\"], splitGroups: \"{name}\" }", &["spec.domino.splitGroups"])]
#[case("  domino: { urls: [\"ldaps://a\"], baseDNs: [\"Corp\"] }", &["spec.domino.baseDNs[0]", "Corp is not a DN"])]
#[case("  domino: { urls: [\"ldaps://a\"], disabledWhen: \"user.mial == ''\" }", &["spec.domino.disabledWhen", "did you mean `mail`?"])]
#[case("  domino: { urls: [\"ldaps://a\"], credentialsSecretRef: { name: notes } }", &["spec.domino.credentialsSecretRef", "there is no Secret id/notes"])]
#[case("  ldap: { urls: \"ldaps://a\" }", &["spec.ldap.urls", "expected a sequence"])]
#[case("  ldif: {}", &["spec.ldif", "exactly one place"])]
#[case("  ldif: { path: a, configMapKeyRef: { name: b, key: c } }", &["spec.ldif", "exactly one place"])]
#[case("  ldif: { path: a }\n  timeout: 7d", &["spec.timeout", "\"7d\" is not a duration", "1h30m"])]
#[case("  ldif: { path: a }\n  intervall: 5m", &["spec.intervall", "there is no such field"])]
fn refuses_a_connector(#[case] spec: &str, #[case] parts: &[&str]) {
    says(&connector(spec), parts);
}

#[rstest]
#[case("  users: { leavers: [{ do: Disable }, { after: 720h, do: Delete }], emailDomains: [corp.example] }")]
#[case(
    "  groups: { include: [\"app-*\"], where: \"group.mail != ''\", nesting: Preserve, vanished: { do: Empty } }"
)]
#[case("  limits: { userRemovals: { percent: 50 }, onExceed: HoldAll }\n  mode: Preview")]
fn takes_a_policy(#[case] spec: &str) {
    assert_eq!(problems(&policy(spec)), [""; 0]);
}

#[rstest]
#[case("  users: { where: \"user.department = 'x'\" }", &["SyncPolicy id/staff: spec.users.where: at line 1, column"])]
#[case("  users: { where: \"user.title\" }", &["spec.users.where", "true or false"])]
#[case("  users: { where: \"user.mial != ''\" }", &["spec.users.where", "column 5 of `user.mial != ''`: ", "did you mean `mail`?"])]
#[case("  groups: { where: \"user.mail != ''\" }", &["spec.groups.where", "group"])]
#[case("  users: { attributes: { titel: user.title } }", &["spec.users.attributes.titel", "did you mean title?"])]
#[case("  users: { leavers: [] }", &["spec.users.leavers"])]
#[case("  users: { leavers: [{ after: 10h, do: Disable }, { after: 5h, do: Delete }] }", &["spec.users.leavers[1]", "must come later"])]
#[case("  users: { leavers: [{ do: Delete }, { after: 5h, do: Disable }] }", &["spec.users.leavers[1]", "nothing is left to do"])]
#[case("  users: { leavers: [{ do: Vanish }] }", &["spec.users.leavers[0].do", "Vanish", "Disable"])]
#[case("  users: { emailDomains: [\"@corp.example\"] }", &["spec.users.emailDomains[0]", "corp.example"])]
#[case("  limits: { userRemovals: { percent: 120 } }", &["spec.limits.userRemovals.percent", "at most 100"])]
#[case("  limits: { window: 0s }", &["spec.limits.window"])]
#[case("  limits: { userRemoval: { count: 1 } }", &["spec.limits.userRemoval", "did you mean userRemovals?"])]
fn refuses_a_policy(#[case] spec: &str, #[case] parts: &[&str]) {
    says(&policy(spec), parts);
}

#[test]
fn a_secret_without_the_key_is_named_with_the_keys_that_it_has() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: { name: reader, namespace: id }\n\
                  data: { username: Y249cmVhZGVy, pasword: c2VjcmV0 }\n---\n";
    let text = connector("  ldap: { urls: [\"ldaps://a\"], credentialsSecretRef: { name: reader } }");
    says(&format!("{secret}{text}"), &["Secret id/reader has no key password (it has: pasword, username)"]);
    let bad = secret.replace("Y249cmVhZGVy", "\"@@@\"");
    says(
        &format!("{bad}{text}"),
        &["Secret id/reader: data.username: is not base64; put plain text under stringData"],
    );
    let empty = secret.replace("pasword: c2VjcmV0", "password: \"\"");
    says(&format!("{empty}{text}"), &["the key password of Secret id/reader is empty"]);
}

#[test]
fn a_policy_names_the_connectors_that_are_there() {
    let text = policy("").replace("[{ name: corp }]", "[{ name: crop }]");
    says(
        &text,
        &[
            "spec.connectors[0].name",
            "no usable DirectoryConnector crop in the namespace id (there is: corp)",
        ],
    );
    let text = policy("").replace("[{ name: corp }]", "[{ name: corp }, { name: other }]");
    says(&text, &["spec.connectors", "at most 1"]);
}

#[test]
fn a_read_may_be_a_minute_old() {
    let aged =
        |age: &str| policy("").replace("[{ name: corp }]", &format!("[{{ name: corp, maxAge: {age} }}]"));
    says(&aged("0s"), &["SyncPolicy id/staff: spec.connectors[0].maxAge: is too short", "use 1m or more"]);
    says(&aged("59999ms"), &["spec.connectors[0].maxAge", "use 1m or more"]);
    assert_eq!(problems(&aged("60s")), [""; 0]);
}

#[test]
fn what_is_no_manifest_is_named_with_its_place() {
    says("kind: [", &["test.yaml: this is not YAML or JSON", "line"]);
    says("a: 1", &["test.yaml, document 1: it has no kind"]);
    says(
        &connector("  ldif: { path: x }").replace("v1alpha1", "v1"),
        &["apiVersion", "rollcall.dev/v1alpha1"],
    );
    let twice = connector("  ldif: { path: x }");
    says(&format!("{twice}---\n{twice}"), &["DirectoryConnector id/corp: it is given twice", "document 2"]);
    says(&connector("  ldif: { path: x }").replace("name: corp", "name: \"Corp/1\""), &["metadata.name"]);
}

#[test]
fn one_bad_object_costs_the_others_nothing() {
    let bad = connector("  ldap: { urls: [\"http://a\"] }").replace("name: corp", "name: bad");
    let mut manifests = manifest::Manifests::default();
    manifests.text("test.yaml", &format!("{bad}---\n{}", policy("")), Some(Path::new("")));
    let resolved = spec::resolve(&manifests.objects);
    assert_eq!((resolved.connectors.len(), resolved.policies.len(), resolved.problems.len()), (1, 1, 1));
}

#[test]
fn a_list_is_as_good_as_its_items() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: rollcall.dev/v1alpha1\n  kind: DirectoryConnector\n  \
                metadata: { name: corp }\n  spec: { ldif: { path: x } }\n";
    let mut manifests = manifest::Manifests::default();
    manifests.text("test.yaml", list, Some(Path::new("")));
    assert_eq!(manifests.objects.connectors.keys().next().unwrap().to_string(), "default/corp");
}

#[test]
fn the_examples_are_sound() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let manifests = manifest::read(&[examples]);
    let resolved = spec::resolve(&manifests.objects);
    assert_eq!((manifests.problems, resolved.problems), (Vec::new(), Vec::new()));
    assert_eq!(resolved.policies.len(), 10);
}

#[test]
fn what_was_applied_can_be_made_again() {
    let text = policy("  users: { where: \"user.title != ''\" }\n  limits: { userRemovals: { count: 7 } }");
    let mut manifests = manifest::Manifests::default();
    manifests.text("test.yaml", &text, Some(Path::new("")));
    let resolved = spec::resolve(&manifests.objects);
    let policy = &resolved.policies[0].policy;
    let again = spec::rebuild(&policy.spec_json).unwrap();
    assert_eq!((&again.spec_hash, &again.spec_json), (&policy.spec_hash, &policy.spec_json));
    assert_eq!(again.limits, policy.limits);
    // A version before took any age, and an edit of what it applied is an edit all the same.
    let aged = policy.spec_json.replace("\"maxAge\":\"24h\"", "\"maxAge\":\"0s\"");
    assert_ne!(aged, &*policy.spec_json);
    assert_eq!(spec::rebuild(&aged).unwrap().limits, policy.limits);
    // Another place of the same file removes nobody; another rule may.
    let hash = |text: &str| {
        let mut manifests = manifest::Manifests::default();
        manifests.text("test.yaml", text, Some(Path::new("")));
        spec::resolve(&manifests.objects).policies[0].policy.spec_hash.clone()
    };
    assert_eq!(hash(&text.replace("corp.ldif", "other.ldif")), policy.spec_hash);
    assert_eq!(hash(&format!("{text}  mode: Preview\n")), policy.spec_hash);
    assert_ne!(hash(&text.replace("user.title", "user.office")), policy.spec_hash);
    assert_ne!(hash(&text.replace("path: corp.ldif", "path: corp.ldif, directoryID: x")), policy.spec_hash);
}
