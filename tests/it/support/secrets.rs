//! What no program of ours may say, whichever test has it speak, and however loud it is.

/// What stands in secrets of the tests, and only there: of services, directories and stand-ins, whole or at their beginning.
const MARKS: &[&str] = &[
    // A client secret of Microsoft Entra ID, also as it stands in a form, and the tokens of its stand-in.
    "the-value.of_a-client",
    "eyJ0.",
    // Tokens of Google's stand-in.
    "ya29.",
    // Tokens and secrets of services.
    "the-token-of-the-test",
    "secret-of-the-test",
    "-token-of-the-stand-in",
    "the token of staff",
    "of-nobody-else-but-the-reader",
    // Fields of forms.
    "client_secret=",
    "assertion=ey",
    "subject_token=",
    // The beginning of each RSA key in PKCS #8 with 2048 bits.
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASC",
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC",
];

/// What of this text is secret, if anything is: a mark, or an assertion or token in the form of RFC 7519.
pub(crate) fn in_text(said: &str) -> Option<&str> {
    MARKS.iter().find_map(|mark| said.find(mark).map(|at| &said[at..at + mark.len()])).or_else(|| token(said))
}

/// A signed text with three parts, of which the first is an object.
fn token(said: &str) -> Option<&str> {
    let is_of_one = |sign: char| sign.is_ascii_alphanumeric() || "-_.".contains(sign);
    said.match_indices("eyJ").find_map(|(at, _)| {
        let end = said[at..].find(|sign| !is_of_one(sign)).map_or(said.len(), |end| at + end);
        let one = &said[at..end];
        let parts: Vec<&str> = one.split('.').collect();
        (parts.len() == 3 && parts.iter().all(|part| part.len() > 9)).then_some(one)
    })
}

/// Fails if something of this is secret. The secret itself is not shown here either.
#[track_caller]
pub(crate) fn none_in(said: &str) {
    if let Some(secret) = in_text(said) {
        let at = said.find(secret).unwrap_or_default();
        let line = said[..at].lines().count();
        panic!("a secret of {} bytes is in line {line} of what was said", secret.len());
    }
}
