use rstest::rstest;

use super::*;
use crate::controller::condition::find;
use crate::controller::connector::outcome::reason;
use crate::directory::{ConnectorName, DirectoryId, Mode};
use crate::secret::Secret;
use crate::source;
use crate::source::ldap::{ActiveDirectoryConfig, Bind, ChangeFeed, LdapConfig};
use crate::store::StoreError;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn a_read(unsettled: u64) -> Read {
    let info = SnapshotInfo {
        connector: ConnectorName::new("ns", "corp"),
        directory: DirectoryId::new("dc=corp"),
        id: None,
        server: None,
        progress: None,
        sequence: 9,
        completion: 2,
        completed_at: at(90),
        mode: Mode::Full,
        fields: std::collections::BTreeSet::default(),
        attributes: std::collections::BTreeSet::default(),
        scope: String::new(),
        notices: Vec::new(),
        vendor: None,
        feed: None,
        full_at: None,
        shrunk: None,
        held: false,
        unprovable: false,
        tripped: std::collections::BTreeMap::default(),
        unreadable: Vec::new(),
        unreadable_count: 0,
        remembered: crate::store::snapshot::Remembered::default(),
        copies: crate::store::snapshot::Remembered::default(),
        shared_names: Vec::new(),
        waiting: None,
        new_names: 100,
        next_row: 0,
        next_name: 100,
        users: 2,
        groups: 1,
        contacts: 0,
    };
    let imported = Imported {
        info,
        first: false,
        changed: 1,
        removed: 0,
        unreadable: 0,
        unsettled,
        missed: 0,
        bare: BTreeSet::new(),
        certificate_ends_at: None,
        skew: None,
        started_at: at(80),
        finished_at: at(90),
    };
    read(&imported)
}

fn feed(reason: &str) -> ActiveFeed {
    ActiveFeed { active: "FullRead".to_owned(), reason: reason.to_owned() }
}

fn failure(reason: Reason) -> Failure {
    Failure { at: at(95), count: 1, not_before: None, reason, message: "it did not work; do this".to_owned() }
}

fn said(
    state: State<'_>,
    staged: bool,
    before: Option<&DirectoryConnectorStatus>,
) -> DirectoryConnectorStatus {
    status(&facts(state, staged, before))
}

fn facts<'a>(
    state: State<'a>,
    staged: bool,
    before: Option<&'a DirectoryConnectorStatus>,
) -> StatusInput<'a> {
    StatusInput {
        before,
        generation: Some(4),
        now: at(100),
        state,
        staged,
        consents: false,
        is_declined: false,
        page: None,
        elsewhere: None,
        engine: None,
        handled: None,
        next_at: None,
        unseen: None,
    }
}

fn conditions(status: &DirectoryConnectorStatus) -> Vec<(&str, &str)> {
    status.conditions.iter().map(|one| (one.type_.as_str(), one.status.as_str())).collect()
}

#[rstest]
#[case::unreachable(connector::UNREACHABLE, ["False", "Unknown", "Unknown"])]
#[case::tls(connector::TLS_FAILED, ["False", "Unknown", "Unknown"])]
#[case::password(connector::AUTHENTICATION_FAILED, ["True", "False", "Unknown"])]
#[case::base(connector::NOT_FOUND, ["True", "True", "False"])]
#[case::rights(connector::ACCESS_DENIED, ["True", "True", "False"])]
#[case::limit(connector::LIMIT_EXCEEDED, ["True", "True", "False"])]
#[case::cut(connector::INTERRUPTED, ["True", "True", "False"])]
#[case::other_directory(connector::DIRECTORY_CHANGED, ["True", "True", "False"])]
fn a_failed_read_says_how_far_it_came(#[case] reason: Reason, #[case] stages: [&str; 3]) {
    let status = said(State::Failed(&failure(reason)), true, None);
    let expected = [
        ("Ready", "False"),
        ("Reconciling", "True"),
        ("Reachable", stages[0]),
        ("Authenticated", stages[1]),
        ("Readable", stages[2]),
    ];
    assert_eq!(conditions(&status), expected);
    assert_eq!(find(&status.conditions, "Ready").unwrap().reason, reason.name);
}

