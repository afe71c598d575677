//! The part of BER that LDAP uses (X.690, RFC 4511 section 5.1): tags of one byte, definite lengths.

/// What is wrong with bytes that should be BER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct Malformed(pub(in crate::source::ldap) &'static str);

pub(in crate::source::ldap) const BOOLEAN: u8 = 0x01;
pub(in crate::source::ldap) const INTEGER: u8 = 0x02;
pub(in crate::source::ldap) const OCTETS: u8 = 0x04;
pub(in crate::source::ldap) const ENUMERATED: u8 = 0x0a;
pub(in crate::source::ldap) const SEQUENCE: u8 = 0x30;
pub(in crate::source::ldap) const SET: u8 = 0x31;

/// The first element's tag, the length of what stands before its content, and the content's; `None` as long as too little is
/// there to tell.
pub(in crate::source::ldap) fn head(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Malformed> {
    let [tag, length, rest @ ..] = bytes else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(Malformed("a tag of several bytes, which LDAP has not"));
    }
    match length {
        0..=0x7f => Ok(Some((*tag, 2, usize::from(*length)))),
        0x80 => Err(Malformed("a length that is not definite")),
        0x81..=0x88 => {
            let octets = usize::from(length & 0x7f);
            let Some(octets_there) = rest.get(..octets) else { return Ok(None) };
            let length = octets_there.iter().try_fold(0_usize, |length, octet| {
                length.checked_mul(256).map(|length| length | usize::from(*octet))
            });
            let length = length.ok_or(Malformed("a length that no memory holds"))?;
            Ok(Some((*tag, 2 + octets, length)))
        }
        _ => Err(Malformed("a length of more than eight bytes")),
    }
}

/// Elements one after the other.
#[derive(Clone, Copy)]
pub(in crate::source) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    pub(in crate::source) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Those in the one element that `bytes` are, which has this tag.
    pub(in crate::source::ldap) fn within(tag: u8, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut whole = Self(bytes);
        let within = whole.expect(tag)?;
        whole.end()?;
        Ok(Self(within))
    }

    /// The next of whatever kind; `None` at the end.
    pub(in crate::source) fn next(&mut self) -> Result<Option<(u8, &'a [u8])>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let outside = Malformed("an element that does not end where it should");
        let (tag, before, length) = head(self.0)?.ok_or(outside)?;
        let end = before.checked_add(length).ok_or(outside)?;
        let content = self.0.get(before..end).ok_or(outside)?;
        self.0 = &self.0[end..];
        Ok(Some((tag, content)))
    }

    /// The next, which has this tag.
    pub(in crate::source::ldap) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.next()? {
            Some((found, content)) if found == tag => Ok(content),
            Some(_) => Err(Malformed("an element of another kind than its place wants")),
            None => Err(Malformed("an element that is missing")),
        }
    }

    /// The next, if it has this tag.
    pub(in crate::source::ldap) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.0.first() == Some(&tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    pub(in crate::source::ldap) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("something after the end of an element")) }
    }
}

/// A number from 0 to 2³¹-1 (RFC 4511's `maxInt`), which is what every number in LDAP is.
pub(in crate::source::ldap) fn number(octets: &[u8]) -> Result<i32, Malformed> {
    let out_of_range = Malformed("a number that is not from 0 to 2147483647");
    let [first, ..] = octets else { return Err(Malformed("a number without digits")) };
    if octets.len() > 8 || first & 0x80 != 0 {
        return Err(out_of_range);
    }
    let number = octets.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
    i32::try_from(number).map_err(|_| out_of_range)
}

pub(in crate::source::ldap) fn boolean(octets: &[u8]) -> Result<bool, Malformed> {
    match octets {
        [octet] => Ok(*octet != 0),
        _ => Err(Malformed("a boolean that is not one byte")),
    }
}

/// One element.
pub(in crate::source::ldap) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut bytes = Vec::with_capacity(content.len() + 10);
    bytes.push(tag);
    match length.as_slice() {
        [] => bytes.push(0),
        [short] if *short < 128 => bytes.push(*short),
        long => {
            bytes.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            bytes.extend(long);
        }
    }
    bytes.extend(content);
    bytes
}

/// A number from 0 on.
pub(in crate::source::ldap) fn natural(tag: u8, number: u32) -> Vec<u8> {
    let octets = u64::from(number).to_be_bytes();
    // As few as can be, and one more where the first would be a sign.
    let zeros = octets[..7].iter().take_while(|octet| **octet == 0).count();
    let from = if octets[zeros] & 0x80 == 0 { zeros } else { zeros - 1 };
    element(tag, &octets[from..])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"", Ok(None))]
    #[case(b"\x30", Ok(None))]
    #[case(b"\x30\x05", Ok(Some((0x30, 2, 5))))]
    #[case(b"\x30\x82\x01", Ok(None))]
    #[case(b"\x30\x82\x01\x00", Ok(Some((0x30, 4, 256))))]
    #[case::as_active_directory_does(b"\x30\x84\x00\x00\x00\x10", Ok(Some((0x30, 6, 16))))]
    #[case(b"\x30\x80", Err("definite"))]
    #[case(b"\x30\x89", Err("eight bytes"))]
    #[case(b"\x3f\x01", Err("several bytes"))]
    fn reads_where_an_element_ends(
        #[case] bytes: &[u8],
        #[case] expected: Result<Option<(u8, usize, usize)>, &str>,
    ) {
        match (head(bytes), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(Malformed(why)), Err(part)) => assert!(why.contains(part), "{why}"),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[rstest]
    #[case(b"\x00", Some(0))]
    #[case(b"\x7f\xff\xff\xff", Some(i32::MAX))]
    #[case::longer_than_it_need_be(b"\x00\x00\x00\x31", Some(49))]
    #[case::of_more_than_32_bits(b"\x01\x00\x00\x00\x00", None)]
    #[case::of_more_than_31_bits(b"\x00\x80\x00\x00\x00", None)]
    #[case::negative(b"\xff", None)]
    #[case::of_nothing(b"", None)]
    #[case::of_nine_bytes(b"\x00\x00\x00\x00\x00\x00\x00\x00\x01", None)]
    fn takes_no_number_that_would_be_cut(#[case] octets: &[u8], #[case] expected: Option<i32>) {
        assert_eq!(number(octets).ok(), expected);
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for written in [0, 1, 127, 128, 255, 256, 0x7fff, 0x8000, 1_000_000, 0x7fff_ffff] {
            let bytes = natural(INTEGER, written);
            let mut elements = Elements::of(&bytes);
            let read = number(elements.expect(INTEGER).unwrap()).unwrap();
            assert_eq!(u32::try_from(read), Ok(written));
            elements.end().unwrap();
        }
        for length in [0, 127, 128, 255, 256, 70_000] {
            let bytes = element(OCTETS, &vec![7; length]);
            assert_eq!(Elements::of(&bytes).expect(OCTETS).unwrap().len(), length);
        }
    }

    #[test]
    fn an_element_never_reaches_beyond_the_one_that_it_is_in() {
        let inner = [OCTETS, 5, 1, 2];
        let outer = element(SEQUENCE, &inner);
        let mut elements = Elements::within(SEQUENCE, &outer).unwrap();
        assert!(elements.next().is_err());
        assert!(Elements::within(SEQUENCE, &[outer.as_slice(), &[0]].concat()).is_err());
        assert!(Elements::within(SET, &outer).is_err());
    }
}
