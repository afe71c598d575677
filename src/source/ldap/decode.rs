//! From the wire to raw attributes (RFC 4511 section 4.5.2). ldap3's own decoder ends the process on a
//! DN that is not UTF-8 and sorts values by whether they happen to be text; this one does neither.

use ldap3::asn1::{PL, StructureTag};

use crate::source::schema::Attributes;

/// An entry as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) dn: String,
    /// Whether the DN is UTF-8; if not, `dn` is only for people to read.
    pub(super) dn_is_text: bool,
    pub(super) attributes: Attributes,
}

/// `None` if this is no entry.
pub(super) fn entry(tag: StructureTag) -> Option<Raw> {
    let mut parts = tag.expect_constructed()?.into_iter();
    let dn = parts.next()?.expect_primitive()?;
    let dn_is_text = std::str::from_utf8(&dn).is_ok();
    let dn = String::from_utf8_lossy(&dn).into_owned();
    let mut raw = Raw { dn, dn_is_text, attributes: Attributes::new() };
    for attribute in parts.next()?.expect_constructed()? {
        let mut parts = attribute.expect_constructed()?.into_iter();
        let description = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let values = parts.next()?.expect_constructed()?;
        let values = values.into_iter().map(StructureTag::expect_primitive).collect::<Option<Vec<_>>>()?;
        raw.attributes.add(&description, values);
    }
    Some(raw)
}

/// The urls of a search result reference.
pub(super) fn reference(tag: StructureTag) -> Vec<String> {
    let urls = tag.expect_constructed().unwrap_or_default().into_iter();
    urls.filter_map(|url| String::from_utf8(url.expect_primitive()?).ok()).collect()
}

/// The cookie of a paged results control (RFC 2696 section 2); empty at the end.
pub(super) fn cookie(value: &[u8]) -> Option<Vec<u8>> {
    let (_, tag) = ldap3::asn1::parse_tag(value).ok()?;
    match tag.payload {
        PL::C(parts) => parts.into_iter().nth(1)?.expect_primitive(),
        PL::P(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::TagClass;

    use super::*;

    fn text(text: &str) -> StructureTag {
        bytes(text.as_bytes())
    }

    fn bytes(bytes: &[u8]) -> StructureTag {
        StructureTag { class: TagClass::Universal, id: 4, payload: PL::P(bytes.to_vec()) }
    }

    fn list(tags: Vec<StructureTag>) -> StructureTag {
        StructureTag { class: TagClass::Universal, id: 16, payload: PL::C(tags) }
    }

    fn attribute(name: &str, values: &[&[u8]]) -> StructureTag {
        list(vec![text(name), list(values.iter().map(|value| bytes(value)).collect())])
    }

    #[test]
    fn names_lose_case_and_values_stay_bytes() {
        let attributes = list(vec![attribute("CN", &[b"\xff", b"Ada"]), attribute("sn", &[])]);
        let raw = entry(list(vec![text("cn=Ada"), attributes])).unwrap();
        assert_eq!(raw.attributes.values("cn").collect::<Vec<_>>(), [b"\xff".as_slice(), b"Ada"]);
        assert_eq!((raw.attributes.values("sn").count(), raw.attributes.has("sn")), (0, true));
    }

    #[test]
    fn a_part_of_the_values_is_seen_to_be_one() {
        let attributes = list(vec![attribute("member;range=0-1499", &[b"cn=a"])]);
        let raw = entry(list(vec![text("cn=g"), attributes])).unwrap();
        assert_eq!((raw.attributes.is_whole("member"), raw.attributes.values("member").count()), (false, 1));
    }

    #[test]
    fn an_entry_whose_dn_is_no_text_is_still_known_by_its_anchor() {
        let raw = entry(list(vec![bytes(b"cn=\xff"), list(vec![attribute("entryUUID", &[b"e"])])])).unwrap();
        assert_eq!((raw.dn_is_text, raw.attributes.values("entryuuid").count()), (false, 1));
    }

    #[test]
    fn what_is_no_entry_is_none() {
        assert_eq!(entry(text("cn=Ada")), None);
        assert_eq!(entry(list(vec![text("cn=Ada")])), None);
        assert_eq!(cookie(b"\x30\x05\x02\x01"), None);
        assert_eq!(cookie(b"\x30\x07\x02\x01\x00\x04\x02ab"), Some(b"ab".to_vec()));
    }
}
