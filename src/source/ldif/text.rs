//! Where the text of an export comes from, and whether it is text at all.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::source::schema::anchor::hexadecimal;
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
    (b"\x5d\x00\x00", "compressed with lzma", "unpack it first (unlzma)"),
    (b"LZIP", "compressed with lzip", "unpack it first (lzip -d)"),
    (b"\x1f\x9d", "compressed with compress", "unpack it first (uncompress)"),
    (b"Rar!", "a rar archive", "unpack it first (unrar x)"),
    // Before UTF-16, whose mark it begins with.
    (b"\xff\xfe\0\0", "encoded in UTF-32", "LDIF is UTF-8: convert it (iconv -f UTF-32 -t UTF-8)"),
    (b"\0\0\xfe\xff", "encoded in UTF-32", "LDIF is UTF-8: convert it (iconv -f UTF-32 -t UTF-8)"),
    (
        b"\xff\xfe",
        "encoded in UTF-16",
        "LDIF is UTF-8: write it in UTF-8 (ldifde: without -u), or convert it (iconv -f UTF-16 -t UTF-8)",
    ),
    (
        b"\xfe\xff",
        "encoded in UTF-16",
        "LDIF is UTF-8: write it in UTF-8 (ldifde: without -u), or convert it (iconv -f UTF-16 -t UTF-8)",
    ),
];

/// A text that is read twice. It is opened once, so that a file that takes the other one's place is not read as the rest of it.
pub(super) struct Text {
    name: String,
    source: Opened,
}

enum Opened {
    File(File),
    Text(Arc<[u8]>),
}

/// What was read in one go from the beginning on: enough to know that it was the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    hash: Sha256,
}

/// The text, from its beginning; what is read of it is summed up.
pub(super) type Pass<'a> = BufReader<Summed<'a>>;

/// What is read, and its sum.
pub(super) struct Summed<'a> {
    input: Box<dyn Read + 'a>,
    sum: &'a mut Sum,
}

impl Text {
    pub(super) fn open(input: &Input, name: &str) -> Result<Self, SourceError> {
        let name = name.to_owned();
        let source = match input {
            Input::Text(text) => Opened::Text(text.clone()),
            // Opening a pipe waits for somebody who writes, and it cannot be read twice.
            Input::Path(path) if fs::metadata(path).is_ok_and(|found| !found.is_file()) => {
                let message = format!("{name} is not a file but a folder, a pipe or a device; name a file");
                return Err(SourceError::new(Reason::NotFound, message));
            }
            Input::Path(path) => Opened::File(File::open(path).map_err(|error| unreadable(&name, &error))?),
        };
        Ok(Self { name, source })
    }

    /// Reads it from its beginning.
    pub(super) fn pass<'a>(&'a self, sum: &'a mut Sum) -> Result<Pass<'a>, SourceError> {
        let failed = |error: io::Error| unreadable(&self.name, &error);
        let input: Box<dyn Read + 'a> = match &self.source {
            Opened::File(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(0)).map_err(failed)?;
                Box::new(file)
            }
            Opened::Text(text) => Box::new(&text[..]),
        };
        let mut text = BufReader::with_capacity(1 << 16, Summed { input, sum });
        match foreign(text.fill_buf().map_err(failed)?) {
            None => Ok(text),
            Some((is, remedy)) => Err(SourceError::new(
                Reason::InvalidData,
                format!("{} is {is}, and an LDIF export is text in lines; {remedy}", self.name),
            )),
        }
    }
}

impl Sum {
    /// The same for the same text.
    pub(super) fn digest(&self) -> String {
        hexadecimal(&self.hash.clone().finalize())
    }
}

impl Read for Summed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        let read = into.get(..count).unwrap_or_default();
        self.sum.hash.update(read);
        Ok(count)
    }
}

fn unreadable(name: &str, error: &io::Error) -> SourceError {
    let message = format!("{name} cannot be read: {error}; check the path and its permissions");
    SourceError::new(Reason::NotFound, message)
}

