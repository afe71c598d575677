//! The attributes that never change, and what their values are as anchors.

use super::attributes::is_said;
use crate::directory::Anchor;
use crate::source::KnownBy;

pub(in crate::source) use crate::hex::encode as hexadecimal;

/// Immutable ids that servers offer, in the order in which they are tried.
pub const ANCHORS: &[&str] = &["entryUUID", "nsUniqueId", "ipaUniqueID", "objectGUID"];

/// Further immutable ids that servers give: eDirectory, IBM, Oracle, Domino.
const FURTHER: &[&str] = &["GUID", "ibm-entryUuid", "orclGuid", "dominoUNID"];

/// Whether servers give this id.
fn is_given(attribute: &str) -> bool {
    ANCHORS.iter().chain(FURTHER).any(|name| name.eq_ignore_ascii_case(attribute))
}

/// What it costs that entries are identified by this attribute; nothing if the server itself gave it.
pub(in crate::source) fn cost(attribute: &str) -> Option<String> {
    (!is_given(attribute) && !attribute.eq_ignore_ascii_case("dn")).then(|| {
        format!(
            "entries are identified by {attribute} (anchorAttribute), which people give: whoever gets another value there counts as \
             a new entry, and whoever gets a value that was somebody else's counts as them"
        )
    })
}

/// The anchor that a value of this attribute is, in one spelling: a UUID's letter case means nothing, and what is no text is
/// written in hexadecimal digits. (A binary id can happen to be valid UTF-8, so length decides for 16 octets.) `None` of one
/// that says nothing, and of one that servers give and that has the form of none.
pub fn anchor(attribute: &str, value: &[u8]) -> Option<Anchor> {
    let text = std::str::from_utf8(value).ok().map(str::trim).filter(|text| !text.contains(char::is_control));
    // Blanks around what people gave are not part of it. Octets that a server gave may look like blanks.
    let value = text.filter(|_| !is_given(attribute)).map_or(value, str::as_bytes);
    match text.filter(|_| value.len() != 16) {
        _ if !is_said(value) => None,
        Some(text) => Some(Anchor::new(plain(attribute, &text.to_lowercase()))),
        None if value.len() == 16 || !ANCHORS.iter().any(|name| name.eq_ignore_ascii_case(attribute)) => {
            Some(Anchor::new(hexadecimal(value)))
        }
        None => None,
    }
}

/// An id as servers write it, of what tools make of it: `urn:uuid:…`, in quotes, and octets as `\02\a4…`, `0x02a4…`, `X'02a4…'`,
/// `02:a4:…` or `02 a4 …`. One of 389 Directory Server has four parts (`nsUniqueId`), however it is written.
fn plain(attribute: &str, text: &str) -> String {
    let octets = |separator: char| {
        let parts: Vec<&str> = text.split(separator).collect();
        let parts = parts.strip_prefix(&[""]).unwrap_or(&parts);
        let is_octet = |part: &&str| part.len() == 2 && is_digits(part);
        (parts.len() == 16 && parts.iter().all(is_octet)).then(|| parts.concat())
    };
    let wrapped = || {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("x'")?.strip_suffix('\''));
        digits.filter(|digits| digits.len() == 32 && is_digits(digits)).map(str::to_owned)
    };
    if let Some(digits) = ['\\', ':', ' '].into_iter().find_map(octets).or_else(wrapped) {
        return digits;
    }
    let text = text.trim_matches('"');
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    if attribute.eq_ignore_ascii_case("nsUniqueId") {
        let digits: String = text.chars().filter(|sign| *sign != '-').collect();
        if digits.len() == 32 && is_digits(&digits) {
            return [&digits[..8], &digits[8..16], &digits[16..24], &digits[24..]].join("-");
        }
    }
    text.to_owned()
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a value is an id of the form in which servers write that attribute.
pub(in crate::source) fn is_formed(attribute: &str, value: &[u8]) -> bool {
    if value.len() == 16 {
        // The text of an id that was cut is none. Active Directory alone gives octets, whatever they are.
        let is_text = value.iter().all(|byte| byte.is_ascii_hexdigit() || b"-{".contains(byte));
        let is_cut = value.contains(&b'-') || !attribute.eq_ignore_ascii_case("objectGUID");
        return !(is_text && is_cut);
    }
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let text = plain(attribute, &text.trim().to_lowercase());
    let text = text.as_str();
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let parts: &[usize] =
        if attribute.eq_ignore_ascii_case("nsUniqueId") { &[8; 4] } else { &[8, 4, 4, 4, 12] };
    // Some exporters leave the hyphens out.
    if text.len() == 32 && is_digits(text) {
        return true;
    }
    text.split('-').map(|part| if is_digits(part) { part.len() } else { 0 }).eq(parts.iter().copied())
}

