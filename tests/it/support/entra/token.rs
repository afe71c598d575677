//! The authority: who gets a token, and what is said to whom gets none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Answer, Inner};

/// What reading users and groups takes.
pub(crate) const PERMISSIONS: [&str; 2] = ["User.Read.All", "GroupMember.Read.All"];

/// An app, as a tenant knows it.
pub(crate) struct App {
    pub(crate) id: Uuid,
    pub(crate) secret: String,
    /// The ID of that secret, which people take for it.
    pub(crate) secret_id: Uuid,
    pub(crate) is_secret_expired: bool,
    /// Public keys by the SHA-256 and the SHA-1 of their certificates.
    pub(crate) certificates: BTreeMap<Vec<u8>, String>,
    /// What service accounts' tokens are believed.
    pub(crate) federated: BTreeSet<String>,
    /// Service accounts whose tokens are believed, and for whom those tokens must be.
    pub(crate) subjects: BTreeSet<(String, &'static str)>,
    /// What it asks for.
    pub(crate) offered: BTreeSet<&'static str>,
    /// To where its users may be led back.
    pub(crate) redirects: BTreeSet<String>,
    /// What an administrator consented to.
    pub(crate) permissions: BTreeSet<&'static str>,
}

impl Default for App {
    fn default() -> Self {
        Self {
            id: Uuid::new_v4(),
            secret: "q~8Q~the-value.of_a-client~secret".to_owned(),
            secret_id: Uuid::new_v4(),
            is_secret_expired: false,
            certificates: BTreeMap::new(),
            federated: BTreeSet::new(),
            subjects: BTreeSet::new(),
            offered: PERMISSIONS.into(),
            redirects: BTreeSet::new(),
            permissions: PERMISSIONS.into(),
        }
    }
}

/// A token that was issued.
pub(super) struct Issued {
    pub(super) audience: String,
    pub(super) ends_at: i64,
    pub(super) permissions: BTreeSet<&'static str>,
}

/// A certificate of an app and its key, in PEM form.
pub(crate) struct Signing {
    pub(crate) certificate: String,
    pub(crate) key: String,
    public: String,
}

impl Signing {
    pub(crate) fn new() -> Self {
        Self::of(&CertificateParams::new(Vec::new()).unwrap())
    }

    /// One that is good until this day.
    pub(crate) fn until(year: i32, month: u8, day: u8) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, month, day);
        Self::of(&params)
    }

    fn of(params: &CertificateParams) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let certificate = params.self_signed(&pair).unwrap();
        Self { certificate: certificate.pem(), key: pair.serialize_pem(), public: pair.public_key_pem() }
    }
}

impl App {
    /// Adds a certificate.
    pub(crate) fn trust(&mut self, signing: &Signing) {
        let der = CertificateDer::from_pem_slice(signing.certificate.as_bytes()).unwrap();
        let short = sha1_smol::Sha1::from(&der).digest().bytes().to_vec();
        for thumbprint in [Sha256::digest(&der).to_vec(), short] {
            self.certificates.insert(thumbprint, signing.public.clone());
        }
    }
}

pub(super) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// As the authority refuses.
fn refuse(status: u16, error: &str, code: u64, why: &str) -> Answer {
    let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
    let at = "2026-11-30 00:00:00Z";
    let body = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{code}: {why} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}"
        ),
        "error_codes": [code],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
    });
    Answer::json(status, &body)
}

/// What clients send under either alphabet, with or without its end.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = text.replace('+', "-").replace('/', "_");
    GeneralPurpose::new(&alphabet::URL_SAFE, config).decode(text).ok()
}

impl Inner {
    fn is_tenant(&self, tenant: &str) -> bool {
        let known = &self.tenant;
        tenant == known.id.to_string() || known.domains.iter().any(|domain| domain == tenant)
    }

    pub(super) fn instance(&self) -> Answer {
        let host = self.authority.trim_start_matches("https://");
        let metadata = json!([{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }]);
        Answer::json(
            200,
            &json!({
                "tenant_discovery_endpoint":
                    format!("{}/{}/v2.0/.well-known/openid-configuration", self.authority, self.tenant.id),
                "api-version": "1.1",
                "metadata": metadata,
            }),
        )
    }

