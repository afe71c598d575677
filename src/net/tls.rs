//! TLS for clients: one provider (aws-lc-rs), the system's certificate authorities or the given ones.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

/// Why no TLS configuration can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The text holds no certificate that can be read.
    #[error("the given certificate authorities cannot be read: {0}")]
    BadCertificates(String),
    /// The system trusts nobody.
    #[error(
        "this system has no certificate authorities to trust; install its CA certificates, or name one with tls.caRef"
    )]
    NoSystemRoots,
    /// The TLS library refuses.
    #[error("TLS cannot be used: {0}")]
    Library(String),
}

/// Trusts the certificate authorities in `ca_pem` and no other; without it those that the system
/// trusts.
///
/// # Errors
/// When `ca_pem` holds no certificate or a bad one, or the system trusts none.
pub fn client_config(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = roots(ca_pem)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Library(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn roots(ca_pem: Option<&[u8]>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = ca_pem {
        let unreadable = |why: String| TlsError::BadCertificates(why);
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unreadable("they have no certificate".to_owned()));
        }
    } else {
        // One certificate that cannot be read must not cost the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(TlsError::NoSystemRoots);
        }
    }
    Ok(roots)
}

/// The same, with TLS 1.3 alone. If there is a `pin`, the server's own certificate must also have a public key of this SHA-256 (over its
/// `SubjectPublicKeyInfo`).
///
/// # Errors
/// As for [`client_config`].
pub fn pinned_config(ca_pem: Option<&[u8]>, pin: Option<[u8; 32]>) -> Result<Arc<ClientConfig>, TlsError> {
    let library = |error: String| TlsError::Library(error);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(roots(ca_pem)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
    let verifier = Arc::new(Pinned { verifier: verifier.map_err(|error| library(error.to_string()))?, pin });
    let builder =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let builder = builder.map_err(|error| library(error.to_string()))?;
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// Verifies a certificate as always, and then its key.
#[derive(Debug)]
struct Pinned {
    verifier: Arc<WebPkiServerVerifier>,
    pin: Option<[u8; 32]>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(own, issuers, name, ocsp, now)?;
        if self.pin.is_none_or(|pin| key_digest(own) == Some(pin)) {
            return Ok(verified);
        }
        Err(rustls::Error::General("its key is not the one that is pinned".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The SHA-256 of a certificate's public key, if it can be read.
pub fn key_digest(certificate: &[u8]) -> Option<[u8; 32]> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Sha256::digest(certificate.public_key().raw).into())
}

/// When a certificate (DER) ends, if it can be read.
pub fn ends_at(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// Explains what is wrong with a server's certificate, and what to do; `name` is the expected host name.
pub fn explain(error: &rustls::Error, name: &str) -> String {
    let rustls::Error::InvalidCertificate(wrong) = error else {
        return format!("the TLS connection failed: {error}");
    };
    match wrong {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate was not issued by a trusted authority; name its certificate authority with tls.caRef".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; renew it (or correct this machine's clock)".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; correct the clock of this machine or of the machine that issued it".to_owned()
        }
        CertificateError::NotValidForName => format!("its certificate is not for {name}; set tls.serverName"),
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "its certificate is not for {name} but for {}; use one of these as the host of the URL, or set tls.serverName",
            presented.join(", ")
        ),
        // What `openssl req -x509` makes when nobody says otherwise; the library has no name for it.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is a certificate authority's own; give the server a certificate issued by this \
             authority, or create it again with basicConstraints=CA:FALSE"
                .to_owned()
        }
        other => format!("its certificate is not accepted: {other}"),
    }
}