/// The attribute by which the entries of the last read are known.
pub(in crate::source) fn pinned(known_by: Option<&KnownBy>) -> Option<String> {
    let KnownBy { id, scope, .. } = known_by?;
    let spelled = |id: &str| ANCHORS.iter().find(|name| name.eq_ignore_ascii_case(id)).copied();
    if let Some(id) = id {
        return Some(spelled(id).unwrap_or(id).to_owned());
    }
    // As it stood at the end of the scope before it was kept.
    let last = scope.rsplit("\n\n").next().unwrap_or_default();
    spelled(last.strip_prefix("ldif anchor=").unwrap_or(last)).map(str::to_owned)
}

/// What is wrong with an entry whose id is none.
pub(in crate::source) fn no_id(attribute: &str) -> String {
    format!(
        "its {attribute} does not identify it: it is blank, or has the wrong form; correct it in the directory, or \
         set anchorAttribute to one that every entry has"
    )
}

/// The message for an entry that does not show the id attribute.
pub(super) fn without_id(attribute: &str) -> String {
    format!(
        "it has no {attribute}, which identifies it; allow the account to read that attribute, or set anchorAttribute \
         to one that every entry has"
    )
}

/// Hexadecimal digits as a filter spells octets.
pub(in crate::source) fn octets(digits: &str) -> String {
    let pairs = digits.as_bytes().chunks(2);
    let octets: Vec<u8> = pairs.flat_map(|pair| b"\\".iter().chain(pair)).copied().collect();
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("entryUUID", false)]
    #[case("NSUNIQUEID", false)]
    #[case("dominoUNID", false)]
    #[case("guid", false)]
    #[case("employeeNumber", true)]
    #[case("uid", true)]
    fn an_id_that_people_give_costs_something(#[case] attribute: &str, #[case] costs: bool) {
        assert_eq!(cost(attribute).is_some(), costs);
    }

    /// What tools make of an id is the id.
    #[rstest]
    #[case::octets_escaped(
        "objectGUID",
        r"\01\02\03\04\05\06\07\08\09\0A\0b\0c\0d\0e\0f\10",
        "0102030405060708090a0b0c0d0e0f10"
    )]
    #[case::octets_with_colons(
        "objectGUID",
        "01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10",
        "0102030405060708090a0b0c0d0e0f10"
    )]
    #[case::octets_with_blanks(
        "GUID",
        "01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10",
        "0102030405060708090a0b0c0d0e0f10"
    )]
    #[case::of_c("objectGUID", "0x0102030405060708090A0b0c0d0e0f10", "0102030405060708090a0b0c0d0e0f10")]
    #[case::of_sql("objectGUID", "X'0102030405060708090a0b0c0d0e0f10'", "0102030405060708090a0b0c0d0e0f10")]
    #[case::urn(
        "entryUUID",
        "urn:uuid:5B0E7E9C-1f2d-4c3b-9a8b-000000000001",
        "5b0e7e9c-1f2d-4c3b-9a8b-000000000001"
    )]
    #[case::quoted(
        "entryUUID",
        "\"5b0e7e9c-1f2d-4c3b-9a8b-000000000001\"",
        "5b0e7e9c-1f2d-4c3b-9a8b-000000000001"
    )]
    #[case::without_hyphens(
        "nsUniqueId",
        "664460011dd211b28d5ec2c500900100",
        "66446001-1dd211b2-8d5ec2c5-00900100"
    )]
    #[case::as_a_uuid(
        "nsUniqueId",
        "66446001-1dd2-11b2-8d5e-c2c500900100",
        "66446001-1dd211b2-8d5ec2c5-00900100"
    )]
    #[case::tab(
        "entryUUID",
        "5b0e7e9c-1f2d-4c3b-9a8b-000000000001\t",
        "5b0e7e9c-1f2d-4c3b-9a8b-000000000001"
    )]
    #[case::line_break(
        "nsUniqueId",
        "\t66446001-1dd211b2-8d5ec2c5-00900100\r\n",
        "66446001-1dd211b2-8d5ec2c5-00900100"
    )]
    #[case::of_a_company_and_tab("employeeNumber", "12\t", "12")]
    #[case::of_16_signs_with_a_blank("employeeNumber", "123456789012345 ", "123456789012345")]
    #[case::of_16_signs("employeeNumber", "1234567890123456", "31323334353637383930313233343536")]
    #[case::of_17_signs_with_a_blank(
        "employeeNumber",
        "1234567890123456 ",
        "31323334353637383930313233343536"
    )]
    #[case::of_a_company("employeeNumber", "12 34", "12 34")]
    #[case::of_a_company_with_colons("employeeNumber", "0x12", "0x12")]
    fn an_id_has_one_spelling(#[case] attribute: &str, #[case] value: &str, #[case] expected: &str) {
        assert_eq!(anchor(attribute, value.as_bytes()), Some(Anchor::new(expected)));
        assert!(
            attribute == "employeeNumber" || attribute == "GUID" || is_formed(attribute, value.as_bytes())
        );
    }
}
