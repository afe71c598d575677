//! How what is said becomes bytes: JSON, packed with Zstandard.

use std::io::Read as _;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How hard it is packed: most of what can be had for little.
const LEVEL: i32 = 1;
/// No more memory is needed to unpack than 2 to the power of this, beside the result.
const WINDOW_LOG: u32 = 23;
/// Each value takes memory beside its text, and each that has a name in a map much more. So there are no more of them than these many
/// bytes each have room for, in as many as may be unpacked; and a few.
const OF_A_VALUE: usize = 48;
const OF_A_NAMED: usize = 240;
const FEW: usize = 1000;

/// Why bytes are not what they should be. It names nothing of what is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpackable {
    /// They are not packed as they must be.
    #[error("it is not packed as it must be, or was damaged on the way")]
    NotPacked,
    /// They are more than allowed.
    #[error("it has more than {0} bytes unpacked")]
    TooLarge(usize),
    /// They have too many values.
    #[error("it has more than {0} values")]
    TooMany(usize),
    /// They have a field that is not known here.
    #[error("it has the field {0}, which is not known here: the other side is newer, update this one")]
    Unknown(String),
    /// They are something else.
    #[error("it is not what was expected, near byte {0}: the versions of both sides do not fit")]
    Other(usize),
}

/// Packs a value.
///
/// # Errors
/// When it cannot be written.
pub fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, Unpackable> {
    pack_within(value, usize::MAX)
}

/// Packs a value of at most `most` bytes.
///
/// # Errors
/// When it cannot be written, is larger, or has more values than may be in so many bytes.
pub fn pack_within<T: Serialize>(value: &T, most: usize) -> Result<Vec<u8>, Unpackable> {
    let text = serde_json::to_vec(value).map_err(|_| Unpackable::Other(0))?;
    if text.len() > most {
        return Err(Unpackable::TooLarge(most));
    }
    check(&text, most)?;
    zstd::bulk::compress(&text, LEVEL).map_err(|_| Unpackable::NotPacked)
}

/// Unpacks a value of at most `most` bytes.
///
/// # Errors
/// When it is larger, has more values than may be in so many bytes, or is something else.
pub fn unpack<T: DeserializeOwned>(bytes: &[u8], most: usize) -> Result<T, Unpackable> {
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(bytes).map_err(|_| Unpackable::NotPacked)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(|_| Unpackable::NotPacked)?;
    let mut text = Vec::new();
    let more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(more).read_to_end(&mut text).map_err(|_| Unpackable::NotPacked)?;
    if text.len() > most {
        return Err(Unpackable::TooLarge(most));
    }
    if !decoder.finish().is_empty() {
        return Err(Unpackable::NotPacked);
    }
    check(&text, most)?;
    serde_json::from_slice(&text).map_err(|error| {
        // What it says may hold values, but for the name of a field.
        let said = error.to_string();
        let field = said.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        let is_name = |name: &&str| name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match field.filter(is_name) {
            Some(field) => Unpackable::Unknown(field.to_owned()),
            None => Unpackable::Other(error.column()),
        }
    })
}

/// Whether a JSON text has no more values than may be in so many bytes.
fn check(text: &[u8], most: usize) -> Result<(), Unpackable> {
    // A value has at least one byte and a comma, one with a name at least six.
    if text.len() / 2 <= most / OF_A_VALUE && text.len() / 6 <= most / OF_A_NAMED {
        return Ok(());
    }
    let (values, named) = values(text);
    for (count, each) in [(values, OF_A_VALUE), (named, OF_A_NAMED)] {
        if count > most / each + FEW {
            return Err(Unpackable::TooMany(most / each + FEW));
        }
    }
    Ok(())
}

/// How many values a JSON text has, at least, and how many of them are lists or null with a name, as those of maps are. A comma that is in
/// no string is between two values, a colon behind a name.
fn values(text: &[u8]) -> (usize, usize) {
    let (mut commas, mut named) = (0, 0);
    let (mut in_string, mut is_escaped, mut after_name) = (false, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b',') => commas += 1,
            (false, b'[' | b'n') if after_name => named += 1,
            _ => {}
        }
        let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        after_name = !in_string && (*byte == b':' || after_name && is_space);
    }
    (commas + 1, named)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_packed_is_bounded_and_whole() {
        let long = "a".repeat(1 << 20);
        let packed = pack(&long).unwrap();
        assert!(packed.len() < 1000, "it is packed");
        assert_eq!(unpack::<String>(&packed, 2 << 20), Ok(long));
        assert_eq!(
            unpack::<String>(&packed, 1 << 20),
            Err(Unpackable::TooLarge(1 << 20)),
            "its quotes are two more"
        );
        assert_eq!(unpack::<String>(&packed[..packed.len() - 1], 2 << 20), Err(Unpackable::NotPacked));
        assert_eq!(unpack::<String>(&[&packed[..], b"x"].concat(), 2 << 20), Err(Unpackable::NotPacked));
        assert_eq!(
            unpack::<String>(&[&packed[..], &packed[..]].concat(), 4 << 20),
            Err(Unpackable::NotPacked)
        );
        assert_eq!(unpack::<String>(b"", 10), Err(Unpackable::NotPacked));
        let secret = pack(&"Frances").unwrap();
        let why = unpack::<u8>(&secret, 100).unwrap_err().to_string();
        assert!(!why.contains("Frances"), "{why}");
    }

    #[test]
    fn there_are_only_so_many_values() {
        let most = 480_000;
        let many = vec![0; most / OF_A_VALUE + FEW];
        let packed = pack(&many).unwrap();
        assert!(packed.len() < 1000 && unpack::<Vec<u8>>(&packed, most).is_ok());
        let more = [&many[..], &[0]].concat();
        assert_eq!(pack_within(&more, most), Err(Unpackable::TooMany(many.len())));
        assert_eq!(unpack::<Vec<u8>>(&pack(&more).unwrap(), most), Err(Unpackable::TooMany(many.len())));
        let named = |many: usize| {
            let map: BTreeMap<String, Option<Vec<String>>> =
                (0..many).map(|at| (at.to_string(), (at % 2 == 0).then(Vec::new))).collect();
            unpack::<BTreeMap<String, Option<Vec<String>>>>(&pack(&map).unwrap(), most).map(|map| map.len())
        };
        assert_eq!(named(most / OF_A_NAMED + FEW), Ok(3000));
        assert_eq!(named(most / OF_A_NAMED + FEW + 1), Err(Unpackable::TooMany(3000)));
        assert_eq!(values(br#"["a,b","c\",d",1]"#), (3, 0));
        assert_eq!(values(br#"{"a:[" : [1],"b":"x:n","c":null}"#), (3, 2));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(unpack::<String>(&bytes, 1000).is_err());
        }
    }
}