#[test]
fn what_is_to_be_said_of_a_stage_outlives_a_read_that_fails_after_it() {
    let read = Read { certificate_ends_at: Some(at(100) + SignedDuration::from_hours(48)), ..a_read(0) };
    let before = said(State::Read(&read), true, None);
    for reason in [connector::LIMIT_EXCEEDED, connector::STORE_FAILED] {
        let after = said(State::Failed(&failure(reason)), true, Some(&before));
        let reachable = find(&after.conditions, "Reachable").unwrap();
        assert_eq!(
            (&*reachable.status, &*reachable.reason),
            ("True", "CertificateExpiring"),
            "{}",
            reason.name
        );
    }
    let unreachable = said(State::Failed(&failure(connector::UNREACHABLE)), true, Some(&before));
    let after = said(State::Failed(&failure(connector::STORE_FAILED)), true, Some(&unreachable));
    assert_eq!(find(&after.conditions, "Reachable").unwrap().status, "False", "it was not asked again");
    let nothing = said(State::Failed(&failure(connector::STORE_FAILED)), true, None);
    assert_eq!(conditions(&nothing), [("Ready", "False"), ("Reconciling", "True")]);
}

#[test]
fn a_read_that_reached_its_end_says_what_came() {
    let status = said(State::Read(&a_read(3)), true, None);
    let expected =
        [("Ready", "True"), ("Reachable", "True"), ("Authenticated", "True"), ("Readable", "True")];
    assert_eq!(conditions(&status), expected);
    assert_eq!(
        find(&status.conditions, "Ready").unwrap().message,
        "2 users and 1 group read; 3 missing entries were not looked up"
    );
    assert_eq!(status.last_import.unwrap().sequence, 9);
}

fn server() -> SourceConfig {
    let bind = Bind { dn: "CORP\\reader".to_owned(), password: Secret::new("secret") };
    SourceConfig::ActiveDirectory(ActiveDirectoryConfig {
        ldap: LdapConfig {
            urls: Vec::new(),
            start_tls: false,
            insecure: false,
            ca_pem: None,
            server_name: None,
            bind: Some(bind),
            base_dns: Vec::new(),
            exclude_dns: Vec::new(),
            user_filter: None,
            group_filter: None,
            literal: BTreeSet::new(),
            page_size: 1,
        },
        discovery: None,
        change_feed: ChangeFeed::Auto,
    })
}

#[test]
fn what_is_used_and_came_of_nobody_is_told_of() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
    let read = Read { bare: texts(&["title", "department", "attributes.extensionName"]), ..a_read(0) };
    let used = texts(&["mail", "department", "attributes.extensionName"]);
    let told = unseen(&read, &server(), &used).unwrap();
    assert_eq!(
        told,
        "policies use extensionName, department, and no entry shows it: either no entry has it, or the account that \
         reads may \
         not see it; to allow that: dsacls \"dc=corp\" /I:S /G \"CORP\\reader:RP;extensionName\" \
                                             \"CORP\\reader:RP;department\""
    );
    assert_eq!(unseen(&read, &server(), &texts(&["mail"])), None);
    let facts = StatusInput { unseen: Some(told), ..facts(State::Read(&read), true, None) };
    let status = status(&facts);
    let readable = find(&status.conditions, "Readable").unwrap();
    assert_eq!((&*readable.status, &*readable.reason), ("True", "ReadWithRemarks"));
    assert!(readable.message.contains("no entry shows"), "{}", readable.message);
}

#[test]
fn what_would_make_a_read_better_stands_where_it_is_readable() {
    let read = Read { feed: Some(feed("grant it a right")), ..a_read(0) };
    let status = said(State::Read(&read), true, None);
    let readable = find(&status.conditions, "Readable").unwrap();
    let expected = ("True", "ReadWithRemarks", "as of the last read; grant it a right");
    assert_eq!((&*readable.status, &*readable.reason, &*readable.message), expected);
    assert_eq!(find(&status.conditions, "Reachable").unwrap().reason, "Read");
}

