//! That nothing secret is said: what finds it in what programs say, and programs that say all they can while services and
//! directories refuse them.

use rstest::rstest;

use crate::services::export;
use crate::support::cli::Desk;
use crate::support::mimecast::CLIENT;
use crate::support::scim::TOKEN;
use crate::support::scim_stand_in::{Fault, Habits, StandIn};
use crate::support::secrets::{in_text, person_in};

#[rstest]
#[case::nothing("the app may read: sub=ann eyJ0 ok", None)]
#[case::mark("DEBUG body: client_id=x&client_secret=y", Some("client_secret="))]
#[case::token(
    "authorization: eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl\n",
    Some("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl")
)]
#[case::no_token("a name eyJhbGciOiJSUzI1NiJ9 alone", None)]
fn what_is_secret_is_found(#[case] said: &str, #[case] found: Option<&str>) {
    assert_eq!(in_text(said), found);
}

#[rstest]
#[case::nobody("the domain is corp.example; 3 users @corp.example", None)]
#[case::somebody("level=INFO user=\"ada.b@corp.example\"", Some("ada.b@corp.example"))]
#[case::at_the_beginning("x@corp.test", Some("x@corp.test"))]
fn who_is_named_is_found(#[case] said: &str, #[case] found: Option<&str>) {
    assert_eq!(person_in(said), found);
}

/// A service that is asked with a token, or with one that it issues to a client; nobody shows either, whatever it answers.
#[rstest]
#[case::by_token("tokenSecretRef: { name: app, key: token }")]
#[case::by_client("oauth: { tokenURL: \"PLACE/token\", clientSecretRef: { name: app } }")]
fn a_services_token_is_said_at_no_level(#[case] credential: &str) {
    let service = StandIn::start(Habits::default());
    let url = service.url();
    let desk = Desk::new();
    desk.write("corp.ldif", export(&["ada", "grace"]));
    let write = |token: &str| {
        let credential = credential.replace("PLACE", &url);
        desk.write(
            "manifests.yaml",
            format!(
                "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp }}\n\
                 spec: {{ ldif: {{ path: corp.ldif }} }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: app }}\n\
                 stringData: {{ token: {token}, client-id: app, client-secret: {} }}\n---\n\
                 apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: staff }}\nspec:\n  \
                 connectors: [{{ name: corp }}]\n  target:\n    scim: {{ url: \"{url}\", insecure: true, \
                 credentials: {{ {credential} }} }}\n",
                CLIENT.1
            ),
        );
    };
    write(TOKEN);
    desk.sync_aloud(&[]).exits(0);
    let refusals =
        [(401, "<html>Log in</html>"), (500, "{\"detail\":\"Bearer what?\"}"), (302, ""), (200, "{")];
    for (status, body) in refusals {
        desk.write("corp.ldif", export(&["ada", "grace", &format!("one-more-{status}")]));
        let fault = Fault::new("POST", "Users", status);
        service.inner().faults.push_back(Fault { body: body.to_owned(), ..fault });
        desk.sync_aloud(&[]);
    }
    // Another token than it takes.
    service.inner().token = "another".to_owned();
    desk.sync_aloud(&[]);
}
