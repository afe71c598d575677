//! What no program of ours may say, whichever test has it speak: secrets, however loud it is, and people, unless it is asked for
//! details.

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

/// Domains of which addresses of people in the tests are.
const DOMAINS: &[&str] = &["@corp.example", "@corp.test", "@example.test"];

/// The address of a person in this text, if there is one.
pub(crate) fn person_in(said: &str) -> Option<&str> {
    let is_local = |sign: char| sign.is_alphanumeric() || "._-+'".contains(sign);
    DOMAINS.iter().flat_map(|domain| said.match_indices(domain)).find_map(|(at, domain)| {
        let local = at
            - said[..at].chars().rev().take_while(|sign| is_local(*sign)).map(char::len_utf8).sum::<usize>();
        let one = &said[local..at + domain.len()];
        // An account of a service is nobody.
        (local < at && !one.starts_with("directory-reader@")).then_some(one)
    })
}

/// Fails if this names a person by an address.
#[track_caller]
pub(crate) fn nobody_in(said: &str) {
    if let Some(person) = person_in(said) {
        let line = said.lines().find(|line| line.contains(person)).unwrap_or_default();
        panic!("{person} is in what was said: {line}");
    }
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
