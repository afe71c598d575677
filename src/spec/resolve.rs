//! Resolves references to Secrets and ConfigMaps.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::object::{Name, Objects};
use super::reference::{CERTIFICATE, CREDENTIALS};
use crate::api::reference::{CaKind, CaRef, KeyRef, SecretRef};
use crate::net::oauth::{AccountKey, Signer};
use crate::secret::Secret;
use crate::source::ldap::Bind;

/// What a reference leads to, or what is wrong with it.
type Followed<T> = Result<T, String>;

impl Objects {
    /// User name and password, as `kubernetes.io/basic-auth` has them.
    pub(super) fn credentials(&self, of: &Name, reference: &SecretRef) -> Followed<Bind> {
        let [username, password] = CREDENTIALS.map(|key| self.secret(of, &reference.name, key));
        let (username, password) = (username?, password?);
        let dn = String::from_utf8(username.expose().to_vec()).map_err(|_| {
            format!("the key username of Secret {} is not UTF-8 text", of.beside(&reference.name))
        })?;
        if std::str::from_utf8(password.expose()).is_err() {
            return Err(format!(
                "the key password of Secret {} is not UTF-8 text",
                of.beside(&reference.name)
            ));
        }
        if password.without_line_end().is_empty() {
            // RFC 4513 section 5.1.2: servers take an empty password for an anonymous bind, and say yes.
            return Err(format!("the key password of Secret {} is empty", of.beside(&reference.name)));
        }
        Ok(Bind { dn: dn.trim().to_owned(), password: password.clone() })
    }

    /// A client secret.
    pub(super) fn client_secret(&self, of: &Name, reference: &KeyRef) -> Followed<Secret> {
        let secret = self.secret(of, &reference.name, &reference.key)?;
        let holds =
            |what: &str| format!("the key {} of Secret {} {what}", reference.key, of.beside(&reference.name));
        match std::str::from_utf8(secret.without_line_end()) {
            Err(_) => Err(holds("is not UTF-8 text")),
            Ok(text) if text.trim().is_empty() => Err(holds("is empty")),
            // What the portal shows first, and is of no use: a secret's value is never of that form.
            Ok(text) if Uuid::try_parse(text.trim()).is_ok() => Err(holds(
                "holds the secret's ID; put its value there, which the portal shows once, when it is made",
            )),
            Ok(_) => Ok(secret.clone()),
        }
    }

    /// A certificate and its key, as `kubernetes.io/tls` has them.
    pub(super) fn signer(&self, of: &Name, reference: &SecretRef) -> Followed<Signer> {
        if self.assumed.contains(&of.beside(&reference.name)) {
            return Ok(Signer::assumed());
        }
        let [certificate, key] = CERTIFICATE.map(|key| self.secret(of, &reference.name, key));
        Signer::new(certificate?.expose(), key?)
            .map_err(|why| format!("Secret {}: {why}", of.beside(&reference.name)))
    }

    /// The key of a service account, as Google writes it into a file.
    pub(super) fn account_key(&self, of: &Name, reference: &KeyRef) -> Followed<AccountKey> {
        if self.assumed.contains(&of.beside(&reference.name)) {
            return Ok(AccountKey::assumed());
        }
        let file = self.secret(of, &reference.name, &reference.key)?;
        AccountKey::read(file).map_err(|why| {
            format!("the key {} of Secret {} {why}", reference.key, of.beside(&reference.name))
        })
    }

    /// Certificates in PEM form.
    pub(super) fn certificates(&self, of: &Name, reference: &CaRef) -> Followed<Vec<u8>> {
        let key = KeyRef { name: reference.name.clone(), key: reference.key.clone() };
        let pem = match reference.kind {
            CaKind::ConfigMap => self.config_map(of, &key)?,
            CaKind::Secret => self.secret(of, &key.name, &key.key)?.expose().to_vec(),
        };
        let begins = b"-----BEGIN CERTIFICATE-----";
        if !pem.windows(begins.len()).any(|window| window == begins) {
            return Err(format!(
                "the key {} of {:?} {} has no certificate in PEM format (-----BEGIN CERTIFICATE-----)",
                reference.key,
                reference.kind,
                of.beside(&reference.name)
            ));
        }
        Ok(pem)
    }

    pub(super) fn secret(&self, of: &Name, name: &str, key: &str) -> Followed<&Secret> {
        let name = of.beside(name);
        let Some(data) = self.secrets.get(&name) else {
            return Err(self.missing("Secret", &name, &self.secrets));
        };
        data.get(key).ok_or_else(|| no_key("Secret", &name, key, data))
    }

    pub(super) fn config_map(&self, of: &Name, reference: &KeyRef) -> Followed<Vec<u8>> {
        let name = of.beside(&reference.name);
        let Some(data) = self.config_maps.get(&name) else {
            return Err(self.missing("ConfigMap", &name, &self.config_maps));
        };
        data.get(&reference.key).cloned().ok_or_else(|| no_key("ConfigMap", &name, &reference.key, data))
    }

    fn missing<T>(&self, kind: &str, name: &Name, all: &BTreeMap<Name, T>) -> String {
        let beside = all.keys().filter(|other| other.namespace == name.namespace);
        let there: Vec<&str> = beside.map(|other| other.name.as_str()).collect();
        let there = match there.as_slice() {
            _ if self.partial => String::new(),
            [] => " (in that namespace there is: none)".to_owned(),
            there => format!(" (in that namespace there is: {})", there.join(", ")),
        };
        format!("there is no {kind} {name}{there}; add it, or correct the name")
    }
}

fn no_key<T>(kind: &str, name: &Name, key: &str, data: &BTreeMap<String, T>) -> String {
    let there: Vec<&str> = data.keys().map(String::as_str).collect();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    format!("{kind} {name} has no key {key} (it has: {there}); add the key, or correct its name")
}
