//! Distinguished names (RFC 4514), compared by the rules that matter: letter case and runs of spaces
//! mean nothing, escapes are spelling, and the parts of a multi-valued RDN have no order.
//!
//! The habits of RFC 1779 and 2253 are read too (`;` between RDNs, quoted values, spaces around
//! separators), because group members are often typed by hand.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::attribute_type::{SHORT, attribute_type};
use crate::hex;

/// A distinguished name in one spelling: two DNs that name the same entry compare equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dn(String);

/// A text that is not a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a distinguished name: {why}")]
pub struct DnError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Dn {
    /// The maximum length of a DN in bytes: several times what any server stores.
    pub const LONGEST: usize = 16 << 10;
    /// RDNs of a DN at most.
    pub const DEEPEST: usize = 250;

    /// Reads a DN in any spelling that RFC 4514, 2253 or 1779 allows. The empty text is the root.
    ///
    /// # Errors
    /// When the text is no DN by RFC 4514.
    pub fn parse(text: &str) -> Result<Self, DnError> {
        if let Some(normal) = plain(text) {
            return Ok(Self(normal));
        }
        let dn = if text.len() > Self::LONGEST {
            Err("it is longer than 16384 bytes")
        } else {
            let mut parser = Parser { rest: text };
            // As it is kept it may be longer than it was spelt, and is read again.
            parser.dn().and_then(|normal| match normal.len() {
                0..=Self::LONGEST => Ok(normal),
                _ => Err("it is longer than 16384 bytes including the escapes of bytes that are not text"),
            })
        };
        // Enough of it to know it again.
        dn.map(Self).map_err(|why| DnError { text: text.chars().take(256).collect(), why })
    }

    /// The normalised spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `base` or below it.
    pub fn is_within(&self, base: &Self) -> bool {
        lies_within(&self.0, &base.0)
    }

