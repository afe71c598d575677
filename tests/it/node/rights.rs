//! What `docs/security.md` says that people may do, asked of the cluster in which the release has given them rights.

use std::fmt::Write as _;
use std::fs;

use crate::support::cluster::{PATIENCE, repository};
use crate::support::node::Node;
use crate::support::process::eventually;

/// Asks for each line of the table, for somebody who has the role of its column in the namespace `rollcall`.
pub(super) fn are_those_of_the_docs(node: &Node) {
    let page = fs::read_to_string(repository("docs/security.md")).unwrap();
    let (_, table) = page.split_once("| `kubectl auth can-i` |").unwrap();
    let mut lines = table.lines().map(|line| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()));
    let roles: Vec<&str> = lines.next().unwrap().map(|role| role.trim_matches('`')).collect();
    assert_eq!(roles, ["view", "edit", "admin"]);
    for role in &roles {
        let (name, role, user) =
            (format!("a-{role}"), format!("--clusterrole={role}"), format!("--user=a-{role}"));
        node.run(&["kubectl", "--namespace=rollcall", "create", "rolebinding", &name, &role, &user]).exits(0);
    }

    let (mut questions, mut expected) = (String::new(), Vec::new());
    for line in lines.skip(1).map(Iterator::collect::<Vec<_>>).take_while(|line| line.len() == 4) {
        let words: Vec<&str> = line[0].trim_matches('`').split(' ').collect();
        let (verb, what) = (words[0], words[1]);
        let (what, part) = what.split_once('/').unwrap_or((what, ""));
        let (resource, group) = what.split_once('.').unwrap_or((what, ""));
        let namespace = match words[2..] {
            [] => "rollcall",
            ["-n", other] => other,
            ["-A"] => "",
            _ => panic!("{words:?}"),
        };
        for (role, answer) in roles.iter().zip(&line[1..]) {
            assert!(["yes", "no"].contains(answer), "{line:?}");
            expected.push((format!("{role}: {}", line[0]), *answer == "yes"));
            writeln!(
                questions,
                "---\n{{ apiVersion: authorization.k8s.io/v1, kind: SubjectAccessReview, spec: {{ user: a-{role}, \
                 resourceAttributes: {{ namespace: '{namespace}', verb: {verb}, group: '{group}', resource: {resource}, \
                 subresource: '{part}' }} }} }}"
            )
            .unwrap();
        }
    }
    assert!(expected.len() > 30, "{expected:?}");
    // What a release adds to the standard roles counts a moment later.
    let ask = ["kubectl", "create", "-f", "-", "-o=jsonpath={.status.allowed}{\"\\n\"}"];
    eventually(PATIENCE, "everybody may do what the docs say, and no more", || {
        let ran = node.with_input(&ask, &questions).exits(0);
        let answers: Vec<bool> = ran.out.lines().map(|line| line == "true").collect();
        assert_eq!(answers.len(), expected.len(), "{}", ran.said());
        let wrong: Vec<&String> = expected
            .iter()
            .zip(answers)
            .filter(|((_, right), found)| right != found)
            .map(|((what, _), _)| what)
            .collect();
        println!("not as the docs say: {wrong:?}");
        wrong.is_empty().then_some(())
    });
    node.run(&["kubectl", "--namespace=rollcall", "delete", "rolebinding", "a-view", "a-edit", "a-admin"])
        .exits(0);
}
