//! The attributes that list members, and what damage may have made of their names.

use super::near::{is_left_out, is_one_edit, is_put_in};
use crate::source::schema::{Attributes, name};

/// Attributes that list members.
pub(super) const MEMBERS: &[&str] = &["member", "uniquemember", "memberuid"];

/// Attributes of real directories whose names are like that of a member list.
const OTHERS: &[&str] = &[
    "excludedmember",
    "groupmember",
    "memberdenygroup",
    "memberhost",
    "membermanager",
    "membernisnetgroup",
    "memberof",
    "memberprincipal",
    "memberservice",
    "memberurl",
    "memberuser",
    "mgrprfc822mailmember",
    "rfc822mailmember",
];

/// The attribute whose name is one edit away from that of a member list, or is none that a server gives: what it holds may be
/// members.
pub(super) fn misspelled(attributes: &Attributes) -> Option<&str> {
    let is_near = |other: &&str| {
        let other = name(other);
        !MEMBERS.contains(&other.as_ref())
            && (MEMBERS.iter().any(|list| is_one_edit(list.as_bytes(), other.as_bytes()))
                || is_no_name(&other))
    };
    attributes.names().find(is_near)
}

/// Whether it is the name of a member list into which something was put, or of which something is missing.
pub(super) fn is_near(other: &str) -> bool {
    let is_known = MEMBERS.contains(&other) || OTHERS.contains(&other);
    !is_known && MEMBERS.iter().any(|list| is_put_in(list, other) || is_left_out(list, other))
}

/// Only OIDs have dots (RFC 4512, 1.4), though exporters may write others.
fn is_no_name(name: &str) -> bool {
    name.contains('.') && !name.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::replaced("mimber", true)]
    #[case::left_out("membe", true)]
    #[case::left_out_first("ember", true)]
    #[case::put_in("memeber", true)]
    #[case::put_in_last("memberr", true)]
    #[case::exchanged("memebr", true)]
    #[case::of_uids("memberuud", true)]
    #[case::of_unique_names("uniquemembr", true)]
    #[case::with_options("mimber;x-a", true)]
    #[case::itself("member", false)]
    #[case::another_list("memberuid", false)]
    #[case::back_link("memberof", false)]
    #[case::of_urls("memberurl", false)]
    #[case::two_edits("mimbr", false)]
    #[case::other("owner", false)]
    #[case::no_name("mem.yber", true)]
    #[case::oid("2.5.4.31", false)]
    fn a_name_that_is_one_edit_away_may_be_a_list(#[case] name: &str, #[case] expected: bool) {
        let mut attributes = Attributes::new();
        attributes.add(name, [b"x".to_vec()]);
        assert_eq!(misspelled(&attributes).is_some(), expected);
    }

    #[rstest]
    #[case::put_in("memberer00", true)]
    #[case::put_in_between("memxyzber", true)]
    #[case::put_in_first("cnmember", true)]
    #[case::left_out("memr", true)]
    #[case::of_unique_names("uniqber", true)]
    #[case::another_list("memberuid", false)]
    #[case::back_link("memberof", false)]
    #[case::of_a_real_directory("membermanager", false)]
    #[case::uid("uid", false)]
    #[case::other("manager", false)]
    fn a_name_with_something_put_in_or_left_out_may_be_a_list(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_near(name), expected);
    }
}
