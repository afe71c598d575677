//! How what is said becomes bytes: JSON, packed with Zstandard.

use std::io::Read as _;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How hard it is packed: most of what can be had for little.
const LEVEL: i32 = 1;
/// No more memory is needed to unpack than 2 to the power of this, beside the result.
const WINDOW_LOG: u32 = 23;

/// No more values are in what is unpacked: each takes more memory than it has bytes.
const VALUES: usize = 2_000_000;

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
    #[error("it has more than {VALUES} values")]
    TooMany,
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
/// When it cannot be written, or is larger.
pub fn pack_within<T: Serialize>(value: &T, most: usize) -> Result<Vec<u8>, Unpackable> {
    let text = serde_json::to_vec(value).map_err(|_| Unpackable::Other(0))?;
    if text.len() > most {
        return Err(Unpackable::TooLarge(most));
    }
    zstd::bulk::compress(&text, LEVEL).map_err(|_| Unpackable::NotPacked)
}

/// Unpacks a value of at most `most` bytes.
///
/// # Errors
/// When it is larger, or something else.
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
    if values(&text) > VALUES {
        return Err(Unpackable::TooMany);
    }
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

/// How many values a JSON text has, at least: a comma that is in no string is between two of them.
fn values(text: &[u8]) -> usize {
    let (mut commas, mut in_string, mut is_escaped) = (0, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b',') => commas += 1,
            _ => {}
        }
    }
    commas + 1
}

#[cfg(test)]
mod tests {
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
        let many = vec![(); VALUES];
        let packed = pack(&many).unwrap();
        assert!(packed.len() < 10_000 && unpack::<Vec<()>>(&packed, 1 << 30).is_ok());
        let more = pack(&[&many[..], &[()]].concat()).unwrap();
        assert_eq!(unpack::<Vec<()>>(&more, 1 << 30), Err(Unpackable::TooMany));
        assert_eq!(values(br#"["a,b","c\",d",1]"#), 3);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(unpack::<String>(&bytes, 1000).is_err());
        }
    }
}
