//! What all targets that are services have in common: an address, a client's id and secret, a certificate authority.

use std::borrow::Cow;

use super::object::{Name, Objects};
use super::reference::CLIENT;
use crate::api::connector::Trust;
use crate::api::reference::{KeyRef, SecretRef};
use crate::net::http::Url;
use crate::secret::Secret;

/// A problem of a field, and whether it is one of what the field refers to.
pub(super) struct Wrong {
    pub(super) field: String,
    pub(super) why: String,
    pub(super) elsewhere: bool,
}

/// The address, as it names the target.
pub(super) fn place(url: &str) -> Cow<'_, str> {
    match Url::parse(url) {
        Ok(url) => Cow::Owned(url.as_str().trim_end_matches('/').to_owned()),
        Err(_) => Cow::Borrowed(url),
    }
}

/// Reads the fields of a service; what is wrong is collected.
pub(super) struct Service<'a> {
    /// Where its fields are.
    at: &'static str,
    /// An address as it should be.
    such_as: &'static str,
    name: &'a Name,
    objects: &'a Objects,
    pub(super) wrong: Vec<Wrong>,
}

impl<'a> Service<'a> {
    pub(super) fn new(at: &'static str, such_as: &'static str, name: &'a Name, objects: &'a Objects) -> Self {
        Self { at, such_as, name, objects, wrong: Vec::new() }
    }

    pub(super) fn url(&mut self, field: &str, text: &str, insecure: bool) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|url| {
            url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        match url {
            Some(url) if url.scheme() == "https" || (insecure && url.scheme() == "http") => Some(url),
            Some(url) if url.scheme() == "http" => {
                self.wrong(
                    field,
                    "must begin with https://; insecure: true allows http://, for tests only".to_owned(),
                );
                None
            }
            _ => {
                self.wrong(field, format!("{text:?} is no address such as {}", self.such_as));
                None
            }
        }
    }

    /// A client's id and secret, from the keys of a Secret.
    pub(super) fn client(&mut self, field: &str, secret: &SecretRef) -> Option<(String, Secret)> {
        let [id, secret] =
            CLIENT.map(|key| self.token(&KeyRef { name: secret.name.clone(), key: key.to_owned() }));
        let id = id.and_then(|id| {
            let text = String::from_utf8(id.without_line_end().to_vec());
            text.map_err(|_| "the client's id is not UTF-8 text".to_owned())
        });
        let id = self.followed(field, id);
        let secret = self.followed(field, secret);
        Some((id?, secret?))
    }

    pub(super) fn token(&self, reference: &KeyRef) -> Result<Secret, String> {
        let token = self.objects.secret(self.name, &reference.name, &reference.key)?;
        match std::str::from_utf8(token.without_line_end()) {
            Ok(text) if !text.trim().is_empty() => Ok(token.clone()),
            _ => Err(format!(
                "the key {} of Secret {} holds no token",
                reference.key,
                self.name.beside(&reference.name)
            )),
        }
    }

    /// The certificate authorities to trust, if some are named.
    pub(super) fn authorities(&mut self, tls: &Trust) -> Option<Vec<u8>> {
        let ca_pem = tls.ca_ref.as_ref().map(|ca| self.objects.certificates(self.name, ca))?;
        self.followed("tls.caRef", ca_pem)
    }

    pub(super) fn followed<T>(&mut self, field: &str, followed: Result<T, String>) -> Option<T> {
        followed
            .map_err(|why| {
                self.wrong.push(Wrong { field: format!("{}.{field}", self.at), why, elsewhere: true });
            })
            .ok()
    }

    pub(super) fn wrong(&mut self, field: &str, why: String) {
        self.wrong.push(Wrong { field: format!("{}.{field}", self.at), why, elsewhere: false });
    }
}
