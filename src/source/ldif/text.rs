//! Where the text of an export comes from, and whether it is text at all.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor as Bytes};
use std::path::PathBuf;
use std::sync::Arc;

use crate::source::{Reason, SourceError};

/// Where the text is.
#[derive(Clone)]
pub enum Input {
    /// A file on disk.
    Path(PathBuf),
    /// In memory, from a Secret or `ConfigMap`.
    Text(Arc<[u8]>),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            // It may come from a Secret, and is about people in any case.
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

/// How files begin that are no text, and what makes text of them.
const FOREIGN: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "compressed with gzip", "unpack it first (gunzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it first (unzstd)"),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it first (unxz)"),
    (b"BZh", "compressed with bzip2", "unpack it first (bunzip2)"),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "unpack it first (unlz4)"),
    (b"PK\x03\x04", "a zip archive", "unpack it first (unzip)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first (7z x)"),
    (b"\xff\xfe", "encoded in UTF-16", WIDE),
    (b"\xfe\xff", "encoded in UTF-16", WIDE),
];
const WIDE: &str =
    "LDIF is UTF-8: write it so (ldifde: without -u), or convert it (iconv -f UTF-16 -t UTF-8)";

/// The text, from its beginning.
pub(super) fn open(input: &Input, name: &str) -> Result<Box<dyn BufRead>, SourceError> {
    let unreadable = |error: std::io::Error| {
        let message = format!("{name} cannot be read: {error}; check the path and its rights");
        SourceError::new(Reason::NotFound, message)
    };
    let mut text: Box<dyn BufRead> = match input {
        Input::Text(text) => Box::new(Bytes::new(text.clone())),
        // Opening a pipe waits for somebody who writes, and it cannot be read twice.
        Input::Path(path) if fs::metadata(path).is_ok_and(|found| !found.is_file()) => {
            let message = format!("{name} is no file but a folder, a pipe or a device; name a file");
            return Err(SourceError::new(Reason::NotFound, message));
        }
        Input::Path(path) => {
            Box::new(BufReader::with_capacity(1 << 16, File::open(path).map_err(unreadable)?))
        }
    };
    match foreign(text.fill_buf().map_err(unreadable)?) {
        None => Ok(text),
        Some((is, remedy)) => Err(SourceError::new(
            Reason::InvalidData,
            format!("{name} is {is}, and an LDIF export is text; {remedy}"),
        )),
    }
}

/// What a file that begins so is, if it is no text, and what to do.
fn foreign(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let known = FOREIGN.iter().find(|(magic, ..)| start.starts_with(magic));
    // Without a mark: every other byte of what stands at the beginning of an export is zero.
    let wide = || {
        matches!(start, [0, other, ..] | [other, 0, ..] if *other != 0).then_some(("encoded in UTF-16", WIDE))
    };
    known.map(|(_, is, remedy)| (*is, *remedy)).or_else(wide)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"\x1f\x8b\x08\x00", "gunzip")]
    #[case(b"\x28\xb5\x2f\xfd\x04", "unzstd")]
    #[case(b"\xfd7zXZ\x00\x00", "unxz")]
    #[case(b"BZh91AY", "bunzip2")]
    #[case(b"PK\x03\x04\x14", "unzip")]
    #[case(b"\xff\xfed\x00n\x00", "UTF-16")]
    #[case(b"\xfe\xff\x00d\x00n", "UTF-16")]
    #[case(b"d\x00n\x00:\x00", "UTF-16")]
    #[case(b"\x00d\x00n\x00:", "UTF-16")]
    fn what_is_no_text_is_named_with_the_remedy(#[case] bytes: &[u8], #[case] said: &str) {
        let Err(error) = open(&Input::Text(bytes.into()), "a.ldif") else { panic!("it was taken") };
        assert!(error.message.contains(said) && error.message.contains("a.ldif"), "{error}");
    }

    #[rstest]
    #[case(b"")]
    #[case(b"dn: dc=x\n")]
    #[case(b"\xef\xbb\xbfdn: dc=x\n")]
    #[case(b"\n\ndn: dc=x\n")]
    fn text_is_taken(#[case] bytes: &[u8]) {
        assert!(open(&Input::Text(bytes.into()), "a.ldif").is_ok());
    }
}