    /// What it is below, from the nearest on; not the root.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::successors(Some(parent(&self.0)), |dn| Some(parent(dn))).take_while(|dn| !dn.is_empty())
    }

    /// Its first part (RDN), in normal form.
    fn first(&self) -> &str {
        self.0.split(',').next().unwrap_or_default()
    }

    /// The attribute types that it starts with.
    pub fn first_types(&self) -> Vec<&str> {
        self.first().split('+').filter_map(|one| Some(one.split_once('=')?.0)).collect()
    }

    /// The values, in normal form, that its first part has of this attribute (by its short name, in lower case).
    pub fn first_values(&self, attribute: &str) -> impl Iterator<Item = String> {
        let values = self.first().split('+').filter_map(|one| one.split_once('='));
        values.filter(move |(kind, _)| *kind == attribute).filter_map(|(_, value)| unescaped(value))
    }

    /// The longest DN that both are within.
    #[must_use]
    pub fn common_suffix(&self, other: &Self) -> Self {
        let mut common = self.0.as_str();
        while !lies_within(&other.0, common) {
            common = parent(common);
        }
        Self(common.to_owned())
    }

    /// The top of its tree: its last parts that are of a domain (`dc=corp,dc=example`), else its last part (`o=corp`).
    pub fn top(&self) -> &str {
        let all = std::iter::once(self.as_str()).chain(self.ancestors());
        let is_of_domain = |dn: &&str| dn.split(',').all(|rdn| rdn.starts_with("dc=") && !rdn.contains('+'));
        all.clone().find(is_of_domain).or_else(|| all.last()).unwrap_or_default()
    }

    /// Whether this value of this attribute is in its first part. The attribute by its short name, in lower case.
    pub fn is_named_by(&self, attribute: &str, value: &str) -> bool {
        let values = self.first().split('+').filter_map(|one| one.split_once('='));
        values.filter(|(kind, _)| *kind == attribute).any(|(_, one)| one == normal_value(value.as_bytes()))
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a normalised DN is `base` or below it.
fn lies_within(dn: &str, base: &str) -> bool {
    base.is_empty() || dn.strip_suffix(base).is_some_and(|before| before.is_empty() || before.ends_with(','))
}

/// A normalised DN without its first RDN; separators within values are escaped as hex pairs.
fn parent(dn: &str) -> &str {
    dn.split_once(',').map_or("", |(_, parent)| parent)
}

/// The normal form of a DN that needs no parsing, which is nearly every DN: a million are read in
/// one import.
fn plain(text: &str) -> Option<String> {
    if text.len() > Dn::LONGEST {
        return None;
    }
    let mut parts = 1;
    let mut seen_equals = false;
    let mut previous = b',';
    let mut start = 0;
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        let separator = matches!(previous, b',' | b'=');
        match byte {
            // A longer type may have a shorter name.
            b'=' if at - start > SHORT => return None,
            b'=' if !seen_equals && !separator && previous != b' ' => seen_equals = true,
            b',' if seen_equals && previous != b'=' && previous != b' ' => {
                seen_equals = false;
                start = at + 1;
                parts += 1;
            }
            b' ' if separator || previous == b' ' || !seen_equals => return None,
            b' ' | b'-' | b'.' | b'@' | b'_' | b'\'' | b'/' | b':' | b'(' | b')' | b'&' => {}
            _ if byte.is_ascii_alphanumeric() => {}
            _ => return None,
        }
        previous = byte;
    }
    let whole = seen_equals && !matches!(previous, b'=' | b' ') && parts <= Dn::DEEPEST;
    whole.then(|| text.to_ascii_lowercase())
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn dn(&mut self) -> Result<String, &'static str> {
        let mut normal = String::with_capacity(self.rest.len());
        self.spaces();
        if self.rest.is_empty() {
            return Ok(normal);
        }
        for _ in 0..Dn::DEEPEST {
            let mut avas = vec![self.ava()?];
            while self.take('+') {
                avas.push(self.ava()?);
            }
            avas.sort_unstable();
            normal.push_str(&avas.join("+"));
            if self.rest.is_empty() {
                return Ok(normal);
            }
            if !self.take(',') && !self.take(';') {
                return Err("there is something other than a comma between two of its parts");
            }
            normal.push(',');
        }
        Err("it has more than 250 parts")
    }

    /// `type=value`, normalised.
    fn ava(&mut self) -> Result<String, &'static str> {
        self.spaces();
        let end = self.rest.find(['=', ',', '+', ';', '"']).ok_or("a part of it has no `=`")?;
        let (kind, rest) = self.rest.split_at(end);
        let Some(rest) = rest.strip_prefix('=') else { return Err("a part of it has no `=`") };
        self.rest = rest;
        let kind = kind.trim_end().to_ascii_lowercase();
        let kind = match kind.strip_prefix("oid.").unwrap_or(&kind) {
            "streetaddress" | "2.5.4.9" => "street",
            kind => attribute_type(kind),
        };
        if kind.is_empty()
            || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        {
            return Err("a part of it has no valid attribute type before the `=`");
        }
        self.spaces();
        let value = match self.rest.chars().next() {
            Some('#') => self.hexadecimal()?,
            Some('"') => self.quoted()?,
            _ => self.unquoted()?,
        };
        self.spaces();
        Ok([kind, "=", &normal_value(&value)].concat())
    }

    /// `#04024869`: the BER encoding of a string; its content is what is compared.
    fn hexadecimal(&mut self) -> Result<Vec<u8>, &'static str> {
        let rest = &self.rest[1..];
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let ber = hex::decode(&rest[..end]).ok_or("a value after `#` is not pairs of hexadecimal digits")?;
        self.rest = &rest[end..];
        let (content_at, length) = match ber.get(1) {
            Some(&short) if short < 0x80 => (2, usize::from(short)),
            Some(0x81) => (3, ber.get(2).copied().map_or(0, usize::from)),
            Some(0x82) => (4, ber.get(2..4).map_or(0, |two| usize::from(two[0]) << 8 | usize::from(two[1]))),
            _ => return Err("a value after `#` is not a BER-encoded string"),
        };
        ber.get(content_at..content_at + length)
            .filter(|content| content_at + content.len() == ber.len())
            .map(<[u8]>::to_vec)
            .ok_or("a value after `#` is not a BER-encoded string")
    }

    fn quoted(&mut self) -> Result<Vec<u8>, &'static str> {
        self.rest = &self.rest[1..];
        let mut value = Vec::new();
        loop {
            match self.next().ok_or("a quoted value does not end")? {
                '"' => return Ok(value),
                '\\' => self.escape(&mut value)?,
                c => push(&mut value, c),
            }
        }
    }

    fn unquoted(&mut self) -> Result<Vec<u8>, &'static str> {
        let mut value = Vec::new();
        // Unescaped spaces at the end are not part of the value.
        let mut end = 0;
        while let Some(c) = self.rest.chars().next() {
            match c {
                ',' | ';' | '+' => break,
                '"' => return Err("a quote within a value is not escaped"),
                '\\' => {
                    self.next();
                    self.escape(&mut value)?;
                    end = value.len();
                }
                _ => {
                    self.next();
                    push(&mut value, c);
                    if c != ' ' {
                        end = value.len();
                    }
                }
            }
        }
        value.truncate(end);
        Ok(value)
    }

    /// After a backslash: two hexadecimal digits, or the character itself.
    fn escape(&mut self, value: &mut Vec<u8>) -> Result<(), &'static str> {
        if let Some(byte) = self.rest.get(..2).and_then(hex::decode) {
            value.extend(byte);
            self.rest = &self.rest[2..];
            return Ok(());
        }
        let c = self.next().ok_or("it ends with a backslash")?;
        push(value, c);
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.rest.starts_with(c);
        if found {
            self.rest = &self.rest[c.len_utf8()..];
        }
        found
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
    }
}

