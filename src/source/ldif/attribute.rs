//! A line of an LDIF record: the name of an attribute and its value (RFC 2849).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::source::schema;

/// A line of a record.
pub(super) enum Stated {
    Value(Vec<u8>),
    /// It stands in another file.
    Elsewhere,
}

/// What is wrong with a line that holds what no text does.
pub(super) const CONTROL: &str = "it has control characters, so the text was damaged there";

/// Whether a line holds control characters: text has none but tabs and the breaks that word processors put into it.
pub(super) fn has_control(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t' && !BREAKS.contains(byte))
}

/// Breaks that word processors put into a text.
const BREAKS: [u8; 2] = [0x0b, 0x0c];

/// The names of lines behind breaks within a line.
pub(super) fn behind_breaks(text: &[u8]) -> impl Iterator<Item = String> {
    let parts = text.split(|byte| BREAKS.contains(byte)).skip(1);
    parts.filter_map(|part| Some(schema::name(&attribute(part).ok()?.0).into_owned()))
}

/// An attribute's name begins with a letter, or is an OID (RFC 4512, 1.4). Exporters write `_` too.
fn is_name(name: &[u8]) -> bool {
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let of_oid = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    match name.first() {
        Some(first) if first.is_ascii_alphabetic() || *first == b'_' => name.iter().all(valid),
        Some(first) => first.is_ascii_digit() && name.iter().all(of_oid),
        None => false,
    }
}

/// What stands right after the colon: hardly any exporter begins a value there.
pub(super) fn after_colon(text: &[u8]) -> Option<u8> {
    text.iter().skip_while(|byte| **byte != b':').nth(1).copied()
}

/// `name[;options]: value`, `name:: base64`. The name in lower case, with its options; or with what is wrong.
pub(super) fn attribute(text: &[u8]) -> Result<(String, Stated), (String, String)> {
    let colon = text.iter().position(|byte| *byte == b':');
    let (description, rest) = text.split_at(colon.unwrap_or(text.len()));
    let name = String::from_utf8_lossy(description).to_lowercase();
    let Some(rest) = rest.get(1..) else {
        if name == "-" {
            return Ok((name, Stated::Elsewhere));
        }
        let why = "it has no colon; if it belongs to the line before, a space is missing at its start";
        return Err((name, why.to_owned()));
    };
    let bare = name.split(';').next().unwrap_or_default();
    // A blank is in no name, and in no option: so the line came to this otherwise than by an exporter.
    if !is_name(bare.as_bytes()) || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        let shown: String = String::from_utf8_lossy(description).chars().take(40).collect();
        return Err((name, format!("{shown:?} is before the colon, and is not an attribute name")));
    }
    if let Some(encoded) = rest.strip_prefix(b":") {
        let value = STANDARD.decode(encoded.trim_ascii());
        return value.map_or_else(
            |_| Err((name.clone(), format!("the value of {name} is not valid base64"))),
            |value| Ok((name.clone(), Stated::Value(value))),
        );
    }
    if rest.starts_with(b"<") {
        return Ok((name, Stated::Elsewhere));
    }
    let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    Ok((name, Stated::Value(rest[start..].to_vec())))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("member", true)]
    #[case("first_name", true)]
    #[case("_type", true)]
    #[case("2.5.4.31", true)]
    #[case("x-500", true)]
    #[case("64mber", false)]
    #[case("-ember", false)]
    #[case(".5.4.31", false)]
    #[case("mem$er", false)]
    #[case("", false)]
    fn a_name_begins_with_a_letter_or_is_an_oid(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_name(name.as_bytes()), expected);
    }
}
