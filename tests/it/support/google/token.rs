//! Who gets a token, and what is said to whom gets none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Inner, error};

/// What reading users, groups and members takes.
pub(crate) const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
    "https://www.googleapis.com/auth/admin.directory.group.readonly",
];
/// For whom an assertion must be.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const PROVIDER: &str = "projects/1234/locations/global/workloadIdentityPools/clusters/providers/corp";

/// A service account.
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) project: String,
    pub(crate) client_id: String,
    /// Its key, in PEM form, and what tells it from another.
    pub(crate) key: String,
    key_id: String,
    public: String,
    pub(crate) is_key_deleted: bool,
    pub(crate) is_disabled: bool,
    /// What an administrator delegated to it.
    pub(crate) delegated: BTreeSet<&'static str>,
    /// What else is said of it in place of a token: the kind of error.
    pub(crate) refused: Option<&'static str>,
    /// The tokens of pods that the workload identity pool takes.
    pub(crate) pods: BTreeSet<String>,
    pub(crate) provider: &'static str,
    /// Whether pods may have it sign.
    pub(crate) may_sign: bool,
}

impl Account {
    pub(super) fn new() -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        // Whoever shares a project shares its budget of requests.
        let project = format!("corp-{}", &Uuid::new_v4().simple().to_string()[..8]);
        Self {
            email: format!("reader@{project}.iam.gserviceaccount.com"),
            project,
            client_id: "104857600000000000001".to_owned(),
            key: pair.serialize_pem(),
            key_id: Uuid::new_v4().simple().to_string(),
            public: pair.public_key_pem(),
            is_key_deleted: false,
            is_disabled: false,
            delegated: SCOPES.into(),
            refused: None,
            pods: BTreeSet::new(),
            provider: PROVIDER,
            may_sign: true,
        }
    }

    /// The file that Google makes with a key.
    pub(crate) fn file(&self, token: &str) -> Value {
        json!({
            "type": "service_account", "project_id": self.project, "private_key_id": self.key_id,
            "private_key": self.key, "client_email": self.email, "client_id": self.client_id,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": token,
            "universe_domain": "googleapis.com",
        })
    }
}

/// A token that was issued.
pub(super) struct Issued {
    pub(super) scopes: BTreeSet<String>,
    pub(super) ends_at: i64,
    pub(super) uses: u32,
}

pub(super) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// As the token endpoint refuses.
fn refuse(status: u16, kind: &str, why: &str) -> Answer {
    Answer::json(status, &json!({ "error": kind, "error_description": why }))
}

impl Inner {
    pub(super) fn token(&mut self, fields: &BTreeMap<String, String>) -> Answer {
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if field("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            return refuse(400, "unsupported_grant_type", "Invalid grant_type");
        }
        let assertion = field("assertion");
        self.shown.insert(assertion.to_owned());
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let key = DecodingKey::from_rsa_pem(self.account.public.as_bytes()).unwrap();
        let Ok(read) = jsonwebtoken::decode::<Value>(assertion, &key, &validation) else {
            return refuse(400, "invalid_grant", "Invalid JWT Signature.");
        };
        if self.account.is_key_deleted {
            return refuse(400, "invalid_grant", "Invalid JWT Signature.");
        }
        let claims = read.claims;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| claims.get(name).and_then(Value::as_i64);
        if text("iss") != self.account.email {
            return refuse(400, "invalid_grant", "Invalid grant: account not found");
        }
        if text("aud") != AUDIENCE {
            return refuse(400, "invalid_grant", "Invalid JWT: Failed audience check.");
        }
        let (Some(iat), Some(exp)) = (number("iat"), number("exp")) else {
            return refuse(400, "invalid_grant", "Invalid JWT: iat and exp must be whole numbers.");
        };
        let now = now() + self.clock_ahead;
        if exp <= iat || exp - iat > 3900 || exp < now || iat > now + 300 {
            return refuse(
                400,
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
            );
        }
        if let Some(kind) = self.account.refused {
            return refuse(400, kind, "It is refused.");
        }
        if self.account.is_disabled {
            return refuse(401, "disabled_client", "The OAuth client was disabled.");
        }
        let scopes: BTreeSet<String> = text("scope").split(' ').map(str::to_owned).collect();
        if scopes.iter().any(|scope| !scope.starts_with("https://www.googleapis.com/auth/")) {
            return refuse(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.");
        }
        if text("sub") != self.customer.admin {
            return refuse(400, "invalid_grant", "Invalid email or User ID");
        }
        if !scopes.iter().all(|scope| self.account.delegated.contains(scope.as_str())) {
            return refuse(
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
            );
        }
        self.issue(scopes)
    }

    /// The token exchange: a pod's token for one of Google.
    pub(super) fn exchange(&mut self, fields: &BTreeMap<String, String>) -> Answer {
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        self.shown.insert(field("subject_token").to_owned());
        let expected = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange".to_owned()),
            ("audience", format!("//iam.googleapis.com/{}", self.account.provider)),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token".to_owned()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt".to_owned()),
        ];
        if let Some((name, _)) = expected.iter().find(|(name, value)| field(name) != value) {
            return refuse(400, "invalid_request", &format!("Invalid value for \"{name}\"."));
        }
        if !self.account.pods.contains(field("subject_token")) {
            return refuse(
                400,
                "invalid_grant",
                "The given credential is rejected by the attribute condition.",
            );
        }
        let scopes = field("scope").split(' ').map(str::to_owned).collect();
        self.issue(scopes)
    }

    /// IAM signs.
    pub(super) fn sign(&mut self, what: &str, body: &str, token: Option<&str>) -> Answer {
        let scopes = token.and_then(|token| self.tokens.get(token)).map(|issued| &issued.scopes);
        let may = ["https://www.googleapis.com/auth/iam", "https://www.googleapis.com/auth/cloud-platform"];
        if !scopes.is_some_and(|scopes| may.iter().any(|scope| scopes.contains(*scope))) {
            return error(401, "unauthenticated", "Request had invalid authentication credentials.");
        }
        if what != format!("{}:signJwt", self.account.email) || !self.account.may_sign {
            let message =
                "Permission 'iam.serviceAccounts.signJwt' denied on resource (or it may not exist).";
            return Answer::json(
                403,
                &json!({ "error": { "code": 403, "message": message, "status": "PERMISSION_DENIED" } }),
            );
        }
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let payload = body.get("payload").and_then(Value::as_str).unwrap_or_default();
        let Ok(payload) = serde_json::from_str::<Value>(payload) else {
            return error(400, "invalid", "The payload must be a JSON object.");
        };
        let key = EncodingKey::from_rsa_pem(self.account.key.as_bytes()).unwrap();
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &payload, &key).unwrap();
        self.shown.insert(signed.clone());
        Answer::json(200, &json!({ "keyId": self.account.key_id, "signedJwt": signed }))
    }
}
