//! Whether approvals are guarded: the operator sees only that an annotation was set. Who may set it, and that it bears their
//! own name, is checked by a rule for admission alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::{Api, Client};

use super::error::Error;
use super::read::read;

pub(super) mod follow;

/// What the rule and its binding are called.
const NAME: &str = "rollcall-approval";

/// What becomes of approvals while nothing checks who gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unguarded {
    /// They approve nothing.
    #[default]
    Refuse,
    /// They count.
    Accept,
}

/// Whether approvals are guarded, as far as is known; else why not.
#[derive(Debug, Default)]
pub(super) struct Approvals(Mutex<Option<Result<(), String>>>);

impl Approvals {
    /// Why they are not guarded, as of the last look.
    pub(super) fn unguarded(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?.err()
    }

    /// Looks now. Returns whether that is something new.
    async fn look(&self, client: &Client) -> Result<bool, Error> {
        let rule = Api::<ValidatingAdmissionPolicy>::all(client.clone());
        let binding = Api::<ValidatingAdmissionPolicyBinding>::all(client.clone());
        let found = match (read(rule.get_opt(NAME)).await, read(binding.get_opt(NAME)).await) {
            (Ok(rule), Ok(binding)) => judge(rule.as_ref(), binding.as_ref()),
            (Err(Error::Kube(kube::Error::Api(answer))), _)
            | (_, Err(Error::Kube(kube::Error::Api(answer))))
                if [401, 403, 404].contains(&answer.code) =>
            {
                Err(format!("whether there is one cannot be seen: {}", answer.message))
            }
            // Nobody knows: what was seen last holds.
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = known.as_ref() != Some(&found);
        *known = Some(found);
        Ok(is_new)
    }
}

/// Whether this rule, by this binding, checks who sets an approval.
fn judge(
    rule: Option<&ValidatingAdmissionPolicy>,
    binding: Option<&ValidatingAdmissionPolicyBinding>,
) -> Result<(), String> {
    let Some(rule) = rule.and_then(|rule| rule.spec.as_ref()) else {
        return Err(format!("there is no ValidatingAdmissionPolicy {NAME}"));
    };
    let Some(binding) = binding.map(|binding| &binding.spec) else {
        return Err(format!("there is no ValidatingAdmissionPolicyBinding {NAME}"));
    };
    let weak = |what: &str, how: &str| Err(format!("the {what} {NAME} {how}"));
    let (policy, bound) = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding");
    if binding.policy_name != NAME {
        return weak(bound, "binds another policy");
    }
    if !binding.validation_actions.iter().any(|action| action == "Deny") {
        return weak(bound, "denies nothing: its validationActions lack Deny");
    }
    if binding.match_resources.as_ref().is_some_and(narrows) {
        return weak(bound, "leaves something out by its matchResources");
    }
    if rule.failure_policy.as_deref().is_some_and(|policy| policy != "Fail") {
        return weak(policy, "lets pass what it cannot judge: its failurePolicy is not Fail");
    }
    if rule.match_conditions.iter().flatten().next().is_some() {
        return weak(policy, "leaves something out by its matchConditions");
    }
    if rule.param_kind.is_some() || binding.param_ref.is_some() {
        return weak(policy, "rests on parameters, which may be missing");
    }
    let constraints = rule.match_constraints.as_ref();
    let has = |all: &Option<Vec<String>>, one: &str| all.iter().flatten().any(|it| it == one || it == "*");
    let covers = |constraints: &MatchResources| {
        let mut rules = constraints.resource_rules.iter().flatten();
        !narrows(&MatchResources { resource_rules: None, ..constraints.clone() })
            && rules.any(|rule| {
                has(&rule.api_groups, crate::api::GROUP)
                    && has(&rule.api_versions, crate::api::VERSION)
                    && has(&rule.operations, "UPDATE")
                    && has(&rule.resources, "syncpolicies")
                    && rule.resource_names.iter().flatten().next().is_none()
                    && rule.scope.as_deref() != Some("Cluster")
            })
    };
    if !constraints.is_some_and(covers) {
        return weak(policy, "does not look at every change of a SyncPolicy");
    }
    // By way of variables: what each of them says is followed from the validations on.
    let variables: BTreeMap<&str, &str> =
        rule.variables.iter().flatten().map(|it| (it.name.as_str(), it.expression.as_str())).collect();
    let validations = rule.validations.iter().flatten();
    let said = validations.map(|it| unfold(&it.expression, &variables)).collect::<String>();
    let all = [crate::api::APPROVE, crate::api::APPROVED_BY, "request.userInfo.username", "'approve'"];
    if let Some(missing) = all.into_iter().find(|part| !said.contains(part)) {
        return weak(
            policy,
            &format!("does not check who approves: its validations do not speak of {missing}"),
        );
    }
    Ok(())
}

/// An expression, and behind it those of all variables that it rests on.
fn unfold(expression: &str, variables: &BTreeMap<&str, &str>) -> String {
    let mut said = expression.to_owned();
    let mut left = variables.clone();
    while let Some(name) = left.keys().find(|name| said.contains(&format!("variables.{name}"))).copied() {
        said.push_str(left.remove(name).unwrap_or_default());
    }
    said
}

/// Whether this leaves anything out.
fn narrows(matching: &MatchResources) -> bool {
    let selects = |selector: &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector| {
        selector.match_labels.iter().flatten().next().is_some()
            || selector.match_expressions.iter().flatten().next().is_some()
    };
    matching.exclude_resource_rules.iter().flatten().next().is_some()
        || matching.resource_rules.iter().flatten().next().is_some()
        || matching.namespace_selector.as_ref().is_some_and(selects)
        || matching.object_selector.as_ref().is_some_and(selects)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::Deserialize as _;
    use serde_json::{Value, json};

    use super::*;

    /// The rule and its binding as they are deployed, with a part of one of them another.
    fn deployed(kind: &str, path: &str, part: &Value) -> [Option<Value>; 2] {
        let text = include_str!("../../deploy/approval.yaml");
        let all: Vec<Value> = serde_yaml::Deserializer::from_str(text)
            .map(|one| Value::deserialize(one).unwrap())
            .filter(|one| one["metadata"]["name"] == NAME)
            .collect();
        let one = |wanted: &str| {
            let mut one = all.iter().find(|it| it["kind"] == wanted)?.clone();
            if wanted == kind {
                let (parent, key) = path.rsplit_once('/')?;
                one.pointer_mut(parent)?[key] = part.clone();
            }
            Some(one)
        };
        [one("ValidatingAdmissionPolicy"), one("ValidatingAdmissionPolicyBinding")]
    }

    fn judged([rule, binding]: [Option<Value>; 2]) -> Result<(), String> {
        let rule = rule.map(|it| serde_json::from_value(it).unwrap());
        let binding = binding.map(|it| serde_json::from_value(it).unwrap());
        judge(rule.as_ref(), binding.as_ref())
    }

    const RULE: &str = "ValidatingAdmissionPolicy";
    const BINDING: &str = "ValidatingAdmissionPolicyBinding";

    #[test]
    fn what_is_deployed_guards_approvals() {
        assert_eq!(judged(deployed("", "", &Value::Null)), Ok(()));
        let [rule, binding] = deployed("", "", &Value::Null);
        assert!(judged([None, binding]).unwrap_err().contains("no ValidatingAdmissionPolicy "));
        assert!(judged([rule, None]).unwrap_err().contains("no ValidatingAdmissionPolicyBinding"));
    }

    #[rstest]
    #[case::it_audits(BINDING, "/spec/validationActions", json!(["Audit", "Warn"]), "lack Deny")]
    #[case::of_another(BINDING, "/spec/policyName", json!("other"), "another policy")]
    #[case::it_ignores(RULE, "/spec/failurePolicy", json!("Ignore"), "failurePolicy")]
    #[case::only_new_ones(RULE, "/spec/matchConstraints/resourceRules/0/operations", json!(["CREATE"]), "every change")]
    #[case::of_others(RULE, "/spec/matchConstraints/resourceRules/0/resources", json!(["widgets"]), "every change")]
    #[case::of_some(
        RULE,
        "/spec/matchConstraints",
        json!({
            "resourceRules": [{
                "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["syncpolicies"]
            }],
            "namespaceSelector": { "matchLabels": { "guarded": "yes" } }
        }),
        "every change"
    )]
    #[case::by_parameters(BINDING, "/spec/paramRef", json!({ "name": "approvers" }), "rests on parameters")]
    #[case::for_some(BINDING, "/spec/matchResources", json!({ "objectSelector": { "matchLabels": { "a": "b" } } }), "matchResources")]
    #[case::on_condition(RULE, "/spec/matchConditions", json!([{ "name": "a", "expression": "false" }]), "matchConditions")]
    #[case::nothing(RULE, "/spec/validations", json!([{ "expression": "true" }]), "does not check who approves")]
    #[case::no_name(
        RULE,
        "/spec/validations",
        json!([{ "expression": "!variables.approves || variables.mayApprove" }]),
        "request.userInfo.username"
    )]
    fn whatever_lets_somebody_approve_unseen_is_no_guard(
        #[case] kind: &str,
        #[case] path: &str,
        #[case] part: Value,
        #[case] says: &str,
    ) {
        let why = judged(deployed(kind, path, &part)).unwrap_err();
        assert!(why.contains(says), "{why}");
    }
}
