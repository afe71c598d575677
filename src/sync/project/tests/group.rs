//! Tests of what groups are called at the target.

use super::*;

impl Case {
    fn called_by(mut self, template: &str) -> Self {
        self.policy.groups.name = Some(Expression::compile(template, About::Group, Returns::Text).unwrap());
        self
    }

    /// The last group has these names.
    fn names(mut self, names: &[&str]) -> Self {
        let names = Stated::Values(names.iter().map(|name| (*name).to_owned()).collect());
        self.snapshot.entries.last_mut().unwrap().0.fields.insert(fields::NAME.to_owned(), names);
        self
    }

    /// Names of the groups that are kept.
    fn groups(&self) -> Vec<String> {
        let kept = |verdict: &SubjectState<Group>| match verdict {
            SubjectState::Keep(group) => Some(group.content.name().to_owned()),
            _ => None,
        };
        self.project().groups.values().filter_map(kept).collect()
    }
}

#[rstest]
#[case::before("'corp-' + group.name", "corp-Sales")]
#[case::after("group.name + ' (' + group.mail + ')'", "Sales ()")]
#[case::blanks("'  ' + group.name + ' '", "Sales")]
#[case::by_rule("group.name.startsWith('S') ? 'x' : group.name", "x")]
fn a_group_is_called_as_the_policy_says(#[case] template: &str, #[case] expected: &str) {
    let case = Case::new().group("Sales", &[]).called_by(template);
    assert_eq!(case.groups(), [expected]);
}

#[test]
fn patterns_are_about_the_name_in_the_directory() {
    let mut case = Case::new().group("Sales", &[]).group("IT", &[]).called_by("'corp-' + group.name");
    case.policy.groups.include = vec!["sa*".to_owned()];
    assert_eq!(case.groups(), ["corp-Sales"]);
}

#[test]
fn groups_that_get_one_name_wait() {
    let case = Case::new().group("Sales", &[]).group("IT", &[]).called_by("'corp'");
    assert_eq!(case.groups(), Vec::<String>::new());
    assert_eq!(case.quarantined(), [QuarantineReason::NameConflict, QuarantineReason::NameConflict]);
}

#[rstest]
#[case::empty("group.mail")]
#[case::blank("' '")]
#[case::two_lines("group.name + '\\n' + group.name")]
fn what_is_no_name_makes_an_exception(#[case] template: &str) {
    let case = Case::new().group("Sales", &[]).linked("Sales").called_by(template);
    assert_eq!(case.quarantined(), [QuarantineReason::ExpressionFailed]);
    assert!(matches!(case.project().groups[&SubjectId(1)], SubjectState::Frozen));
}

/// A group with two names, whose object is called after the second one, and then the expression is edited.
#[rstest]
#[case::from_none("Sales", "'corp-' + group.name", "corp-Sales")]
#[case::from_another("ad Sales", "'corp-' + group.name", "corp-Sales")]
#[case::from_one_that_fails_for_the_other(
    "Sales",
    "group.name == 'Vertrieb' ? string(int(group.name)) : group.name",
    "Sales"
)]
fn an_edit_keeps_the_name_that_was_meant(
    #[case] linked: &str,
    #[case] template: &str,
    #[case] expected: &str,
) {
    let mut case =
        Case::new().group("x", &[]).names(&["Vertrieb", "Sales"]).linked(linked).called_by(template);
    case.policy.groups.include = vec!["sales*".to_owned()];
    assert_eq!(case.groups(), [expected]);
}

/// Of several names of a group, which have no order, the one that names the object stays.
#[rstest]
#[case::first(&["Sales", "Vertrieb"])]
#[case::last(&["Ventes", "Vertrieb", "Sales"])]
fn another_order_of_names_renames_nothing(#[case] names: &[&str]) {
    let case =
        Case::new().group("x", &[]).names(names).linked("corp-Sales").called_by("'corp-' + group.name");
    assert_eq!(case.groups(), ["corp-Sales"]);
}