#[rstest]
#[case::ahead(300, Some("5 minutes ahead of"))]
#[case::behind(-3_601, Some("60 minutes behind"))]
#[case::nearly(299, None)]
fn clocks_that_differ_are_told_of(#[case] seconds: i64, #[case] part: Option<&str>) {
    let read = Read { skew: Some(SignedDuration::from_secs(seconds)), ..a_read(0) };
    let status = said(State::Read(&read), true, None);
    let reachable = find(&status.conditions, "Reachable").unwrap();
    let reason = if part.is_some() { "ClockSkewed" } else { "Read" };
    assert_eq!((&*reachable.status, &*reachable.reason), ("True", reason));
    assert!(reachable.message.contains(part.unwrap_or("as of")), "{}", reachable.message);
}

#[rstest]
#[case::long(31 * 86_400, None)]
#[case::soon(30 * 86_400 - 1, Some("in 29 days, on 1970-01-31"))]
#[case::tomorrow(86_400, Some("in 1 day, on 1970-01-02"))]
#[case::over_since_the_read(-86_400, Some("in 0 days, on 1969-12-31"))]
fn a_certificate_that_ends_is_told_of(#[case] left: i64, #[case] part: Option<&str>) {
    let read = Read { certificate_ends_at: Some(at(100 + left)), ..a_read(0) };
    let status = said(State::Read(&read), true, None);
    let reachable = find(&status.conditions, "Reachable").unwrap();
    let reason = if part.is_some() { "CertificateExpiring" } else { "Read" };
    assert_eq!((&*reachable.status, &*reachable.reason), ("True", reason));
    assert!(reachable.message.contains(part.unwrap_or("as of")), "{}", reachable.message);
    assert_eq!(status.certificate_expires_at, Some(Time(at(100 + left))));
    let later = said(State::Failed(&failure(connector::UNREACHABLE)), true, Some(&status));
    assert_eq!(later.certificate_expires_at, status.certificate_expires_at);
}

#[test]
fn what_one_read_by_hand_says_promises_no_other() {
    let error = source::SourceError::new(source::Reason::TlsFailed, "renew it");
    let status = of_import(&Err(error.into()), &server(), &BTreeSet::new(), at(100));
    let expected =
        [("Ready", "False"), ("Reachable", "False"), ("Authenticated", "Unknown"), ("Readable", "Unknown")];
    assert_eq!(conditions(&status), expected);
}

#[test]
fn a_file_is_neither_reached_nor_authenticated_at() {
    assert_eq!(
        conditions(&said(State::Read(&a_read(0)), false, None)),
        [("Ready", "True"), ("Readable", "True")]
    );
}

#[test]
fn a_failure_keeps_what_was_read_before() {
    let before = said(State::Read(&a_read(0)), true, None);
    let after = said(State::Failed(&failure(connector::UNREACHABLE)), true, Some(&before));
    assert_eq!((after.directory, after.last_import), (before.directory, before.last_import));
}

#[test]
fn the_first_read_says_how_far_it_is() {
    let status = said(State::Beginning { came: 12_000 }, true, None);
    assert_eq!(conditions(&status), [("Ready", "Unknown"), ("Reconciling", "True")]);
    assert!(find(&status.conditions, "Reconciling").unwrap().message.contains("12,000 entries"));
}

#[test]
fn suspended_keeps_what_it_said_and_moves_the_generation() {
    let before = said(State::Read(&a_read(0)), true, None);
    let after = status(&StatusInput {
        before: Some(&before),
        generation: Some(5),
        now: at(200),
        state: State::Suspended,
        staged: true,
        consents: false,
        is_declined: false,
        page: None,
        elsewhere: None,
        engine: None,
        handled: None,
        next_at: None,
        unseen: None,
    });
    assert_eq!(conditions(&after), conditions(&before));
    assert_eq!(after.observed_generation, Some(5));
    assert_eq!(conditions(&said(State::Suspended, true, None)), [("Ready", "Unknown")]);
}

#[test]
fn an_invalid_spec_waits_for_somebody() {
    let problems = [Problem::new("o", "spec.ldap.urls", "is no url"), Problem::new("o", "", "and more")];
    let status = said(State::Invalid(&problems), true, None);
    assert_eq!(conditions(&status), [("Ready", "False"), ("Stalled", "True")]);
    assert_eq!(find(&status.conditions, "Ready").unwrap().message, "spec.ldap.urls: is no url; and more");
}

