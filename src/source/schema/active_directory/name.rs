//! Extended DNs with ids (MS-ADTS 3.1.1.3.4.1.5): `<GUID=…>;<SID=…>;CN=Ann,DC=corp,DC=example`. Pure.

use std::fmt::Write as _;

use crate::directory::{Anchor, Dn, Reference};
use crate::hex;

/// A name and the ids in front of it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::source) struct Extended<'a> {
    /// In hexadecimal digits, as the octets of `objectGUID`.
    pub(in crate::source) guid: Option<&'a str>,
    /// In hexadecimal digits.
    sid: Option<&'a str>,
    /// The name alone; empty if it is not shown.
    pub(in crate::source) dn: &'a str,
}

/// Below this stand those whom other forests know, each under its security id.
const FOREIGN: &str = ",cn=foreignsecurityprincipals,";

impl<'a> Extended<'a> {
    /// Of a name with or without ids.
    pub(in crate::source) fn of(text: &'a str) -> Self {
        let mut name = Self { guid: None, sid: None, dn: text };
        while let Some((id, rest)) = name.dn.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            match id.split_once('=') {
                Some(("GUID", guid)) => name.guid = Some(guid),
                Some(("SID", sid)) => name.sid = Some(sid),
                _ => {}
            }
            name.dn = rest.strip_prefix(';').unwrap_or(rest);
        }
        name
    }

    /// Whom it names: one from another forest by the security id, which is the same there.
    pub(in crate::source) fn reference(&self) -> Option<Reference> {
        if self.dn.to_lowercase().contains(FOREIGN)
            && let Some(sid) = self.sid.and_then(hex::decode).and_then(|octets| sid(&octets))
        {
            return Some(Reference::Sid(sid));
        }
        self.anchor().map(Reference::Anchor)
    }

    /// The id of the entry that it names.
    pub(in crate::source) fn anchor(&self) -> Option<Anchor> {
        self.guid.map(|guid| Anchor::new(guid.to_lowercase()))
    }
}

/// Whether this is the DN of an entry that was deleted (MS-ADTS 3.1.1.5.5): its name ends in a line break, `DEL:` and its id, and
/// it is below the container of deleted objects.
pub(in crate::source) fn is_of_deleted(dn: &str) -> bool {
    let dn = dn.to_lowercase();
    let is_marked = ["\\0adel:", "\ndel:"].iter().any(|mark| dn.contains(mark));
    is_marked
        && Dn::parse(&dn).is_ok_and(|dn| dn.ancestors().any(|place| place.starts_with("cn=deleted objects,")))
}

/// A security id as people write it (MS-DTYP 2.4.2): `S-1-5-21-…`.
pub(in crate::source) fn sid(octets: &[u8]) -> Option<String> {
    let (&[revision, count], rest) = octets.split_first_chunk::<2>()?;
    let (authority, subs) = rest.split_first_chunk::<6>()?;
    if subs.len() != usize::from(count) * 4 {
        return None;
    }
    let authority = authority.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let mut text = format!("S-{revision}-{authority}");
    for sub in subs.as_chunks::<4>().0 {
        write!(text, "-{}", u32::from_le_bytes(*sub)).ok()?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::escaped(r"CN=Ann Lee\0ADEL:7b1e0c01-5c3d-4e8a-9f10-2a6b3c4d0001,CN=Deleted Objects,DC=x", true)]
    #[case::in_small_letters(
        r"cn=a\0aDEL:7b1e0c01-5c3d-4e8a-9f10-2a6b3c4d0001,cn=deleted objects,dc=x",
        true
    )]
    #[case::as_it_is(
        "CN=a\nDEL:7b1e0c01-5c3d-4e8a-9f10-2a6b3c4d0001,CN=Deleted Objects,CN=Configuration,DC=x",
        true
    )]
    #[case::a_conflict(r"CN=a\0ACNF:7b1e0c01-5c3d-4e8a-9f10-2a6b3c4d0001,OU=p,DC=x", false)]
    #[case::elsewhere(r"CN=a\0ADEL:7b1e0c01-5c3d-4e8a-9f10-2a6b3c4d0001,OU=p,DC=x", false)]
    #[case::the_container("CN=Deleted Objects,DC=x", false)]
    #[case::called_so("CN=Del: Ann,CN=Deleted Objects,DC=x", false)]
    #[case::none("adel:", false)]
    fn a_name_says_that_an_entry_was_deleted(#[case] dn: &str, #[case] deleted: bool) {
        assert_eq!(is_of_deleted(dn), deleted);
    }

    #[test]
    fn parts_a_name_from_its_ids() {
        let text = "<GUID=4512AC4e386f114abdbf82af381af98e>;<SID=0101000000000005120000>;CN=A\\>;<b,DC=x";
        let name = Extended::of(text);
        assert_eq!((name.guid, name.dn), (Some("4512AC4e386f114abdbf82af381af98e"), "CN=A\\>;<b,DC=x"));
        let anchor = Anchor::new("4512ac4e386f114abdbf82af381af98e");
        assert_eq!(name.reference(), Some(Reference::Anchor(anchor)));
        assert_eq!(Extended::of("CN=A,DC=x"), Extended { guid: None, sid: None, dn: "CN=A,DC=x" });
        assert_eq!(Extended::of("<GUID=00>").dn, "");
    }

    #[test]
    fn one_from_another_forest_is_known_by_the_security_id() {
        let text = "<GUID=8eeb307e018a0147a7e2d18b75a53b80>;<SID=010100000000000511000000>;\
                    CN=S-1-5-17,CN=ForeignSecurityPrincipals,DC=ad,DC=example";
        assert_eq!(Extended::of(text).reference(), Some(Reference::Sid("S-1-5-17".to_owned())));
    }

    #[test]
    fn a_security_id_that_is_none_has_no_text() {
        let domain = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
        assert_eq!(sid(&domain).as_deref(), Some("S-1-5-32-544"));
        assert_eq!(sid(&domain[..14]), None);
        assert_eq!(sid(b"\x01"), None);
    }
}
