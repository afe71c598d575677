//! The signature of a request: it binds the request's method, path and body to the key that signed it, to the process of the gateway
//! that it is for, and to a moment.

use std::fmt;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::hex;
use crate::secret::Secret;

/// How a signature begins: a later form would begin otherwise.
const FORM: &str = "rollcall-engine-1";
/// No signature is longer.
const LONGEST: usize = 1024;

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

/// A public key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// How a key is called: the beginning of its digest, as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// There is no key, or it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no Ed25519 key as `rollcall engine join` makes them")]
pub struct NoKey;

/// What a signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Which key signed.
    pub key: KeyId,
    /// For which process of the gateway.
    pub instance: String,
    /// Which process of the engine: a later one has a greater text.
    pub session: String,
    /// When.
    pub at: Timestamp,
    /// A number that comes once.
    pub nonce: String,
    /// The digest of the body.
    pub body: String,
}

/// What a signature says that came, and the signature itself.
pub struct Signed {
    /// What it says.
    pub stamp: Stamp,
    signature: Vec<u8>,
}

impl SigningKey {
    /// A new key, and the bytes to keep of it (PKCS #8).
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn generate() -> Result<(Self, Secret), NoKey> {
        let bytes = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| NoKey)?;
        let bytes = Secret::new(bytes.as_ref());
        Ok((Self::read(&bytes)?, bytes))
    }

    /// The key of the bytes that were kept.
    ///
    /// # Errors
    /// When they are none.
    pub fn read(bytes: &Secret) -> Result<Self, NoKey> {
        Ed25519KeyPair::from_pkcs8(bytes.expose()).map(Self).map_err(|_| NoKey)
    }

    /// Its public half.
    ///
    /// # Errors
    /// When it has none, which does not happen.
    pub fn public(&self) -> Result<PublicKey, NoKey> {
        PublicKey::of(self.0.public_key().as_ref())
    }

    /// The signature of a request, as it stands in the header.
    pub fn sign(&self, stamp: &Stamp, method: &str, path: &str) -> String {
        let signature = self.0.sign(stamp.text(method, path).as_bytes());
        let Stamp { key, instance, session, at, nonce, body } = stamp;
        let (at, signature) = (at.as_millisecond(), hex::encode(signature.as_ref()));
        format!("{FORM} {key} {instance} {session} {at} {nonce} {body} {signature}")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl PublicKey {
    /// The key of 32 bytes.
    ///
    /// # Errors
    /// When they are more or less.
    pub fn of(bytes: &[u8]) -> Result<Self, NoKey> {
        bytes.try_into().map(Self).map_err(|_| NoKey)
    }

    /// The key of hexadecimal digits.
    ///
    /// # Errors
    /// When they are of no key.
    pub fn parse(digits: &str) -> Result<Self, NoKey> {
        Self::of(&hex::decode(digits.trim()).ok_or(NoKey)?)
    }

    /// As hexadecimal digits.
    pub fn digits(&self) -> String {
        hex::encode(&self.0)
    }

    /// How it is called.
    pub fn id(&self) -> KeyId {
        KeyId(hex::encode(&Sha256::digest(self.0)[..16]))
    }

    /// Whether a request was signed with this key's private half.
    pub fn verifies(&self, signed: &Signed, method: &str, path: &str) -> bool {
        let text = signed.stamp.text(method, path);
        signed.stamp.key == self.id()
            && UnparsedPublicKey::new(&ED25519, &self.0).verify(text.as_bytes(), &signed.signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl KeyId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Stamp {
    /// A number that comes once.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn nonce() -> Result<String, NoKey> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).map_err(|_| NoKey)?;
        Ok(hex::encode(&bytes))
    }

    /// How this process of the engine is called, which began at that moment: a later one has a greater text.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn session_of(began: Timestamp) -> Result<String, NoKey> {
        let began = u64::try_from(began.as_millisecond()).unwrap_or_default();
        Ok(format!("{began:016x}{}", Self::nonce()?))
    }

    /// When this process of the engine began, by its own clock; `None` if that is no moment.
    pub fn began(&self) -> Option<Timestamp> {
        let began = i64::from_str_radix(self.session.get(..16)?, 16).ok()?;
        Timestamp::from_millisecond(began).ok()
    }

    /// What is signed. No part of it can hold a line end.
    fn text(&self, method: &str, path: &str) -> String {
        let Self { key, instance, session, at, nonce, body } = self;
        let at = at.as_millisecond();
        format!("{FORM}\n{method}\n{path}\n{key}\n{instance}\n{session}\n{at}\n{nonce}\n{body}\n")
    }
}

impl Signed {
    /// What a header says; `None` if it is no signature.
    pub fn parse(header: &str) -> Option<Self> {
        if header.len() > LONGEST {
            return None;
        }
        let parts: Vec<&str> = header.split(' ').collect();
        let [form, key, instance, session, at, nonce, body, signature] = parts[..] else { return None };
        let is_hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let fits = form == FORM
            && is_hex(key, 32)
            && is_hex(instance, 32)
            && is_hex(session, 48)
            && is_hex(nonce, 32)
            && is_hex(body, 64)
            && is_hex(signature, 128);
        let at = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
        fits.then(|| Self {
            stamp: Stamp {
                key: KeyId(key.to_owned()),
                instance: instance.to_owned(),
                session: session.to_owned(),
                at,
                nonce: nonce.to_owned(),
                body: body.to_owned(),
            },
            signature: hex::decode(signature).unwrap_or_default(),
        })
    }
}

/// The digest of a body.
pub fn digest(body: &[u8]) -> String {
    hex::encode(&Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp(key: &SigningKey) -> Stamp {
        Stamp {
            key: key.public().unwrap().id(),
            instance: "a".repeat(32),
            session: "b".repeat(48),
            at: Timestamp::from_second(1_800_000_000).unwrap(),
            nonce: Stamp::nonce().unwrap(),
            body: digest(b"body"),
        }
    }

    #[test]
    fn a_signature_is_of_one_request_and_one_key() {
        let ((key, kept), (other, _)) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let (stamp, public) = (stamp(&key), key.public().unwrap());
        let header = key.sign(&stamp, "POST", "/v1/work");
        let signed = Signed::parse(&header).unwrap();
        assert_eq!(signed.stamp, stamp);
        assert!(public.verifies(&signed, "POST", "/v1/work"));
        assert!(
            !public.verifies(&signed, "GET", "/v1/work") && !public.verifies(&signed, "POST", "/v1/join")
        );
        assert!(!other.public().unwrap().verifies(&signed, "POST", "/v1/work"));
        let of_other = Signed::parse(&other.sign(&stamp, "POST", "/v1/work")).unwrap();
        assert!(
            !public.verifies(&of_other, "POST", "/v1/work")
                && !other.public().unwrap().verifies(&of_other, "POST", "/v1/work")
        );
        assert_eq!(SigningKey::read(&kept).unwrap().public(), Ok(public.clone()));
        assert_eq!(PublicKey::parse(&format!("{}\n", public.digits())), Ok(public));
        assert_eq!(PublicKey::parse("00"), Err(NoKey));
        assert!(SigningKey::read(&Secret::new("x")).is_err());
        assert!(!format!("{key:?}").contains(&hex::encode(kept.expose())));
    }

    proptest! {
        /// No digit of it can be another one: all of it is signed.
        #[test]
        fn nothing_of_a_signature_can_be_altered(at in any::<prop::sample::Index>(), sign in "[0-9a-f ]") {
            let (key, _) = SigningKey::generate().unwrap();
            let header = key.sign(&stamp(&key), "POST", "/v1/work");
            let at = at.index(header.len());
            let altered = format!("{}{sign}{}", &header[..at], &header[at + 1..]);
            prop_assume!(altered != header);
            let fits = Signed::parse(&altered).is_some_and(|it| key.public().unwrap().verifies(&it, "POST", "/v1/work"));
            prop_assert!(!fits, "{}", altered);
        }

        #[test]
        fn whatever_comes_is_no_signature(header in "\\PC{0,200}") {
            prop_assert!(Signed::parse(&header).is_none());
        }
    }
}