/// A value of a normalised DN as it is without escapes.
fn unescaped(value: &str) -> Option<String> {
    String::from_utf8(Parser { rest: value }.unquoted().ok()?).ok()
}

fn push(value: &mut Vec<u8>, c: char) {
    value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Writes bytes as hex pairs.
fn escape(bytes: &[u8], normal: &mut String) {
    for byte in bytes {
        // Writing to a string cannot fail.
        write!(normal, "\\{byte:02x}").unwrap_or_default();
    }
}

/// A value as it is compared: case and runs of spaces mean nothing (caseIgnoreMatch, RFC 4518), and
/// what could be mistaken for a separator is escaped as hex pairs.
fn normal_value(value: &[u8]) -> String {
    let mut normal = String::with_capacity(value.len());
    match std::str::from_utf8(value) {
        Ok(text) => {
            let folded: String = text.nfkc().collect::<String>().to_lowercase().nfkc().collect();
            for (number, word) in folded.split_ascii_whitespace().enumerate() {
                if number > 0 {
                    normal.push(' ');
                }
                for c in word.chars() {
                    match c {
                        ',' | '+' | ';' | '"' | '\\' | '<' | '>' | '=' | '#' | '\0' => {
                            escape(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut normal);
                        }
                        _ => normal.push(c),
                    }
                }
            }
        }
        Err(_) => escape(value, &mut normal),
    }
    normal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn normal(text: &str) -> String {
        Dn::parse(text).unwrap().0
    }

    #[rstest]
    #[case("UID=Ann,OU=People,DC=Corp,DC=Example", "uid=ann,ou=people,dc=corp,dc=example")]
    #[case("uid = ann , ou= people;dc=corp", "uid=ann,ou=people,dc=corp")]
    #[case("cn=Smith\\, John,dc=x", "cn=smith\\2c john,dc=x")]
    #[case("cn=\"Smith, John\",dc=x", "cn=smith\\2c john,dc=x")]
    #[case("cn=Smith\\2C John,dc=x", "cn=smith\\2c john,dc=x")]
    #[case("cn=a  b   c,dc=x", "cn=a b c,dc=x")]
    #[case("sn=Doe+cn=John,dc=x", "cn=john+sn=doe,dc=x")]
    #[case("cn=John + sn=Doe,dc=x", "cn=john+sn=doe,dc=x")]
    #[case("cn=\\c3\\9cmit,dc=x", "cn=ümit,dc=x")]
    #[case("cn=Ümit,dc=x", "cn=ümit,dc=x")]
    #[case("cn=#040548656c6c6f,dc=x", "cn=hello,dc=x")]
    #[case("OID.2.5.4.3=a,dc=x", "cn=a,dc=x")]
    #[case("userId=a,organizationalUnitName=b,domainComponent=x", "uid=a,ou=b,dc=x")]
    #[case("oid.1=a,dc=x", "1=a,dc=x")]
    #[case("cn=trailing\\ ,dc=x", "cn=trailing,dc=x")]
    #[case("cn=a=b,dc=x", "cn=a\\3db,dc=x")]
    #[case("", "")]
    fn spellings_of_one_name_are_one(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(normal(text), expected);
    }

    #[rstest]
    #[case("ann")]
    #[case("=x,dc=y")]
    #[case("cn=a,,dc=y")]
    #[case("cn=a,dc=y,")]
    #[case("cn=a\\")]
    #[case("cn=\"a")]
    #[case("cn=\"a\"b,dc=x")]
    #[case("c n=a")]
    #[case("cn=#04")]
    #[case("cn=#0g")]
    fn refuses_what_is_no_name(#[case] text: &str) {
        Dn::parse(text).unwrap_err();
    }

    #[test]
    fn a_name_has_bounds_in_every_spelling() {
        for part in ["dc=a", "DC = \\61"] {
            let of = |parts: usize| vec![part; parts].join(",");
            assert!(Dn::parse(&of(Dn::DEEPEST)).is_ok());
            assert!(Dn::parse(&of(Dn::DEEPEST + 1)).unwrap_err().why.contains("250 parts"));
        }
        for first in ["a", "é"] {
            let of = |length: usize| format!("cn={first}{}", "a".repeat(length - 3 - first.len()));
            assert!(Dn::parse(&of(Dn::LONGEST)).is_ok());
            let error = Dn::parse(&of(Dn::LONGEST + 1)).unwrap_err();
            assert!(error.why.contains("16384 bytes") && error.text.len() < 600, "{error}");
        }
        // What is kept is read again; three signs stand for each byte of what is no text.
        let of = |length: usize| format!("cn=\\ff{}", "a".repeat(length - 1));
        let longest = (Dn::LONGEST - 3) / 3;
        let dn = Dn::parse(&of(longest)).unwrap();
        assert_eq!(dn.as_str().len(), 3 + 3 * longest);
        assert_eq!(Dn::parse(dn.as_str()), Ok(dn));
        assert!(
            Dn::parse(&of(longest + 1)).unwrap_err().why.contains("the escapes of bytes that are not text")
        );
    }

    #[test]
    fn knows_what_is_within_what() {
        let dn = |text| Dn::parse(text).unwrap();
        assert!(dn("uid=a,dc=corp,dc=example").is_within(&dn("DC=corp, DC=example")));
        assert!(dn("dc=example").is_within(&dn("")));
        assert!(!dn("dc=acorp,dc=example").is_within(&dn("dc=corp,dc=example")));
        assert!(!dn("cn=x\\,dc\\=corp").is_within(&dn("dc=corp")));
        assert_eq!(dn("uid=a,ou=x,dc=c").common_suffix(&dn("uid=b,ou=y,dc=c")), dn("dc=c"));
        assert_eq!(dn("dc=a").common_suffix(&dn("dc=b")), dn(""));
    }

    #[test]
    fn knows_which_values_name_it() {
        let dn = Dn::parse("CN=Smith\\, John+UID=js,OU=People,DC=x").unwrap();
        assert!(dn.is_named_by("cn", " smith,  JOHN") && dn.is_named_by("uid", "JS"));
        assert!(!dn.is_named_by("cn", "smith") && !dn.is_named_by("ou", "people"));
        assert!(!Dn::parse("").unwrap().is_named_by("cn", ""));
    }

    /// Writes each character in one of the ways in which it can be written.
    fn spell(value: &str, ways: &[u8]) -> String {
        let mut text = String::new();
        for (c, way) in value.chars().zip(ways.iter().cycle()) {
            let mut bytes = [0; 4];
            match way % 3 {
                0 => escape(c.encode_utf8(&mut bytes).as_bytes(), &mut text),
                1 if c.is_ascii_punctuation() => text.extend(['\\', c]),
                _ if ",+;\"\\<>#= ".contains(c) => text.extend(['\\', c]),
                _ => text.push(c),
            }
        }
        text
    }

    proptest! {
        #[test]
        fn every_spelling_gives_one_form(
            value in "[a-z0-9éß,+;\"<>#= -]{1,12}",
            ways in prop::collection::vec(any::<u8>(), 1..8),
            other in prop::collection::vec(any::<u8>(), 1..8),
        ) {
            let one = format!("cn={},dc=x", spell(&value, &ways));
            let two = format!("CN={},DC=x", spell(&value, &other));
            prop_assert_eq!(normal(&one), normal(&two));
        }

        #[test]
        fn different_names_stay_different(one in "[a-c,+\\\\=]{1,5}", two in "[a-c,+\\\\=]{1,5}") {
            let dn = |value: &str| normal(&format!("cn={},dc=x", spell(value, &[0])));
            prop_assert_eq!(one == two, dn(&one) == dn(&two));
        }

        #[test]
        fn the_normal_form_is_its_own_normal_form(text in "[a-zA-Z,=+\\\\\" #;é0-9]{0,24}") {
            if let Ok(dn) = Dn::parse(&text) {
                prop_assert_eq!(&normal(dn.as_str()), dn.as_str());
            }
        }

        #[test]
        fn the_short_way_gives_what_the_long_way_gives(text in "[a-zA-Z,= .]{0,24}") {
            if let Some(short) = plain(&text) {
                prop_assert_eq!(Parser { rest: &text }.dn(), Ok(short));
            }
        }
    }
}