/// What a file that begins so is, if it is no text, and what to do.
fn foreign(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let known = FOREIGN.iter().find(|(magic, ..)| start.starts_with(magic));
    // Without a mark, by where the zeros stand in the first letters, which are ASCII.
    let zeros = start.get(..4).map(|letters| [0, 1, 2, 3].map(|at| letters.get(at) == Some(&0)));
    let wide = || match zeros? {
        [false, true, true, true] => {
            Some(("encoded in UTF-32", "LDIF is UTF-8: convert it (iconv -f UTF-32LE -t UTF-8)"))
        }
        [true, true, true, false] => {
            Some(("encoded in UTF-32", "LDIF is UTF-8: convert it (iconv -f UTF-32BE -t UTF-8)"))
        }
        [false, true, false, true] => {
            Some(("encoded in UTF-16", "LDIF is UTF-8: convert it (iconv -f UTF-16LE -t UTF-8)"))
        }
        [true, false, true, false] => {
            Some(("encoded in UTF-16", "LDIF is UTF-8: convert it (iconv -f UTF-16BE -t UTF-8)"))
        }
        _ => None,
    };
    let old = || {
        let (is, remedy) = ("in lines that end with a carriage return alone", "convert it (tr '\\r' '\\n')");
        (start.contains(&b'\r') && !start.contains(&b'\n')).then_some((is, remedy))
    };
    known.map(|(_, is, remedy)| (*is, *remedy)).or_else(wide).or_else(old)
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
    #[case(b"d\x00n\x00:\x00", "UTF-16LE")]
    #[case(b"\x00d\x00n\x00:", "UTF-16BE")]
    #[case(b"\xff\xfe\x00\x00d\x00\x00\x00", "UTF-32 -t")]
    #[case(b"\x00\x00\xfe\xff\x00\x00\x00d", "UTF-32 -t")]
    #[case(b"d\x00\x00\x00n\x00\x00\x00", "UTF-32LE")]
    #[case(b"\x00\x00\x00d\x00\x00\x00n", "UTF-32BE")]
    #[case(b"\x5d\x00\x00\x80\x00\xff", "unlzma")]
    #[case(b"LZIP\x01", "lzip")]
    #[case(b"\x1f\x9d\x90", "uncompress")]
    #[case(b"Rar!\x1a\x07", "unrar")]
    #[case(b"dn: dc=x\rdc: x\r\rdn: ou=a,dc=x\r", "carriage return")]
    fn what_is_no_text_is_named_with_the_remedy(#[case] bytes: &[u8], #[case] said: &str) {
        let text = Text::open(&Input::Text(bytes.into()), "a.ldif").unwrap();
        let Err(error) = text.pass(&mut Sum::default()) else { panic!("it was taken") };
        assert!(error.message.contains(said) && error.message.contains("a.ldif"), "{error}");
    }

    #[rstest]
    #[case(b"")]
    #[case(b"dn: dc=x\n")]
    #[case(b"\xef\xbb\xbfdn: dc=x\n")]
    #[case(b"\n\ndn: dc=x\n")]
    #[case(b"dn: dc=x\r\ndc: x\r\n")]
    fn text_is_taken(#[case] bytes: &[u8]) {
        let text = Text::open(&Input::Text(bytes.into()), "a.ldif").unwrap();
        assert!(text.pass(&mut Sum::default()).is_ok());
    }

    /// What one pass reads.
    fn read(text: &Text) -> (String, Sum) {
        let (mut sum, mut read) = (Sum::default(), String::new());
        text.pass(&mut sum).unwrap().read_to_string(&mut read).unwrap();
        (read, sum)
    }

    #[test]
    fn a_file_that_takes_the_place_of_another_is_not_read_as_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ldif");
        fs::write(&path, "dn: dc=x\n").unwrap();
        let text = Text::open(&Input::Path(path.clone()), "a.ldif").unwrap();
        let (_, first) = read(&text);
        fs::write(folder.path().join("new"), "dn: dc=y\n").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        let (again, second) = read(&text);
        assert_eq!(again, "dn: dc=x\n");
        assert_eq!(first.digest(), second.digest());
    }

    #[rstest]
    #[case::longer("dn: dc=x\n\ndn: ou=y,dc=x\n")]
    #[case::shorter("dn")]
    #[case::as_long("dn: dc=y\n")]
    fn a_file_that_is_written_while_it_is_read_is_another_one(#[case] other: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ldif");
        fs::write(&path, "dn: dc=x\n").unwrap();
        let text = Text::open(&Input::Path(path.clone()), "a.ldif").unwrap();
        let (_, first) = read(&text);
        fs::write(&path, other).unwrap();
        assert_ne!(first.digest(), read(&text).1.digest());
    }
}
