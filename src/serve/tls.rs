//! TLS for servers: one provider (aws-lc-rs), TLS 1.2 or newer, and a certificate that can be renewed while
//! it is in use.

use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificate that a listener shows; clones share it.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(super) config: RustlsConfig,
}

/// Why a certificate and its key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The certificate is none.
    #[error(
        "the certificate cannot be read ({0}); give the server's own certificate and then its issuers', as PEM"
    )]
    Certificate(String),
    /// The key is none.
    #[error(
        "the private key cannot be read ({0}); give it as PEM, not encrypted (PKCS #8, PKCS #1 or SEC 1)"
    )]
    Key(String),
    /// The two are not of one pair.
    #[error("the private key is not the certificate's; take both from one Secret of type kubernetes.io/tls")]
    Mismatch,
    /// The TLS library refuses.
    #[error("the certificate and its key cannot be used: {0}; have them issued again")]
    Library(String),
}

impl Tls {
    /// Shows the certificate in `certificate_pem`, its issuers after it.
    ///
    /// # Errors
    /// When there is no certificate or no key in the PEM, or they are not a pair.
    pub fn new(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, TlsError> {
        Ok(Self { config: RustlsConfig::from_config(server_config(certificate_pem, key_pem)?) })
    }

    /// Uses another certificate for new connections; an invalid one changes nothing.
    ///
    /// # Errors
    /// When there is no certificate or no key in the PEM, or they are not a pair. The ones of before stay in use.
    pub fn reload(&self, certificate_pem: &[u8], key_pem: &[u8]) -> Result<(), TlsError> {
        self.config.reload_from_config(server_config(certificate_pem, key_pem)?);
        Ok(())
    }
}

fn server_config(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate_pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(TlsError::Certificate("there is none in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| TlsError::Key(error.to_string()))?;
    let library = |error: rustls::Error| TlsError::Library(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(library)?;
    let mut config =
        builder.with_no_client_auth().with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch,
            other => library(other),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn says_what_is_wrong_with_a_pair() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        let why = |certificate: &str, key: &str| {
            Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap_err().to_string()
        };
        assert!(why("", &key).contains("there is none in it"));
        assert!(why(&key, &key).contains("there is none in it"));
        assert!(why(&certificate, "").contains("the private key cannot be read"));
        assert!(why(&certificate, &certificate).contains("the private key cannot be read"));
        assert_eq!(why(&certificate, &other), TlsError::Mismatch.to_string());
        let tls = Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(tls.reload(certificate.as_bytes(), other.as_bytes()), Err(TlsError::Mismatch));
    }
}
