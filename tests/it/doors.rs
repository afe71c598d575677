//! The listeners: TLS, bounds, health, metrics, the door for administrators.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollcall::serve::{self, Readiness, Tls};
use rollcall::telemetry::{self, Format, Metrics, Write};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::support::served::{House, TOKEN, ask, free, user};
use crate::support::web::{self, Answer, ask_tls, ask_tls_by};

const CONFIG: &str = "/policies/identity/staff/scim/v2/ServiceProviderConfig";

/// An authority, and how it names itself.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    /// A certificate for `localhost`, and its key.
    fn issue(&self) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

async fn tls(address: SocketAddr, authority: &Authority) -> std::io::Result<Answer> {
    let pem = authority.pem.clone();
    let bearer = format!("Bearer {TOKEN}");
    spawn_blocking(move || ask_tls(address, &pem, CONFIG, &[("Authorization", &bearer)])).await.unwrap()
}

#[tokio::test]
async fn a_certificate_is_renewed_without_dropping_the_listener() {
    let (old, new) = (Authority::new(), Authority::new());
    let (certificate, key) = old.issue();
    let shown = Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
    let house = House::new(Some(shown.clone()), None);
    let location = tls(house.address, &old).await.unwrap().is(200).json()["meta"]["location"].clone();
    assert_eq!(location, format!("https://registry.test:8443{CONFIG}"));
    assert!(tls(house.address, &new).await.is_err());
    assert!(shown.reload(certificate.as_bytes(), b"").is_err());
    tls(house.address, &old).await.unwrap().is(200);
    let (certificate, key) = new.issue();
    shown.reload(certificate.as_bytes(), key.as_bytes()).unwrap();
    tls(house.address, &new).await.unwrap().is(200);
    assert!(tls(house.address, &old).await.is_err());
}

#[tokio::test]
async fn speaks_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue();
    let house = House::new(Some(Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap()), None);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = rustls::RootCertStore::empty();
        let der = rustls::pki_types::pem::PemObject::from_pem_slice(authority.pem.as_bytes()).unwrap();
        roots.add(der).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = house.address;
        let answer = spawn_blocking(move || ask_tls_by(Arc::new(config), address, CONFIG, &[]));
        answer.await.unwrap().unwrap().is(401);
    }
}

/// How long the peer takes to close a connection on which `sent` was sent.
fn closed_after(address: SocketAddr, sent: &str) -> Duration {
    let mut stream = web::connect(address);
    let began = Instant::now();
    stream.write_all(sent.as_bytes()).unwrap();
    let mut rest = Vec::new();
    // A reset ends it as well.
    drop(stream.read_to_end(&mut rest));
    began.elapsed()
}