    pub(super) fn configuration(&self, tenant: &str) -> Answer {
        if !self.is_tenant(tenant) {
            return refuse(400, "invalid_tenant", 90_002, &format!("Tenant '{tenant}' not found."));
        }
        let (authority, id) = (&self.authority, self.tenant.id);
        Answer::json(
            200,
            &json!({
                "issuer": format!("{authority}/{id}/v2.0"),
                "token_endpoint": format!("{authority}/{tenant}/oauth2/v2.0/token"),
                "authorization_endpoint": format!("{authority}/{tenant}/oauth2/v2.0/authorize"),
                "jwks_uri": format!("{authority}/{tenant}/discovery/v2.0/keys"),
            }),
        )
    }

    /// The page asks; whoever says yes consents. It leads back to where the app may be led to, with what was sent along.
    pub(super) fn consent_page(&mut self, tenant: &str, query: &BTreeMap<String, String>) -> Answer {
        let html = |status, body: String| Answer {
            status,
            headers: vec![("content-type", "text/html; charset=utf-8".to_owned())],
            body,
        };
        let sorry = |why: &str| {
            html(400, format!("<h1>Sorry, but we're having trouble with signing you in.</h1><p>{why}</p>"))
        };
        let client = query.get("client_id").cloned().unwrap_or_default();
        if !self.is_tenant(tenant) || client != self.app.id.to_string() {
            return sorry("AADSTS700016: The application was not found in the directory.");
        }
        let back = query.get("redirect_uri");
        if back.is_some_and(|back| !self.app.redirects.contains(back)) {
            return sorry("AADSTS50011: The redirect URI specified in the request does not match.");
        }
        let state = query.get("state").cloned().unwrap_or_default();
        let accepted = match query.get("answer").map(String::as_str) {
            Some("accept") => true,
            Some("decline") => false,
            _ => {
                let back = back.map(|back| format!("<input type=hidden name=redirect_uri value='{back}'>"));
                let form = format!(
                    "<form><input type=hidden name=client_id value='{client}'>{}<input type=hidden name=state value='{state}'>\
                     <button id=accept name=answer value=accept>Accept</button>\
                     <button id=decline name=answer value=decline>Cancel</button></form>",
                    back.unwrap_or_default()
                );
                return html(200, format!("<h1>Permissions requested</h1>{form}"));
            }
        };
        if accepted {
            self.app.permissions.extend(&self.app.offered);
        }
        let Some(back) = back else {
            let what = if accepted { "granted" } else { "declined" };
            return html(200, format!("<h1>Permissions {what}</h1>"));
        };
        let tenant = self.tenant.id.to_string();
        let mut to = url::Url::parse(back).unwrap();
        // It says `admin_consent=True` of a refusal too.
        to.query_pairs_mut().append_pair("admin_consent", "True").append_pair("tenant", &tenant);
        if !accepted {
            let why = "AADSTS65004: The resource owner or authorization server denied the request.";
            to.query_pairs_mut().append_pair("error", "access_denied").append_pair("error_description", why);
        }
        to.query_pairs_mut().append_pair("state", &state);
        Answer { status: 302, headers: vec![("location", to.into())], body: String::new() }
    }

    pub(super) fn token(&mut self, tenant: &str, body: &str) -> Answer {
        let fields: BTreeMap<String, String> =
            url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let proofs = ["client_secret", "client_assertion"].iter().filter_map(|name| fields.get(*name));
        self.shown.extend(proofs.map(|proof| proof.trim().to_owned()).filter(|proof| !proof.is_empty()));
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if ["common", "consumers"].contains(&tenant) {
            let why = "The grant type isn't supported over the /common or /consumers endpoints.";
            return refuse(400, "invalid_request", 9_001_023, why);
        }
        if !self.is_tenant(tenant) {
            return refuse(400, "invalid_request", 90_002, &format!("Tenant '{tenant}' not found."));
        }
        if field("grant_type") != "client_credentials" {
            return refuse(400, "invalid_request", 900_144, "The request body must contain 'grant_type'.");
        }
        if field("client_id") != self.app.id.to_string() {
            let why = format!(
                "Application with identifier '{}' was not found in the directory.",
                field("client_id")
            );
            return refuse(400, "unauthorized_client", 700_016, &why);
        }
        let scopes: Vec<&str> = field("scope").split(' ').filter(|it| it.contains("://")).collect();
        let [scope] = scopes.as_slice() else {
            return refuse(400, "invalid_scope", 70_011, "The provided value for 'scope' is not valid.");
        };
        let Some(resource) = scope.strip_suffix("/.default") else {
            return refuse(400, "invalid_scope", 70_011, "The scope must end with /.default.");
        };
        if resource.trim_end_matches('/') != self.graph {
            let why = format!("The resource principal named {resource} was not found in the tenant.");
            return refuse(400, "invalid_resource", 500_011, &why);
        }
        let proof = (fields.get("client_secret"), fields.get("client_assertion"));
        let refused = match proof {
            (Some(secret), None) => self.secret(secret),
            (None, Some(assertion)) if self.app.federated.contains(assertion.trim()) => None,
            (None, Some(assertion)) if self.is_of_a_subject(assertion) => None,
            (None, Some(assertion)) => self.assertion(assertion, tenant),
            _ => {
                let why = "The request body must contain 'client_assertion' or 'client_secret'.";
                Some(refuse(400, "invalid_request", 7_000_218, why))
            }
        };
        if let Some(refused) = refused {
            return refused;
        }
        let token = format!("eyJ0.{}.{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let issued = Issued {
            audience: self.graph.clone(),
            ends_at: now() + self.token_life,
            permissions: self.app.permissions.clone(),
        };
        self.tokens.insert(token.clone(), issued);
        let life = self.token_life;
        Answer::json(
            200,
            &json!({
                "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token,
            }),
        )
    }

