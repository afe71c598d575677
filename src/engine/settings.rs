//! `engine.yaml`: what whoever runs the engine says. The cluster cannot change any of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::veto::{Veto, VetoSettings};
use crate::api;
use crate::net::http::{self, Http, HttpError, Proxy, Url};
use crate::secret::Secret;

/// Where the engine keeps its key unless the file says otherwise.
const STATE: &str = "/var/lib/rollcall-engine";
/// The file is no longer.
const LONGEST: u64 = 1 << 20;

/// What `engine.yaml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Where the gateway is.
    pub gateway: Gateway,
    /// Where the engine keeps its key.
    #[serde(default = "state")]
    pub state_dir: PathBuf,
    /// Where the directory is, and who reads it.
    pub directory: Directory,
    /// What alone may leave the network; everything if absent.
    #[serde(default)]
    pub may_leave: VetoSettings,
    /// What may not.
    #[serde(default)]
    pub withhold: VetoSettings,
    /// The directory is not read more often.
    #[serde(default)]
    pub not_more_often_than: Option<api::Duration>,
    /// Whether nothing is read.
    #[serde(default)]
    pub stop: bool,
}

/// Where the gateway is, and how it is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Gateway {
    /// Its address.
    pub url: String,
    /// The certificate authorities that may vouch for it; the system's if absent.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The digest of its certificate's public key.
    #[serde(default)]
    pub pin: Option<String>,
    /// The proxy on the way; that of the environment if absent.
    #[serde(default)]
    pub proxy: Option<ProxySettings>,
}

/// A proxy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProxySettings {
    /// Where it is.
    pub url: String,
    /// Who may use it.
    #[serde(default)]
    pub credentials: Option<Credentials>,
}

/// A name and a password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The file with the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The name of the systemd credential with the password (`LoadCredential=`, `LoadCredentialEncrypted=`).
    #[serde(default)]
    pub password_credential: Option<String>,
}

/// Where the directory is: exactly one of these, the kind that the connector names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Directory {
    /// A domain of Active Directory.
    #[serde(default)]
    pub active_directory: Option<Server>,
    /// Any other LDAPv3 server.
    #[serde(default)]
    pub ldap: Option<Server>,
}

/// Where a server is, and who reads it, in the words of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Server {
    /// `ldaps://host[:port]` or `ldap://host[:port]`, tried in order.
    pub urls: Vec<String>,
    /// Secures connections to `ldap://` with StartTLS.
    #[serde(default, rename = "startTLS")]
    pub start_tls: bool,
    /// Allows `ldap://` without StartTLS.
    #[serde(default)]
    pub insecure: bool,
    /// How the server's certificate is verified.
    #[serde(default)]
    pub tls: Tls,
    /// Who reads; anonymous if absent.
    #[serde(default)]
    pub credentials: Option<Credentials>,
}

