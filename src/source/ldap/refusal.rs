//! The reason why Active Directory refuses a login: the result code is always the same (49, invalidCredentials), and
//! the reason is in the text as `data 52e`.

/// What to do about it, by the number of the Windows error.
const REFUSALS: &[(&str, &str)] = &[
    (
        "525",
        "it knows no such account; correct the username in the Secret that credentialsSecretRef names (name@domain, \
         DOMAIN\\name or a DN)",
    ),
    ("52e", "wrong name or password; correct the Secret that credentialsSecretRef names"),
    (
        "530",
        "the account may not log on at this time; change its logon hours, which a service account should not have",
    ),
    ("531", "the account may not log on from this machine; change the workstations that it may log on to"),
    (
        "532",
        "the account's password has expired; set a new one, put it into the Secret, and set the account's password to \
         never expire",
    ),
    ("533", "the account is disabled; enable it"),
    ("701", "the account has expired; set a later accountExpires, or none"),
    (
        "773",
        "the account must change its password before it may log on; clear \"User must change password at next logon\"",
    ),
    (
        "775",
        "the account is locked after too many wrong passwords; correct the Secret first, then unlock the account",
    ),
];

/// What is wrong and the remedy, if the text is a domain controller's.
pub(super) fn active_directory(text: &str) -> Option<&'static str> {
    let (_, data) = text.split_once(", data ")?;
    let number = data.split([',', ' ']).next()?;
    REFUSALS.iter().find(|(known, _)| known.eq_ignore_ascii_case(number)).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1",
        Some("wrong name or")
    )]
    #[case(
        "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 775, v2580\0",
        Some("locked")
    )]
    #[case("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 999, v2580", None)]
    #[case("Invalid credentials", None)]
    fn tells_what_the_number_means(#[case] text: &str, #[case] part: Option<&str>) {
        let found = active_directory(text);
        assert_eq!(found.is_some(), part.is_some());
        assert!(found.unwrap_or_default().contains(part.unwrap_or_default()));
    }
}