    fn secret(&self, secret: &str) -> Option<Answer> {
        if secret != self.app.secret {
            let why = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
                       not the client secret ID.";
            return Some(refuse(401, "invalid_client", 7_000_215, why));
        }
        self.app
            .is_secret_expired
            .then(|| refuse(401, "invalid_client", 7_000_222, "The provided client secret keys are expired."))
    }

    /// Whether an assertion is a token of a cluster for one of the app's federated credentials. Who signed it is not looked at.
    fn is_of_a_subject(&self, assertion: &str) -> bool {
        let claims = assertion.split('.').nth(1).and_then(decoded);
        let Some(claims) = claims.and_then(|it| serde_json::from_slice::<Value>(&it).ok()) else {
            return false;
        };
        let is_for = |audience: &str| claims["aud"] == json!([audience]) || claims["aud"] == json!(audience);
        let is_of =
            |(subject, audience): &(String, &'static str)| claims["sub"] == **subject && is_for(audience);
        self.app.subjects.iter().any(is_of) && claims["exp"].as_i64().is_some_and(|exp| exp > now())
    }

    fn assertion(&self, assertion: &str, tenant: &str) -> Option<Answer> {
        let unknown =
            || refuse(401, "invalid_client", 700_213, "No matching federated identity record found.");
        let mut parts = assertion.split('.');
        let part = |text: Option<&str>| -> Option<Value> { serde_json::from_slice(&decoded(text?)?).ok() };
        let (Some(header), Some(claims)) = (part(parts.next()), part(parts.next())) else {
            return Some(unknown());
        };
        let Some(thumbprint) = header.get("x5t#S256").or_else(|| header.get("x5t")) else {
            return Some(unknown());
        };
        let thumbprint = thumbprint.as_str().and_then(decoded);
        let Some(key) = thumbprint.and_then(|thumbprint| self.app.certificates.get(&thumbprint)) else {
            let why = "The certificate with identifier used to sign the client assertion is not registered on application.";
            return Some(refuse(401, "invalid_client", 700_027, why));
        };
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some("PS256") => Algorithm::PS256,
            Some("RS256") => Algorithm::RS256,
            _ => return Some(refuse(401, "invalid_client", 50_012, "Authentication failed.")),
        };
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let key = DecodingKey::from_rsa_pem(key.as_bytes()).unwrap();
        // Whoever checks the signature must not stumble over numbers with fractions.
        if jsonwebtoken::decode::<Value>(assertion, &key, &validation).is_err() {
            return Some(refuse(
                401,
                "invalid_client",
                50_012,
                "Client assertion contains an invalid signature.",
            ));
        }
        let number = |name: &str| claims.get(name).and_then(Value::as_f64);
        #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
        let now = (now() + self.clock_ahead) as f64;
        // Five minutes are forgiven, as clocks differ.
        let (exp, nbf) = (number("exp").unwrap_or(0.0), number("nbf").unwrap_or(now));
        if exp + 300.0 < now || nbf - 300.0 > now {
            return Some(refuse(
                401,
                "invalid_client",
                700_024,
                "Client assertion is not within its valid time range.",
            ));
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = self.app.id.to_string();
        let audiences = [tenant.to_owned(), self.tenant.id.to_string()]
            .map(|tenant| format!("{}/{tenant}/oauth2/v2.0/token", self.authority));
        if !audiences.iter().any(|audience| audience == text("aud")) || text("iss") != id || text("sub") != id
        {
            return Some(refuse(401, "invalid_client", 700_023, "Client assertion audience does not match."));
        }
        None
    }
}