#[test]
fn what_is_missing_elsewhere_is_waited_for() {
    let problems =
        [Problem::elsewhere("o", "spec.ldap.credentialsSecretRef", "there is no Secret id/reader")];
    let status = said(State::Lacking(&problems), true, None);
    assert_eq!(conditions(&status), [("Ready", "False"), ("Reconciling", "True")]);
    let ready = find(&status.conditions, "Ready").unwrap();
    assert_eq!(ready.message, "spec.ldap.credentialsSecretRef: there is no Secret id/reader");
}

/// A tenant whose app lacks what this failure says, after `before`.
fn asked(
    reason: Reason,
    is_declined: bool,
    before: Option<&DirectoryConnectorStatus>,
) -> DirectoryConnectorStatus {
    let failure = failure(reason);
    status(&StatusInput { consents: true, is_declined, ..facts(State::Failed(&failure), true, before) })
}

fn consent(status: &DirectoryConnectorStatus) -> (&str, &str, &str) {
    let one = find(&status.conditions, "Consented").unwrap();
    (&one.status, &one.reason, &one.message)
}

#[rstest]
#[case::never_given(None, connector::CONSENT_MISSING, false, "ConsentMissing", "it did not work; do this")]
#[case::declined(
    None,
    connector::CONSENT_MISSING,
    true,
    "ConsentDeclined",
    "an administrator declined to consent: it did"
)]
#[case::declined_before(
    Some((connector::CONSENT_MISSING, true)),
    connector::CONSENT_MISSING,
    false,
    "ConsentDeclined",
    "an administrator declined to consent: it did"
)]
#[case::given_in_part(
    Some((connector::CONSENT_MISSING, true)),
    connector::PERMISSION_MISSING,
    false,
    "PermissionMissing",
    "it did not"
)]
#[case::taken_away(
    Some((connector::PERMISSION_MISSING, false)),
    connector::CONSENT_MISSING,
    false,
    "ConsentWithdrawn",
    "the consent was withdrawn: it did"
)]
#[case::unknown_app(None, connector::APP_NOT_FOUND, false, "AppNotFound", "it did not")]
#[case::unknown_app_and_declined(
    None,
    connector::APP_NOT_FOUND,
    true,
    "ConsentDeclined",
    "an administrator declined"
)]
fn a_missing_consent_says_how_it_came_to_be_missing(
    #[case] before: Option<(Reason, bool)>,
    #[case] reason: Reason,
    #[case] is_declined: bool,
    #[case] expected: &str,
    #[case] begins: &str,
) {
    let before = before.map(|(reason, is_declined)| asked(reason, is_declined, None));
    let after = asked(reason, is_declined, before.as_ref());
    let (is, why, message) = consent(&after);
    assert_eq!((is, why), ("False", expected));
    assert!(message.starts_with(begins), "{message}");
    let ready = find(&after.conditions, "Ready").unwrap();
    assert_eq!((&*ready.reason, &*ready.message), (why, message));
    // A process that begins with this says the same.
    let recalled = Failure::recall(&after, at(200)).unwrap();
    let again = StatusInput { consents: true, ..facts(State::Failed(&recalled), true, Some(&after)) };
    assert_eq!(consent(&status(&again)), consent(&after));
}

#[test]
fn a_consent_that_was_withdrawn_stays_so_until_it_is_there_again() {
    let read = a_read(0);
    let given = |before| status(&StatusInput { consents: true, ..facts(State::Read(&read), true, before) });
    let before = given(None);
    assert_eq!(consent(&before).0, "True");
    let away = asked(connector::UNREACHABLE, false, Some(&before));
    assert_eq!(consent(&away), consent(&before), "a server that is away says nothing of it");
    let gone = asked(connector::CONSENT_MISSING, false, Some(&away));
    assert_eq!(consent(&gone).1, "ConsentWithdrawn");
    let still = asked(connector::CONSENT_MISSING, false, Some(&gone));
    assert_eq!(consent(&still), consent(&gone));
    assert_eq!(consent(&given(Some(&still))).1, "Consented");
}

