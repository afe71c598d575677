//! Encodes LDAP filters (RFC 4515) for the wire (RFC 4511 section 4.5.1.7).

use super::ber::{self, OCTETS, SEQUENCE};

/// Brackets within brackets, at most.
const DEPTH: usize = 100;

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUAL: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const AT_LEAST: u8 = 0xa5;
const AT_MOST: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const ALIKE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

/// The filter as it is sent; `None` if this is none.
pub(in crate::source) fn parse(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.as_bytes();
    let filter = if rest.starts_with(b"(") { bracketed(&mut rest, 0)? } else { item(&mut rest)? };
    rest.is_empty().then_some(filter)
}

/// Escapes a text for use as a value in a filter.
pub(in crate::source) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' => escaped.push_str("\\5c"),
            '*' => escaped.push_str("\\2a"),
            '(' => escaped.push_str("\\28"),
            ')' => escaped.push_str("\\29"),
            '\0' => escaped.push_str("\\00"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Takes `token` off, if it is there.
fn take(rest: &mut &[u8], token: &[u8]) -> Option<()> {
    *rest = rest.strip_prefix(token)?;
    Some(())
}

/// Takes off what `is` holds for.
fn take_while<'a>(rest: &mut &'a [u8], is: impl Fn(u8) -> bool) -> &'a [u8] {
    let end = rest.iter().position(|byte| !is(*byte)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

fn bracketed(rest: &mut &[u8], depth: usize) -> Option<Vec<u8>> {
    if depth == DEPTH {
        return None;
    }
    take(rest, b"(")?;
    let filter = match rest.first()? {
        kind @ (b'&' | b'|') => {
            *rest = &rest[1..];
            let mut all = Vec::new();
            while rest.starts_with(b"(") {
                all.extend(bracketed(rest, depth + 1)?);
            }
            ber::element(if *kind == b'&' { AND } else { OR }, &all)
        }
        b'!' => {
            *rest = &rest[1..];
            ber::element(NOT, &bracketed(rest, depth + 1)?)
        }
        _ => item(rest)?,
    };
    take(rest, b")")?;
    Some(filter)
}

fn item(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let attribute = take_while(rest, |byte| byte.is_ascii_alphanumeric() || b"-_.;".contains(&byte));
    if !attribute.is_empty() && !is_description(attribute) {
        return None;
    }
    let compared = |tag: u8, value: &[u8]| {
        ber::element(tag, &[ber::element(OCTETS, attribute), ber::element(OCTETS, value)].concat())
    };
    if attribute.is_empty() || rest.starts_with(b":") {
        return extensible(attribute, rest);
    }
    for (sign, tag) in [(b">=", AT_LEAST), (b"<=", AT_MOST), (b"~=", ALIKE)] {
        if take(rest, sign).is_some() {
            return Some(compared(tag, &value(rest)?));
        }
    }
    take(rest, b"=")?;
    let mut parts = vec![value(rest)?];
    while take(rest, b"*").is_some() {
        parts.push(value(rest)?);
    }
    let last = parts.len() - 1;
    if last == 0 {
        return Some(compared(EQUAL, &parts[0]));
    }
    if last == 1 && parts.iter().all(Vec::is_empty) {
        return Some(ber::element(PRESENT, attribute));
    }
    let mut between = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        match (part.is_empty(), at) {
            (true, at) if at == 0 || at == last => {}
            (true, _) => return None,
            (false, 0) => between.extend(ber::element(0x80, part)),
            (false, at) if at == last => between.extend(ber::element(0x82, part)),
            (false, _) => between.extend(ber::element(0x81, part)),
        }
    }
    let content = [ber::element(OCTETS, attribute), ber::element(SEQUENCE, &between)].concat();
    Some(ber::element(SUBSTRINGS, &content))
}

/// `attr:dn:rule:=value`, of which `:dn` may be absent, and `attr` or `:rule`.
fn extensible(attribute: &[u8], rest: &mut &[u8]) -> Option<Vec<u8>> {
    let within_dn = match rest.strip_prefix(b":dn") {
        Some(after) if after.starts_with(b":") => {
            *rest = after;
            true
        }
        _ => false,
    };
    let mut content = Vec::new();
    take(rest, b":")?;
    let rule = take_while(rest, |byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    if rule.is_empty() {
        if attribute.is_empty() {
            return None;
        }
        take(rest, b"=")?;
    } else {
        take(rest, b":=")?;
        content.extend(is_description(rule).then(|| ber::element(0x81, rule))?);
    }
    if !attribute.is_empty() {
        content.extend(ber::element(0x82, attribute));
    }
    content.extend(ber::element(0x83, &value(rest)?));
    if within_dn {
        content.extend(ber::element(0x84, &[0xff]));
    }
    Some(ber::element(EXTENSIBLE, &content))
}

/// A name or an object identifier, with options or none (RFC 4512 section 2.5).
fn is_description(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b';');
    let name = parts.next().unwrap_or_default();
    let is_name = name.first().is_some_and(u8::is_ascii_alphabetic) && !name.contains(&b'.');
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let is_oid = name.split(|byte| *byte == b'.').all(is_number);
    let is_option = |option: &[u8]| !option.is_empty() && !option.contains(&b'.');
    (is_name || is_oid) && parts.all(is_option)
}

