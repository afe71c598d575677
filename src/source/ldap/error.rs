//! Messages for errors of servers and connections. They never contain a password.

use std::io;

use super::refusal;
use super::wire::{Failed, LdapResult};
use crate::net::tls;
use crate::source::{Reason, SourceError};
use crate::words::count;

/// What to say of a password that was written with `echo`.
pub(super) const LINE_END: &str = "the password in the Secret that credentialsSecretRef names ends in a line break, which \
                                   is left out: give it to kubectl by --from-literal, or write its file with `printf %s`, \
                                   not `echo`";

/// An error for a connection that failed. `name` is the expected host name of the certificate.
pub(super) fn connecting(url: &str, name: &str, failed: &Failed) -> SourceError {
    match failed {
        Failed::Io(error) => connecting_io(url, name, error),
        Failed::Ended(None) => connecting_io(url, name, &io::ErrorKind::UnexpectedEof.into()),
        Failed::Ended(Some(_)) | Failed::Silent | Failed::NoRoom | Failed::Filter(_) => {
            unreachable(url, "it closed the connection while it was being set up")
        }
        Failed::Refused(what) => refused(url, what, 0),
    }
}

/// A server that does not do StartTLS.
pub(super) fn no_start_tls(url: &str, result: &LdapResult) -> SourceError {
    tls_failed(url, &format!("the server does not support StartTLS ({}); use ldaps://", code(result)))
}

pub(super) fn connecting_io(url: &str, name: &str, error: &io::Error) -> SourceError {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return tls_failed(url, &tls::explain(error, name));
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            unreachable(url, "the connection was refused; check the port, and that the server runs")
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            let why = "the server closed the connection while it was being set up; check that the port fits the URL \
                       (ldaps:// is 636, ldap:// is 389)";
            tls_failed(url, why)
        }
        io::ErrorKind::InvalidData => {
            tls_failed(url, "the server on that port does not speak TLS; check the port")
        }
        _ => unreachable(url, &error.to_string()),
    }
}

pub(super) fn unreachable(url: &str, why: &str) -> SourceError {
    SourceError::new(Reason::Unreachable, format!("{url} cannot be reached: {why}"))
}

pub(super) fn tls_failed(url: &str, why: &str) -> SourceError {
    SourceError::new(Reason::TlsFailed, format!("no secure connection to {url}: {why}"))
}

/// A bind that the server refused.
pub(super) fn binding(url: &str, dn: Option<&str>, result: &LdapResult) -> SourceError {
    let who = dn.map_or_else(|| "an anonymous reader".to_owned(), |dn| format!("{dn:?}"));
    let (reason, why) = match (result.code, dn) {
        (49, _) if let Some(why) = refusal::active_directory(&result.text) => {
            (Reason::AuthenticationFailed, why)
        }
        (8 | 13, _) => (
            Reason::AuthenticationFailed,
            "it takes no password on this connection; use ldaps:// or startTLS: true",
        ),
        (49, Some(_)) => (
            Reason::AuthenticationFailed,
            "wrong name or password; correct the Secret that credentialsSecretRef names",
        ),
        (48 | 49 | 53, None) => {
            (Reason::AuthenticationFailed, "it requires a login; set credentialsSecretRef")
        }
        (51 | 52, _) => (Reason::Unreachable, "it is busy or shutting down"),
        _ => (
            Reason::AuthenticationFailed,
            "check the account, and the Secret that credentialsSecretRef names",
        ),
    };
    SourceError::new(reason, format!("{url} refused {who}: {why} ({})", code(result)))
}

/// What a server says to a login, unless that repeats the password.
pub(super) fn without(password: &str, said: String) -> String {
    if said.to_lowercase().contains(&password.to_lowercase()) {
        return "its message repeats the password, and is not shown".to_owned();
    }
    said
}

/// A search that ended with something other than success, after `came` entries.
pub(super) fn searching(base: &str, result: &LdapResult, came: u64) -> SourceError {
    let so_far = so_far(came);
    let code = code(result);
    let (reason, message) = match result.code {
        32 => {
            let nearest = if result.matched.is_empty() {
                String::new()
            } else {
                format!("; the nearest existing entry is {}", result.matched)
            };
            let why = format!(
                "there is no {base} on the server, or the account may not see it{nearest}; correct baseDNs"
            );
            (Reason::NotFound, format!("{why} ({code})"))
        }
        34 => {
            (Reason::NotFound, format!("the server does not accept {base} as a DN; correct baseDNs ({code})"))
        }
        10 => {
            let elsewhere = result.referrals.join(", ");
            let why = format!(
                "the server says that {base} is on another server: {elsewhere}; name that server in urls"
            );
            (Reason::NotFound, why)
        }
        3 | 4 | 11 => {
            let why = format!(
                "the server ended the read below {base} at one of its limits; raise the size, time and page limits of this \
                 account, or set a smaller pageSize ({code}); {so_far}"
            );
            (Reason::LimitExceeded, why)
        }
        8 | 13 => {
            let why =
                format!("the server wants a secure connection; use ldaps:// or startTLS: true ({code})");
            (Reason::AccessDenied, why)
        }
        50 | 53 | 1 if result.code != 1 || result.text.to_lowercase().contains("bind") => {
            let why =
                format!("the account may not read below {base}; give it that permission ({code}); {so_far}");
            (Reason::AccessDenied, why)
        }
        51 | 52 => (Reason::Unreachable, format!("the server is busy or shutting down ({code}); {so_far}")),
        _ => (Reason::Interrupted, format!("the server ended the read below {base} ({code}); {so_far}")),
    };
    SourceError::new(reason, message)
}

/// A connection that was lost, after `came` entries.
pub(super) fn lost(url: &str, failed: &Failed, came: u64) -> SourceError {
    let what = match failed {
        Failed::Silent => "did not answer for a minute".to_owned(),
        Failed::Io(error) => format!("was lost ({error})"),
        Failed::Ended(None) => "was lost".to_owned(),
        Failed::Ended(Some(notice)) => format!("was closed by the server ({})", code(notice)),
        Failed::Refused(what) => return refused(url, what, came),
        Failed::NoRoom => {
            let message = format!(
                "large messages of other connections took all the room for such messages for too long, so the \
                 connection to {url} was closed; {}",
                so_far(came)
            );
            return SourceError::new(Reason::Interrupted, message);
        }
        Failed::Filter(filter) => {
            let message = format!("{filter} is not an LDAP filter (RFC 4515); nothing was read");
            return SourceError::new(Reason::InvalidData, message);
        }
    };
    let message = format!("the connection to {url} {what}; {}", so_far(came));
    SourceError::new(Reason::Interrupted, message)
}

/// A server that sent what is not taken of any.
fn refused(url: &str, what: &str, came: u64) -> SourceError {
    let message = format!(
        "{url} sent {what}, so the connection was closed; check that the URL names an LDAP server; {}",
        so_far(came)
    );
    SourceError::new(Reason::InvalidData, message)
}

/// How far a read came that ended early.
fn so_far(came: u64) -> String {
    let came = count(came, "entry had come", "entries had come");
    format!("{came}, and nothing of this read was used")
}

/// The result code with its name (RFC 4511 section 4.1.9) and what the server adds.
fn code(result: &LdapResult) -> String {
    let name = match result.code {
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        80 => "other",
        _ => "LDAP result",
    };
    let text = result.text.trim();
    if text.is_empty() {
        format!("{name}, {}", result.code)
    } else {
        format!("{name}, {}: {text}", result.code)
    }
}
