//! What a target cannot do of what is planned. Pure.

use std::borrow::Cow;

use crate::directory::SubjectKind;
use crate::sync::plan::{Action, Planned};
use crate::target::{Capabilities, NameLimits};
use crate::words::{count, thousands};

/// Why a group does not come into a group.
pub(super) const NESTED: &str = "the target cannot hold a group in a group, so its members are not among the members of the outer group; use \
     groups.nesting: Flatten";

/// Why the target cannot do this at all, if so, and what to do about it.
pub(super) fn lacks(can: &Capabilities, step: &Planned) -> Option<Cow<'static, str>> {
    let Some(of) = can.of(step.kind) else {
        return (!matches!(step.action, Action::Unlink)).then_some(
            match step.kind {
                SubjectKind::User => "the target has no users",
                SubjectKind::Group => "the target has no groups; exclude them with groups.exclude: [\"*\"]",
            }
            .into(),
        );
    };
    let why = match &step.action {
        Action::Update { renames: true, .. } | Action::Release(_) if !of.rename => Some(
            "the target cannot rename an object; rename it there by hand, or delete it so that it is created anew",
        ),
        Action::Disable | Action::Enable if !can.disable => Some(
            "the target cannot disable a user; use a step that deletes in users.leavers, and users.disabled: Leave",
        ),
        Action::Delete if !of.delete => Some("the target deletes nothing; use a step that does not delete"),
        Action::Create(content) | Action::Update { content, renames: true, .. } => {
            return unfit(of.limits, step.kind, content.name()).map(Cow::Owned);
        }
        _ => None,
    };
    why.map(Cow::Borrowed)
}

/// Why the target takes no such name, as its vendor says.
fn unfit(limits: NameLimits, kind: SubjectKind, name: &str) -> Option<String> {
    let remedy = match kind {
        SubjectKind::User => "change it in the directory, or leave the user out with users.where",
        SubjectKind::Group => "change it with groups.name, or leave the group out with groups.exclude",
    };
    if limits.reserved.contains(&name) {
        return Some(format!("the target keeps the name {name} for itself; {remedy}"));
    }
    let length = name.chars().count();
    let longest = limits.longest.filter(|longest| length > *longest)?;
    let (has, takes) = (count(length as u64, "character", "characters"), thousands(longest as u64));
    Some(format!("the name has {has}, and the target takes {takes} at most; {remedy}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::*;
    use crate::directory::{Content, SubjectId, UserContent};
    use crate::sync::plan::Phase;
    use crate::target::{Names, OfKind, Rates};

    fn update(renames: bool) -> Action {
        let content = Arc::new(Content::User(UserContent::default()));
        Action::Update { content, renames, clears: Vec::new() }
    }

    #[rstest]
    #[case::a_new_name(update(true), Some("cannot rename"))]
    #[case::another_title(update(false), None)]
    #[case::disable(Action::Disable, Some("cannot disable"))]
    #[case::enable(Action::Enable, Some("cannot disable"))]
    #[case::delete(Action::Delete, Some("deletes nothing"))]
    #[case::unlink(Action::Unlink, None)]
    fn what_a_target_cannot_do_is_said(#[case] action: Action, #[case] says: Option<&str>) {
        let nothing = OfKind {
            rename: false,
            delete: false,
            holds_key: true,
            names: Names::Shared,
            limits: NameLimits::UNKNOWN,
        };
        let can = Capabilities {
            users: Some(nothing),
            groups: None,
            disable: false,
            nested_groups: false,
            addresses_are_accounts: false,
            members_readable: false,
            members_per_operation: 1,
            batch: 1,
            at_once: 1,
            rates: Rates::default(),
            shared: true,
        };
        let step = |kind| Planned::new(SubjectId(1), kind, Phase::Users, action.clone());
        let said = lacks(&can, &step(SubjectKind::User));
        assert_eq!(said.is_some(), says.is_some(), "{said:?}");
        assert!(says.is_none_or(|says| said.as_ref().is_some_and(|said| said.contains(says))), "{said:?}");
        let of_group = lacks(&can, &step(SubjectKind::Group));
        assert_eq!(of_group.is_none(), action == Action::Unlink);
        let all = OfKind { rename: true, delete: true, ..nothing };
        let able = Capabilities { users: Some(all), disable: true, ..can };
        assert_eq!(lacks(&able, &step(SubjectKind::User)), None);
    }

    #[rstest]
    #[case::as_long_as_may_be(SubjectKind::User, "ädä@x", None)]
    #[case::too_long(
        SubjectKind::User,
        "ada@xy",
        Some("the name has 6 characters, and the target takes 5 at most; change it in the directory")
    )]
    #[case::a_group(
        SubjectKind::Group,
        "a long name",
        Some("11 characters, and the target takes 5 at most; change it with groups.name")
    )]
    #[case::reserved(SubjectKind::Group, "root", Some("keeps the name root for itself"))]
    #[case::only_so_written(SubjectKind::Group, "Root", None)]
    fn a_name_that_the_vendor_rules_out_is_not_sent(
        #[case] kind: SubjectKind,
        #[case] name: &str,
        #[case] says: Option<&str>,
    ) {
        let limits = NameLimits { longest: Some(5), reserved: &["root"] };
        let said = unfit(limits, kind, name);
        assert_eq!(said.is_some(), says.is_some(), "{said:?}");
        assert!(says.is_none_or(|says| said.is_some_and(|said| said.contains(says))));
        assert_eq!(unfit(NameLimits::UNKNOWN, kind, name), None);
    }
}
