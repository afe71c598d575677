//! A service on https, with a certificate by an authority of its own, that answers until it is dropped.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::slapd::{Setup, certificates};

pub(crate) struct Https {
    /// Its certificate authority, in PEM form.
    pub(crate) ca: String,
    pub(crate) address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Https {
    /// Answers under these names, by what `make` makes of its url.
    pub(crate) fn start(names: &'static [&'static str], make: impl FnOnce(String) -> Router) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(&folder, &Setup { names, ..Setup::default() });
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let router = make(format!("https://{address}"));
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![CertificateDer::from_pem_slice(&read("server.pem")).unwrap()],
                    PrivateKeyDer::from_pem_slice(&read("server.key")).unwrap(),
                )
                .unwrap();
        let tls = axum_server::tls_rustls::RustlsConfig::from_config(Arc::new(config));
        listener.set_nonblocking(true).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            axum_server::from_tcp_rustls(listener, tls).unwrap().serve(router.into_make_service()).await
        });
        Self { ca: String::from_utf8(read("ca.pem")).unwrap(), address, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