#[test]
fn other_hosts_are_never_used_in_silence() {
    let elsewhere = || Some("tokens come from https://login.corp.example".to_owned());
    let failed = failure(connector::UNREACHABLE);
    let (read, before) = (a_read(0), said(State::Read(&a_read(0)), true, None));
    let states = [
        State::Invalid(&[]),
        State::Lacking(&[]),
        State::Suspended,
        State::Beginning { came: 0 },
        State::Failed(&failed),
        State::Read(&read),
        State::AsBefore,
    ];
    for state in states {
        let said = status(&StatusInput { elsewhere: elsewhere(), ..facts(state, true, Some(&before)) });
        let of_it: Vec<_> = said.conditions.iter().filter(|one| one.type_ == ENDPOINTS).collect();
        assert_eq!((of_it.len(), &*of_it[0].status), (1, "True"));
        let again =
            status(&StatusInput { elsewhere: elsewhere(), ..facts(State::AsBefore, true, Some(&said)) });
        assert_eq!(again.conditions.iter().filter(|one| one.type_ == ENDPOINTS).count(), 1);
        let usual = status(&facts(State::AsBefore, true, Some(&again)));
        assert!(find(&usual.conditions, ENDPOINTS).is_none());
    }
}

/// Every condition and reason that the documents have is seen here; the e2e tests see most of them again.
#[test]
fn every_reason_is_said_where_the_documents_say() {
    let all = [
        source::Reason::Unreachable,
        source::Reason::TlsFailed,
        source::Reason::AuthenticationFailed,
        source::Reason::AccessDenied,
        source::Reason::ConsentMissing,
        source::Reason::PermissionMissing,
        source::Reason::AppNotFound,
        source::Reason::Throttled,
        source::Reason::CursorExpired,
        source::Reason::NotFound,
        source::Reason::LimitExceeded,
        source::Reason::Interrupted,
        source::Reason::InvalidData,
        source::Reason::DirectoryChanged,
        source::Reason::EngineNotConnected,
        source::Reason::Withheld,
    ];
    let errors = all.map(|reason| ImportError::Source(source::SourceError::new(reason, "why")));
    let failures: Vec<Failure> = errors.iter().map(|error| failure(reason(error))).collect();
    let store = [StoreError::Full, StoreError::Damaged(String::new())];
    let store = store.map(|error| failure(reason(&ImportError::Store(error))));
    let read = a_read(0);
    let remarked = [
        Read { feed: Some(feed("grant it a right")), ..a_read(0) },
        Read { certificate_ends_at: Some(at(200)), ..a_read(0) },
        Read { skew: Some(SignedDuration::from_mins(5)), ..a_read(0) },
    ];
    let states = failures.iter().chain(&store).map(State::Failed).chain([
        State::Invalid(&[]),
        State::Lacking(&[]),
        State::Suspended,
        State::Beginning { came: 0 },
        State::Read(&read),
    ]);
    let states = states.chain(remarked.iter().map(State::Read));
    let of_tenant = |state| StatusInput {
        consents: true,
        elsewhere: Some("elsewhere".to_owned()),
        ..facts(state, true, None)
    };
    let mut conditions: Vec<_> = states.flat_map(|state| status(&of_tenant(state)).conditions).collect();
    for engine in engine::tests::every() {
        let of_engine = StatusInput { engine: Some(&engine), ..facts(State::Read(&read), true, None) };
        conditions.extend(status(&of_engine).conditions);
    }
    conditions.extend(asked(connector::CONSENT_MISSING, true, None).conditions);
    let had_some = asked(connector::PERMISSION_MISSING, false, None);
    conditions.extend(asked(connector::CONSENT_MISSING, false, Some(&had_some)).conditions);
    conditions.extend(crate::controller::status::blind(&[], None, at(1), &crate::controller::Error::Slow));
    for Reason { name, of, .. } in connector::ALL {
        for place in of.split(", ") {
            let said = conditions.iter().any(|one| one.type_ == place && one.reason == *name);
            assert!(said, "{name} of {place} was never said");
        }
    }
    // What is Unknown bears the reason of what hides it.
    for one in conditions.iter().filter(|one| one.status != "Unknown") {
        let known = connector::ALL.iter().find(|reason| reason.name == one.reason);
        let known = known.unwrap_or_else(|| panic!("{} is not in the documents", one.reason));
        assert!(known.of.split(", ").any(|place| place == one.type_), "{} of {}", one.reason, one.type_);
    }
}