/// A value, up to what ends it; `None` if something in it had to be escaped.
fn value(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let text = take_while(rest, |byte| !matches!(byte, 0 | b'(' | b')' | b'*'));
    let mut value = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b'\\' {
            let mut digit = || char::from(*bytes.next()?).to_digit(16);
            value.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
        } else {
            value.push(*byte);
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("(a=b)", b"\xa3\x06\x04\x01a\x04\x01b")]
    #[case("a=b", b"\xa3\x06\x04\x01a\x04\x01b")]
    #[case("(a=)", b"\xa3\x05\x04\x01a\x04\x00")]
    #[case("(a=*)", b"\x87\x01a")]
    #[case("(a=x*y*z)", b"\xa4\x0e\x04\x01a\x30\x09\x80\x01x\x81\x01y\x82\x01z")]
    #[case("(a=*y*)", b"\xa4\x08\x04\x01a\x30\x03\x81\x01y")]
    #[case("(a=x*)", b"\xa4\x08\x04\x01a\x30\x03\x80\x01x")]
    #[case("(a>=1)", b"\xa5\x06\x04\x01a\x04\x011")]
    #[case("(a<=1)", b"\xa6\x06\x04\x01a\x04\x011")]
    #[case("(a~=1)", b"\xa8\x06\x04\x01a\x04\x011")]
    #[case("(!(a=*))", b"\xa2\x03\x87\x01a")]
    #[case("(&(a=*)(|(b=*)(c=*)))", b"\xa0\x0b\x87\x01a\xa1\x06\x87\x01b\x87\x01c")]
    #[case("(&)", b"\xa0\x00")]
    #[case(r"(a=\28\2a\29\5C\00)", b"\xa3\x0a\x04\x01a\x04\x05(*)\\\0")]
    #[case("(a:1.2:=x)", b"\xa9\x0b\x81\x031.2\x82\x01a\x83\x01x")]
    #[case("(a:=x)", b"\xa9\x06\x82\x01a\x83\x01x")]
    #[case("(a:dn:=x)", b"\xa9\x09\x82\x01a\x83\x01x\x84\x01\xff")]
    #[case("(:dn:r:=x)", b"\xa9\x09\x81\x01r\x83\x01x\x84\x01\xff")]
    #[case("(a_b=x)", b"\xa3\x08\x04\x03a_b\x04\x01x")]
    #[case("(a;lang-de=x)", b"\xa3\x0e\x04\x09a;lang-de\x04\x01x")]
    fn says_it_as_the_standard_does(#[case] text: &str, #[case] expected: &[u8]) {
        assert_eq!(parse(text).as_deref(), Some(expected), "{text}");
    }

    #[rstest]
    #[case("")]
    #[case("(")]
    #[case("(a=b")]
    #[case("(a=b))")]
    #[case("((a=b))")]
    #[case("(a b=c)")]
    #[case("(=b)")]
    #[case("(a=b**c)")]
    #[case(r"(a=\)")]
    #[case(r"(a=\2)")]
    #[case(r"(a=\zz)")]
    #[case("(a=(b)")]
    #[case("(&(a=b)c=d)")]
    #[case("(!(a=b)(c=d))")]
    #[case("(:=x)")]
    #[case("(1a=x)")]
    #[case("(_a=x)")]
    #[case("(1..2=x)")]
    fn takes_nothing_else(#[case] text: &str) {
        assert_eq!(parse(text), None, "{text}");
    }

    #[test]
    fn brackets_stand_within_brackets_to_a_bound() {
        let nested = |depth: usize| format!("{}(a=*){}", "(!".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(DEPTH - 1)).is_some());
        assert!(parse(&nested(DEPTH)).is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_escaped_is_a_value(text in any::<String>()) {
            let sent = parse(&format!("(a={})", escape(&text))).unwrap();
            let mut elements = ber::Elements::within(EQUAL, &sent).unwrap();
            elements.expect(OCTETS).unwrap();
            prop_assert_eq!(elements.expect(OCTETS).unwrap(), text.as_bytes());
        }

        #[test]
        fn whatever_is_written_is_taken_or_not(text in "[()&|!=*:;\\\\a-c0-9.]{0,40}") {
            let _: Option<Vec<u8>> = parse(&text);
        }
    }
}
