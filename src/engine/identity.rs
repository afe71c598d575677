//! Who the engine is: its key, which never leaves the machine.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::secret::Secret;
use crate::wire::{NoKey, SigningKey};

/// The file with the private key.
const KEY: &str = "key";
/// The same before the gateway has enrolled it.
const NEW: &str = "key.new";

/// Who the engine is.
#[derive(Debug)]
pub struct Identity {
    /// Its key.
    pub key: SigningKey,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It has not joined.
    #[error(
        "this engine has not joined: there is no key at {0}. Get a token from the connector's status, and run `rollcall engine join`"
    )]
    Missing(PathBuf),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// Others may read it.
    #[error(
        "{0} can be read by others; its mode must be 0600: run `chmod 600 {0}`, and join again if others may have read it"
    )]
    Open(PathBuf),
    /// It is none.
    #[error("{0}: {1}")]
    NoKey(PathBuf, #[source] NoKey),
}

impl Identity {
    /// The one that is kept in this folder.
    ///
    /// # Errors
    /// When there is none, or others may read it.
    pub fn read(folder: &Path) -> Result<Self, IdentityError> {
        let path = folder.join(KEY);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => IdentityError::Missing(path.clone()),
            _ => IdentityError::File(path.clone(), error),
        };
        let meta = fs::symlink_metadata(&path).map_err(failed)?;
        if !is_private(&meta) {
            return Err(IdentityError::Open(path));
        }
        let bytes = Secret::new(fs::read(&path).map_err(failed)?);
        let key = SigningKey::read(&bytes).map_err(|why| IdentityError::NoKey(path, why))?;
        Ok(Self { key })
    }

    /// A new one, which is kept beside the one that there may be, until it is enrolled.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: &Path) -> Result<Self, IdentityError> {
        let path = folder.join(NEW);
        let failed = |error| IdentityError::File(path.clone(), error);
        fs::create_dir_all(folder).map_err(failed)?;
        let (key, bytes) = SigningKey::generate().map_err(|why| IdentityError::NoKey(path.clone(), why))?;
        // One that a join left that did not come to its end.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut file =
            private(&mut OpenOptions::new()).write(true).create_new(true).open(&path).map_err(failed)?;
        file.write_all(bytes.expose()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self { key })
    }

    /// The new one is enrolled: it is the one from now on.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn keep(folder: &Path) -> Result<(), IdentityError> {
        let path = folder.join(KEY);
        fs::rename(folder.join(NEW), &path).map_err(|error| IdentityError::File(path, error))
    }
}

#[cfg(unix)]
fn is_private(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    meta.is_file() && (meta.mode() & 0o077).count_ones() == 0
}

#[cfg(not(unix))]
fn is_private(meta: &fs::Metadata) -> bool {
    meta.is_file()
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_for_its_owner_alone_and_another_one_counts_only_once_it_is_enrolled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert!(matches!(Identity::read(&path), Err(IdentityError::Missing(_))));
        let first = Identity::create(&path).unwrap().key.public();
        assert!(matches!(Identity::read(&path), Err(IdentityError::Missing(_))));
        Identity::keep(&path).unwrap();
        assert_eq!(Identity::read(&path).unwrap().key.public(), first);
        let second = Identity::create(&path).unwrap().key.public();
        assert!(first != second && Identity::read(&path).unwrap().key.public() == first);
        let key = path.join(KEY);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Identity::read(&path), Err(IdentityError::Open(_))));
    }
}
