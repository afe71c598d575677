//! The urls of servers. Pure.

/// Checks that a url leads to a server, and that nothing is sent unprotected unless that is wanted.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn check_url(url: &str, start_tls: bool, insecure: bool) -> Result<(), String> {
    let (secure, rest) = match (url.strip_prefix("ldaps://"), url.strip_prefix("ldap://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        (None, None) => return Err(format!("{url} must begin with ldaps:// or ldap://")),
    };
    let host_and_port = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match host_and_port.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host_and_port, None),
    };
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err(format!("{url} has no host; write it like ldaps://ldap.corp.example:636"));
    }
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err(format!("the port of {url} is not a number from 1 to 65535"));
    }
    if !secure && !start_tls && !insecure {
        return Err(format!(
            "{url} would send passwords and people's data unprotected; use ldaps://, or startTLS: true, or accept it with \
             insecure: true"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ldaps://dc1.corp.example", false, false, true)]
    #[case("ldaps://dc1.corp.example:636/", false, false, true)]
    #[case("ldaps://[::1]:1636", false, false, true)]
    #[case("ldaps://[::1]", false, false, true)]
    #[case("ldap://dc1.corp.example", true, false, true)]
    #[case("ldap://dc1.corp.example", false, true, true)]
    #[case("ldap://dc1.corp.example", false, false, false)]
    #[case("http://dc1.corp.example", false, true, false)]
    #[case("ldaps://", false, false, false)]
    #[case("ldaps://host:0", false, false, false)]
    #[case("ldaps://host:99999", false, false, false)]
    #[case("ldaps://host/dc=corp", false, false, false)]
    fn takes_urls_that_lead_to_a_server(
        #[case] url: &str,
        #[case] start_tls: bool,
        #[case] insecure: bool,
        #[case] fine: bool,
    ) {
        assert_eq!(check_url(url, start_tls, insecure).is_ok(), fine);
    }
}
