use rstest::rstest;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::clock::SystemClock;
use crate::net::http::Answer;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn answered(status: u16, kind: &'static str, body: &str) -> Result<Held, TokenError> {
    let answer = Answer::of(status, &[("content-type", kind)], body);
    understand(&answer, "the-secret", NOW, NOW)
}

fn life(body: &str) -> Option<[i64; 2]> {
    let held = answered(200, "application/json; charset=utf-8", body).ok()?;
    Some([held.renew_at, held.ends_at].map(|at| at.as_second() - NOW.as_second()))
}

#[rstest]
#[case::number(r#"{"access_token":"t","token_type":"Bearer","expires_in":3599}"#, Some([3299, 3599]))]
#[case::text(r#"{"access_token":"t","token_type":"bearer","expires_in":"3600"}"#, Some([3300, 3600]))]
#[case::short(r#"{"access_token":"t","token_type":"Bearer","expires_in":60}"#, Some([30, 60]))]
#[case::unsaid(r#"{"access_token":"t","token_type":"Bearer"}"#, Some([300, 600]))]
#[case::refresh(r#"{"access_token":"t","token_type":"Bearer","expires_in":86400,"refresh_in":"43200"}"#, Some([43200, 86400]))]
#[case::late_refresh(r#"{"access_token":"t","token_type":"Bearer","expires_in":600,"refresh_in":900}"#, Some([300, 600]))]
#[case::over(r#"{"access_token":"t","token_type":"Bearer","expires_in":-5}"#, Some([300, 600]))]
#[case::other(r#"{"access_token":"t","token_type":"mac","expires_in":60}"#, None)]
#[case::empty(r#"{"access_token":"","token_type":"Bearer","expires_in":60}"#, None)]
#[case::cut(r#"{"access_token":"t","token_type":"Bear"#, None)]
fn a_token_lives_as_long_as_is_said(#[case] body: &str, #[case] lives: Option<[i64; 2]>) {
    assert_eq!(life(body), lives);
}

#[test]
fn what_is_no_answer_of_a_token_endpoint_is_no_token() {
    let page = answered(200, "text/html", "<html>");
    assert!(matches!(page, Err(TokenError::NoToken(why)) if why.contains("proxy")));
    let body = r#"{"access_token":"t","token_type":"Bearer","expires_in":60}"#;
    assert!(answered(200, "text/plain", body).is_err());
    assert!(matches!(answered(503, "text/html", "<html>"), Err(TokenError::Failed(503, None))));
}

#[test]
fn a_refusal_says_what_was_said_but_no_secret() {
    let refused = |description: &str| {
        let body = serde_json::json!({
            "error": "invalid_client", "error_description": description, "error_codes": [7_000_215],
        });
        match answered(401, "application/json", &body.to_string()) {
            Err(TokenError::Refused(refusal)) => refusal,
            other => panic!("{:?}", other.err()),
        }
    };
    for between in ["\r\n", " "] {
        let traced = format!("AADSTS7000215: Invalid.{between}Trace ID: 1{between}Timestamp: 2");
        let refusal = refused(&traced);
        assert_eq!((refusal.status, refusal.codes.as_slice()), (401, &[7_000_215][..]));
        assert_eq!(refusal.to_string(), "invalid_client: AADSTS7000215: Invalid.");
    }
    assert_eq!(refused("you sent THE-SECRET").to_string(), "invalid_client");
}

#[test]
fn an_assertion_says_who_signs_and_for_whom() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_after = rcgen::date_time_ymd(2027, 6, 1);
    let certificate = params.self_signed(&pair).unwrap();
    let key = Secret::new(pair.serialize_pem());
    let signer = Signer::new(certificate.pem().as_bytes(), &key).unwrap();
    let assertion = signer.assertion("app", "https://login/token", NOW).unwrap();
    let header = jsonwebtoken::decode_header(&assertion).unwrap();
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.der()));
    assert_eq!((header.alg, header.x5t_s256), (Algorithm::PS256, Some(thumbprint)));
    let claims = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["iss"], &claims["sub"]), (&"app".into(), &"app".into()));
    assert_eq!(claims["aud"], "https://login/token");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap(), 600);
    assert!(!format!("{signer:?} {:?}", Credential::Certificate(signer.clone())).contains("PRIVATE"));

    let later = "2027-06-02T00:00:00Z".parse().unwrap();
    assert!(signer.assertion("app", "a", later).unwrap_err().contains("expired on 2027-06-01"));
    assert!(Signer::new(b"", &key).unwrap_err().contains("tls.crt"));
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for key in ["", "-----BEGIN PRIVATE KEY-----", &elliptic] {
        let why = Signer::new(certificate.pem().as_bytes(), &Secret::new(key)).err();
        assert!(why.is_some_and(|why| why.contains("tls.key")), "{key}");
    }
}

#[tokio::test]
async fn an_account_signs_in_the_name_of_somebody_for_the_public_audience() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let key = |pem: &str| {
        serde_json::json!({
            "type": "service_account", "project_id": "corp", "private_key_id": "k1", "private_key": pem,
            "client_email": "reader@corp.iam.gserviceaccount.com", "client_id": "1234",
            "token_uri": "https://elsewhere.example/token",
        })
    };
    let file = key(&pair.serialize_pem());
    let key_of = |file: &serde_json::Value| AccountKey::read(&Secret::new(file.to_string()));
    let read = key_of(&file).unwrap();
    assert_eq!(
        (read.email.as_str(), read.client_id.as_str()),
        ("reader@corp.iam.gserviceaccount.com", "1234")
    );
    let account = Account { subject: "admin@corp.example".to_owned(), signing: Signing::Key(read) };
    assert!(!format!("{account:?}").contains("PRIVATE"));
    let http =
        Http::new(Some(rcgen::generate_simple_self_signed([]).unwrap().cert.pem().as_bytes())).unwrap();
    let assertion = account.assertion("reader@corp", "a b", &http, &SystemClock).await.unwrap();
    let assertion = std::str::from_utf8(assertion.expose()).unwrap();
    let header = jsonwebtoken::decode_header(assertion).unwrap();
    assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::RS256, Some("k1")));
    let claims = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["iss"], &claims["sub"]), (&"reader@corp".into(), &"admin@corp.example".into()));
    assert_eq!(
        (&claims["scope"], &claims["aud"]),
        (&"a b".into(), &"https://oauth2.googleapis.com/token".into())
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);

    let with = |field: &str, value: &str| {
        let mut file = file.clone();
        file[field] = value.into();
        key_of(&file).unwrap_err()
    };
    assert!(with("type", "authorized_user").contains("\"type\": \"service_account\""));
    assert!(with("private_key", "-----BEGIN PRIVATE KEY-----").contains("private_key"));
    assert!(with("client_email", "").contains("client_email"));
    let no_json = AccountKey::read(&Secret::new("-----BEGIN PRIVATE KEY-----")).unwrap_err();
    assert!(no_json.contains("JSON") && !no_json.contains("BEGIN"), "{no_json}");
}