#[tokio::test]
async fn whoever_dawdles_is_cut_off() {
    let house = House::new(None, None);
    let address = house.address;
    let head = format!("GET {CONFIG} HTTP/1.1\r\nHost: x\r\n");
    let body = format!(
        "POST /policies/identity/staff/scim/v2/.search HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Length: 10\r\n\r\n{{"
    );
    let keeps = format!("{head}\r\n");
    let all =
        [String::new(), head, keeps, body].map(|sent| spawn_blocking(move || closed_after(address, &sent)));
    for took in futures::future::join_all(all).await {
        let took = took.unwrap();
        assert!(took > Duration::from_secs(4) && took < Duration::from_secs(45), "{took:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let house = House::new(None, None);
    let large = "x".repeat(200_000);
    let address = house.address;
    let answer = spawn_blocking(move || {
        let mut stream = web::connect(address);
        // It may be refused before all of it is sent.
        drop(write!(stream, "GET /{large} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let mut text = String::new();
        drop(stream.read_to_string(&mut text));
        text
    });
    let answer = answer.await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    ask(house.address, "GET", CONFIG, &[], "").await.is(401);
}

#[tokio::test]
async fn the_oldest_who_say_nothing_make_way() {
    let house = House::new(None, None);
    let address = house.address;
    let closed = spawn_blocking(move || {
        let mut silent: Vec<_> = (0..150).map(|_| web::connect(address)).collect();
        let began = Instant::now();
        for stream in &mut silent[..10] {
            drop(stream.read_to_end(&mut Vec::new()));
        }
        let took = began.elapsed();
        web::ask(address, "GET", CONFIG, &[], "").is(401);
        took
    });
    // Sooner than those who may stay and still say nothing.
    assert!(closed.await.unwrap() < Duration::from_secs(4));
}

/// A connection on which this was asked with the token; nothing of the answer was read yet but its first line.
fn asked(address: SocketAddr, path: &str) -> (std::io::BufReader<std::net::TcpStream>, String) {
    let mut stream = web::connect(address);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").unwrap();
    let (mut reader, mut line) = (std::io::BufReader::new(stream), String::new());
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    (reader, line)
}

#[tokio::test]
async fn answers_that_nobody_takes_are_bounded_and_never_cut() {
    const MIB: usize = 1 << 20;
    let house = House::filled().await;
    for number in 0..20 {
        let name = format!("large{number}");
        house.create(&name, user(&name, &[("title", &"x".repeat(MIB))])).await;
    }
    let address = house.address;
    let users = "/policies/identity/staff/scim/v2/Users";
    let untaken = spawn_blocking(move || {
        let mut slow: Vec<_> = (0..3).map(|_| asked(address, users)).collect();
        assert!(slow.iter().all(|(_, line)| line == "HTTP/1.1 200 OK\r\n"), "{:?}", slow[2].1);
        assert!(asked(address, users).1.contains("503"), "more than 64 MiB were not taken yet");
        // Those who come meanwhile make way for each other.
        let idle: Vec<_> = (0..200).map(|_| asked(address, CONFIG)).collect();
        assert!(idle.iter().all(|(_, line)| line.contains("200")));
        let lengths = slow.iter_mut().map(|(reader, _)| {
            let mut left = 0;
            loop {
                let mut line = String::new();
                std::io::BufRead::read_line(reader, &mut line).unwrap();
                if let Some(length) = line.to_lowercase().strip_prefix("content-length:") {
                    left = length.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; left];
            reader.read_exact(&mut body).unwrap();
            left
        });
        assert!(lengths.min().unwrap() > 20 * MIB);
        let again = asked(address, users).1;
        assert!(again.contains("200"), "they were taken: {again}");
    });
    untaken.await.unwrap();
}

/// How many of these requests, one after the other and each on a connection of its own, are answered with 200.
fn good_reader(address: SocketAddr, path: &str, requests: usize) -> usize {
    let bearer = format!("Bearer {TOKEN}");
    let ask = || web::ask(address, "GET", path, &[("Authorization", &bearer)], "").status;
    (0..requests).filter(|_| std::panic::catch_unwind(ask).is_ok_and(|status| status == 200)).count()
}

/// Asks for nothing, or for something and never to the end, again and again.
async fn slow_one(address: SocketAddr, number: usize, stop: CancellationToken) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let said = ["", "G", "GET / HTTP/1.1\r\nHost: x\r\n", "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"];
    let said = said[number % said.len()];
    let dawdle = async || {
        loop {
            let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else { continue };
            drop(stream.write_all(said.as_bytes()).await);
            let mut rest = [0; 256];
            while matches!(stream.read(&mut rest).await, Ok(1..)) {}
        }
    };
    stop.run_until_cancelled(dawdle()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_reader_and_a_probe_are_answered_while_five_hundred_slow_ones_try() {
    const REQUESTS: usize = 200;
    let house = House::filled().await;
    let health = free();
    let (probed, stop) = (health.local_addr().unwrap(), CancellationToken::new());
    let serving = tokio::spawn(serve::health(health, Readiness::default(), stop.clone()));
    let slow: Vec<_> = [house.address, probed]
        .into_iter()
        .flat_map(|address| (0..500).map(move |number| (address, number)))
        .map(|(address, number)| tokio::spawn(slow_one(address, number, stop.clone())))
        .collect();
    let reader = house.address;
    let users = "/policies/identity/staff/scim/v2/Users";
    let read = spawn_blocking(move || good_reader(reader, users, REQUESTS));
    let probe = spawn_blocking(move || good_reader(probed, "/healthz", REQUESTS));
    let (read, probe) = (read.await.unwrap(), probe.await.unwrap());
    stop.cancel();
    for one in slow {
        one.await.unwrap();
    }
    serving.await.unwrap().unwrap();
    assert!(read * 100 >= REQUESTS * 99, "{read} of {REQUESTS} answers of the registry");
    assert!(probe * 100 >= REQUESTS * 99, "{probe} of {REQUESTS} answers to probes");
}

#[tokio::test]
async fn stops_when_told_to() {
    let mut house = House::new(None, None);
    ask(house.address, "GET", CONFIG, &[], "").await.is(401);
    house.stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), &mut house.serving).await.unwrap().unwrap().unwrap();
    assert!(std::net::TcpStream::connect(house.address).is_err());
}

#[tokio::test]
async fn is_ready_when_nothing_is_missing() {
    let (listener, readiness, stop) = (free(), Readiness::default(), CancellationToken::new());
    let address = listener.local_addr().unwrap();
    readiness.expect("the lease");
    readiness.expect("SyncPolicies");
    let serving = tokio::spawn(serve::health(listener, readiness.clone(), stop.clone()));
    let ready = async || {
        let answer = ask(address, "GET", "/readyz", &[], "").await;
        (answer.status, answer.body)
    };
    assert_eq!(ready().await, (503, "waiting for SyncPolicies\nwaiting for the lease\n".to_owned()));
    ask(address, "GET", "/healthz", &[], "").await.is(200);
    readiness.reached("SyncPolicies");
    assert_eq!(ready().await, (503, "waiting for the lease\n".to_owned()));
    readiness.reached("the lease");
    assert_eq!(ready().await, (200, "ok\n".to_owned()));
    // What was known goes on to be served.
    readiness.lost("SyncPolicies");
    assert_eq!(ready().await, (200, "ok\nwaiting for SyncPolicies\n".to_owned()));
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let (listener, metrics, stop) = (free(), Metrics::new(), CancellationToken::new());
    let address = listener.local_addr().unwrap();
    metrics.api_write(Write::Status);
    let serving = tokio::spawn(serve::metrics(listener, metrics, stop.clone()));
    let plain = ask(address, "GET", "/metrics", &[], "").await.is(200);
    assert!(plain.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let open = [("Accept", "application/openmetrics-text; version=1.0.0")];
    let answer = ask(address, "GET", "/metrics", &open, "").await.is(200);
    assert!(
        answer.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert!(answer.body.ends_with("# EOF\n"));
    assert!(answer.body.contains("rollcall_api_writes_total{what=\"status\"} 1\n"), "{}", answer.body);
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_log_level_can_be_changed_from_this_machine_only() {
    let level = telemetry::init("warn", Format::Text);
    let (listener, stop) = (free(), CancellationToken::new());
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(serve::admin(listener, level.clone(), stop.clone()));
    assert_eq!(ask(address, "GET", "/log-level", &[], "").await.is(200).body, "warn\n");
    assert_eq!(
        ask(address, "PUT", "/log-level", &[], "rollcall=debug").await.is(200).body,
        "rollcall=debug\n"
    );
    assert_eq!(level.get(), "rollcall=debug");
    let bad = ask(address, "PUT", "/log-level", &[], "rollcall=loud").await.is(400);
    assert!(bad.body.contains("give a level"), "{}", bad.body);
    assert_eq!(ask(address, "GET", "/log-level", &[], "").await.body, "rollcall=debug\n");
    stop.cancel();
    serving.await.unwrap().unwrap();
    let open = std::net::TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let refused = serve::admin(open, level, CancellationToken::new()).await.unwrap_err();
    assert!(refused.to_string().contains("can be reached from other machines"), "{refused}");
}
