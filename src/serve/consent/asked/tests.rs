use jiff::SignedDuration;
use rstest::rstest;

use super::*;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
const TENANT: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

fn corp() -> ConnectorName {
    ConnectorName::new("id", "corp")
}

fn asking() -> (Consents, mpsc::Receiver<Answer>) {
    let (consents, heard) = Consents::new("https://rollcall.corp.example/").unwrap();
    let page = format!("https://login.corp.example/{TENANT}/adminconsent?client_id=app");
    consents.set(&corp(), Some(Asked { uid: "one".to_owned(), page, tenant: TENANT.parse().ok() }));
    (consents, heard)
}

fn state(consents: &Consents) -> String {
    let url = consents.question(&corp(), NOW).unwrap();
    let fields: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(fields["client_id"], "app");
    assert_eq!(fields["redirect_uri"], "https://rollcall.corp.example/consent/callback");
    fields["state"].clone()
}

#[rstest]
#[case::given("admin_consent=True", Page::Given, Some(false))]
#[case::of_this_tenant(&format!("admin_consent=True&tenant={TENANT}"), Page::Given, Some(false))]
#[case::of_another(
    "admin_consent=True&tenant=00000000-0000-0000-0000-000000000001",
    Page::OtherTenant,
    Some(false)
)]
#[case::declined("error=access_denied&error_description=x", Page::Declined, Some(true))]
#[case::declined_in_other_words("error=permission_denied&admin_consent=True", Page::Declined, Some(true))]
#[case::declined_as_by_the_second_version(
    "admin_consent=True&error=consent_required",
    Page::Declined,
    Some(true)
)]
#[case::failed("error=server_error&error_description=%3Cscript%3E", Page::Failed, Some(false))]
fn an_answer_is_heard_once(#[case] answer: &str, #[case] page: Page, #[case] declined: Option<bool>) {
    let (consents, mut heard) = asking();
    let answer = format!("{answer}&state={}", state(&consents));
    assert_eq!(consents.answered(&answer, NOW), page);
    assert_eq!(heard.try_recv().ok().map(|answer| answer.is_declined), declined);
    assert_eq!(consents.answered(&answer, NOW), Page::Again);
    assert!(heard.try_recv().is_err(), "it counts once");
}

#[test]
fn what_answers_no_question_is_not_heard() {
    let (consents, mut heard) = asking();
    let (mine, theirs) = (state(&consents), state(&asking().0));
    let hour = SignedDuration::from_hours(1);
    let at = |state: &str, now| consents.answered(&format!("admin_consent=True&state={state}"), now);
    assert_eq!(at("", NOW), Page::Unknown);
    assert_eq!(consents.answered("admin_consent=True", NOW), Page::Unknown);
    assert_eq!(at(&theirs, NOW), Page::Unknown, "another process signed it");
    let (body, signature) = mine.rsplit_once('.').unwrap();
    assert_eq!(at(&format!("{}.{signature}", &body[..body.len() - 1]), NOW), Page::Unknown);
    for unsigned in [body.to_owned(), format!("{body}.")] {
        assert_eq!(at(&unsigned, NOW), Page::Unknown);
    }
    assert_eq!(at(&mine, NOW + hour), Page::Late);
    assert!(heard.try_recv().is_err());
    // What was tried wrongly is not used up by that.
    assert_eq!(at(&mine, NOW + hour - SignedDuration::from_secs(1)), Page::Given);
}

#[test]
fn one_made_anew_is_another_and_one_that_has_its_consent_asks_no_more() {
    let (consents, mut heard) = asking();
    let answers = [(); 2].map(|()| format!("state={}", state(&consents)));
    let asked = consents.known().asked[&corp()].clone();
    consents.set(&corp(), Some(Asked { uid: "two".to_owned(), ..asked }));
    assert_eq!(consents.answered(&answers[0], NOW), Page::Settled);
    consents.set(&corp(), None);
    assert_eq!(consents.answered(&answers[1], NOW), Page::Settled);
    assert_eq!(consents.question(&corp(), NOW), None);
    assert!(heard.try_recv().is_err());
}

#[test]
fn what_is_remembered_is_bounded_and_forgotten_in_time() {
    let (consents, mut heard) = asking();
    let first = state(&consents);
    let later = NOW + SignedDuration::from_secs(1);
    consents.known().used = (0..USED).map(|_| (Uuid::new_v4(), later)).collect();
    assert_eq!(consents.answered(&format!("state={first}"), NOW), Page::TooMany);
    assert_eq!(consents.answered(&format!("state={first}"), later), Page::Given);
    assert!(heard.try_recv().is_ok());
    assert_eq!(consents.known().used.len(), 1);
}

#[rstest]
#[case("https://rollcall.corp.example", true)]
#[case("https://rollcall.corp.example:8443/", true)]
#[case("http://localhost:8484", true)]
#[case("http://127.0.0.1:8484", true)]
#[case("http://rollcall.corp.example", false)]
#[case("http://localhost.corp.example", false)]
#[case("https://rollcall.corp.example/x", false)]
#[case("https://ann@rollcall.corp.example", false)]
#[case("rollcall.corp.example", false)]
fn browsers_are_led_back_safely(#[case] address: &str, #[case] is: bool) {
    assert_eq!(is_external(address), is);
}

#[test]
fn a_page_shows_nothing_that_was_sent_and_no_key_is_shown() {
    let (consents, _heard) = asking();
    assert!(!format!("{consents:?}").contains("key: [") && format!("{consents:?}").contains("Key(…)"));
    let page = consents.answered("state=%3Cscript%3Ealert(1)%3C/script%3E", NOW).html();
    assert!(!page.contains("script"), "{page}");
}
