//! Filters that are asked (RFC 7644 section 3.4.2.2): one comparison, because some services know no other. Pure.

use super::dialect::By;
use crate::directory::SubjectKind;

/// The attribute by which an object is looked up.
pub(super) fn attribute(kind: SubjectKind, by: By) -> &'static str {
    match (kind, by) {
        (_, By::Key) => "externalId",
        (SubjectKind::User, By::Name) => "userName",
        (SubjectKind::Group, By::Name) => "displayName",
        (_, By::Address) => "emails.value",
    }
}

/// `attribute eq "value"`.
pub(super) fn equals(attribute: &str, value: &str) -> String {
    format!("{attribute} eq {}", quoted(value))
}

/// A text as filters write it: as JSON does, with other characters as they are.
pub(super) fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// Whether services are known not to find such a value: then finding nothing is no proof.
pub(super) fn is_risky(value: &str) -> bool {
    !value.is_ascii() || value.contains(['"', '\\', '\'']) || value.contains(" eq ")
}

/// A text as part of a query; a blank is `%20`, because not everybody takes `+` for one.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.extend(
                [byte >> 4, byte & 0xf].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_leaves_the_quotes() {
        assert_eq!(equals("userName", r#"a" or "b"#), r#"userName eq "a\" or \"b""#);
        assert_eq!(quoted("\\\n"), r#""\\\n""#);
        assert_eq!(escaped("a b&c=+é"), "a%20b%26c%3D%2B%C3%A9");
    }

    #[test]
    fn some_values_prove_nothing_when_they_are_not_found() {
        for risky in ["O'Brien", "a\"b", "a\\b", "Sørensen", "x eq y"] {
            assert!(is_risky(risky), "{risky}");
        }
        assert!(!is_risky("ada.lovelace@corp.example"));
    }
}
