//! What is wrong with records, for people.

use crate::directory::Dn;

/// What is wrong with an entry of another directory.
pub(super) fn outside_of(base: &Dn) -> String {
    format!(
        "it is not within {base}, as all entries were so far; set directoryID: \"{base}\" to read it too, or export \
         without it"
    )
}

/// Why a member list beside which such an attribute stands is not the whole.
pub(super) fn may_be_members(name: &str) -> String {
    format!(
        "its attribute {name} may contain members under a damaged name: its members stay; export it again"
    )
}

/// Why a member list with such a value is not the whole.
pub(super) fn blank_member(name: &str) -> String {
    format!(
        "one value of its {name} is blank, as in hardly any other group, so a member may be missing there: its members stay; remove \
         that value, or export it again"
    )
}

/// Why no list is the whole.
pub(super) fn strayed(line: usize) -> String {
    format!(
        "the record at line {line} is not that of a group and lists members, as hardly any other does, so lines of a group may stand \
         there: the members of all groups stay; correct it, or export it again"
    )
}

/// What is wrong with the lists of POSIX groups while it is not known whose primary group is which.
pub(super) fn hides_primary(line: usize) -> String {
    format!(
        "the record at line {line} may be an account whose primary group is unknown (it shows no gidNumber that is a number, or it \
         was damaged), and that may be this group: its members stay; correct that record, or export it again"
    )
}

/// What is wrong with an entry without an id, where most have one or not.
pub(super) fn no_id(anchor: &str, is_usual: bool) -> String {
    if is_usual {
        return format!(
            "it has no {anchor}, which identifies it, and nearly all other records have one; {LOST}"
        );
    }
    format!(
        "it has no {anchor}, which identifies it; export that attribute too, or set anchorAttribute to one that every entry has"
    )
}

/// What to do about a record that cannot be read.
pub(super) const CORRECT: &str = "correct it, or export it again";

/// What is wrong with an entry of which a value that counts stands in another file.
pub(super) fn elsewhere(name: &str) -> String {
    format!(
        "a value of its {name} is in another file (`{name}:< …`), or is too large, so it is unknown; export the \
         values themselves: do not use -t of ldapsearch"
    )
}

/// What is wrong with the list of a POSIX group that does not show its number.
pub(super) const NO_NUMBER: &str = "it shows no gidNumber, so it is unknown whose primary group it is: its members stay; export \
                         that attribute too";

/// What is wrong with the list of a group of Active Directory that is somebody's primary one.
pub(super) const PRIMARY: &str = "it is the primary group of some accounts (primaryGroupID), which its member list does not \
                       show: its members stay; read the directory with a connector of the kind activeDirectory";

/// What is wrong with an account that is called as one that every domain has.
pub(super) const MAY_BE_BUILT_IN: &str = "it is called as an account that every domain has, and shows neither objectSid nor \
                               isCriticalSystemObject, so it is unknown whether it is that or a person's; export objectSid too";

/// What is wrong with a record at the end of a file.
pub(super) const UNENDED: &str = "the file ends within the record, or without the empty line that ends it, so attributes that it \
                       lacks are unknown; end the file with an empty line when it is complete";

/// What is wrong with a record that may go on after its end.
pub(super) const TORN: &str = "lines without a DN follow it, which may belong to it; export it again";

/// What is wrong with a record of which the filters cannot tell whether it is read.
pub(super) const UNCLEAR: &str = "an attribute that userFilter or groupFilter uses is unknown, so it is unknown whether the \
                       entry is in scope; export the attributes that the filters use, with all their values";

/// What is wrong with a record that lacks what others have.
pub(super) const LOST: &str =
    "lines may be missing there, or two records may have run together; export it again";

/// What is said of a record that was damaged so that others may be gone with what is missing.
pub(super) const MISSING: &str = "other records may have been in the text that is missing there, so entries that were missing \
                       when it first came are not removed";

/// What is said of a record that shows neither an id nor a DN.
pub(super) const ANYBODY: &str =
    "it may be any entry, so entries that were missing when it first came are not removed";

/// What is wrong with an alias that has the id of somebody.
pub(super) const ALIAS: &str = "it is an alias (objectClass alias) for an entry elsewhere; that entry is read where it is, so \
                     export that subtree too";