/// How a server's certificate is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Tls {
    /// The certificate authorities to trust, and no other; the system's if absent.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The name in the certificate; the url's host if absent.
    #[serde(default)]
    pub server_name: Option<String>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    File(PathBuf, #[source] io::Error),
    /// It is not what it must be.
    #[error("{0}: {1}")]
    Invalid(PathBuf, String),
    /// The gateway's TLS or proxy cannot be used.
    #[error(transparent)]
    Http(#[from] HttpError),
}

fn state() -> PathBuf {
    STATE.into()
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or something is wrong with it.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = text(path)?;
        let invalid = |why: String| SettingsError::Invalid(path.to_owned(), why);
        let settings: Self = serde_yaml::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        settings.check().map_err(invalid)?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        if !http::is_place(&self.gateway.url) {
            return Err(
                "gateway.url must be https:// and a host, such as https://engines.corp.example".to_owned()
            );
        }
        self.pin()?;
        let ((Some(server), None) | (None, Some(server))) =
            (&self.directory.active_directory, &self.directory.ldap)
        else {
            return Err("directory: name exactly one kind, activeDirectory or ldap".to_owned());
        };
        if server.urls.is_empty() {
            return Err("directory: name at least one of urls, such as ldaps://dc1.corp.example".to_owned());
        }
        for url in &server.urls {
            crate::source::ldap::check_url(url, server.start_tls, server.insecure)?;
        }
        let proxy = self.gateway.proxy.iter().filter_map(|proxy| proxy.credentials.as_ref());
        for credentials in server.credentials.iter().chain(proxy) {
            if credentials.password_file.is_some() == credentials.password_credential.is_some() {
                return Err("credentials: name exactly one of passwordFile and passwordCredential".to_owned());
            }
        }
        if self.not_more_often_than.as_ref().is_some_and(|text| text.get().is_none()) {
            return Err("notMoreOftenThan: write a duration with s, m and h, such as 15m".to_owned());
        }
        self.veto().map(|_| ())
    }

    /// What may leave.
    ///
    /// # Errors
    /// When something in it is no base, attribute or class.
    pub(super) fn veto(&self) -> Result<Veto, String> {
        Veto::new(&self.may_leave, &self.withhold)
    }

    /// Whether the same directory is read by the same account, and the same of it may leave.
    pub(super) fn read_the_same(&self, other: &Self) -> bool {
        self.directory == other.directory
            && self.may_leave == other.may_leave
            && self.withhold == other.withhold
    }

    /// How long one read must be after another.
    pub(super) fn pause(&self) -> Duration {
        self.not_more_often_than.as_ref().and_then(api::Duration::get).unwrap_or_default()
    }

    fn pin(&self) -> Result<Option<[u8; 32]>, String> {
        let Some(pin) = &self.gateway.pin else { return Ok(None) };
        let bytes = pin.strip_prefix("sha256/").and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Some).ok_or_else(|| {
            "gateway.pin: write sha256/ and the SHA-256 of the public key in base64, as docs/sync-engine.md shows".to_owned()
        })
    }

    /// The client for the gateway.
    ///
    /// # Errors
    /// When a file cannot be read, or what it holds cannot be used.
    pub fn http(&self) -> Result<Http, SettingsError> {
        let Gateway { ca_file, proxy, .. } = &self.gateway;
        let ca_pem = ca_file.as_deref().map(text).transpose()?;
        let proxy = proxy.as_ref().map(|proxy| {
            let invalid = |why: &str| SettingsError::Invalid(proxy.url.clone().into(), why.to_owned());
            let url: Url = proxy.url.parse().map_err(|_| invalid("gateway.proxy.url is no url"))?;
            let account = proxy.credentials.as_ref().map(Credentials::read).transpose()?;
            Ok::<_, SettingsError>(Proxy { url, account })
        });
        let pin = self.pin().map_err(|why| SettingsError::Invalid("engine.yaml".into(), why))?;
        Ok(Http::pinned(ca_pem.as_deref(), pin, proxy.transpose()?.as_ref())?)
    }
}

impl Credentials {
    /// Name and password.
    pub(super) fn read(&self) -> Result<(String, Secret), SettingsError> {
        let path = match (&self.password_file, &self.password_credential) {
            (Some(path), _) => path.clone(),
            (None, Some(name)) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    let why = "systemd gives this process no credentials: add LoadCredential= to its unit";
                    SettingsError::Invalid(name.into(), why.to_owned())
                })?;
                Path::new(&folder).join(name)
            }
            (None, None) => PathBuf::new(),
        };
        let password = Secret::new(text(&path)?);
        if password.without_line_end().is_empty() {
            return Err(SettingsError::Invalid(
                path,
                "the password is empty; nobody would be asked for one".to_owned(),
            ));
        }
        Ok((self.username.clone(), Secret::new(password.without_line_end())))
    }
}

/// What a file holds.
pub(super) fn text(path: &Path) -> Result<Vec<u8>, SettingsError> {
    let failed = |error| SettingsError::File(path.to_owned(), error);
    if fs::metadata(path).map_err(failed)?.len() > LONGEST {
        return Err(SettingsError::Invalid(path.to_owned(), format!("has more than {LONGEST} bytes")));
    }
    fs::read(path).map_err(failed)
}
