#!/bin/bash
# Expected: an operator that publishes a second Event with another note ("held: 3 users", then "held: 40 users") is seen to
#   have said both. The library's own comment says that Events are told apart by "reason and note".
# Fact: kube-runtime's Recorder tells them apart by type, action, reason, reporter and object alone. For six minutes each later note is
#   dropped: the Recorder patches the first Event with a higher count and with the first note.
# Why it matters: the number, digest or address that people act on is the old one, and `kubectl describe` shows nothing of the new one.
# Source: kube-runtime 5.0.0, src/events.rs (get_event_key). Needs Rust.
. "$(dirname "$0")/lib.sh"
command -v cargo > /dev/null || { echo "install Rust"; exit 2; }
mkdir -p "$W/src"
cat > "$W/Cargo.toml" <<'T'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"
[dependencies]
kube = { version = "=5.0.0", default-features = false, features = ["client", "runtime"] }
k8s-openapi = { version = "0.29", default-features = false, features = ["latest"] }
http = "1"
http-body-util = "0.1"
serde_json = "1"
tower = { version = "0.5", features = ["util"] }
tokio = { version = "1", features = ["macros", "rt"] }
T
cat > "$W/src/main.rs" <<'R'
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::client::Body;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // An apiserver that takes what it is sent, and shows it here.
    let server = tower::service_fn(|request: http::Request<Body>| async move {
        let method = request.method().clone();
        let body = request.into_body().collect().await?.to_bytes();
        let sent: serde_json::Value = serde_json::from_slice(&body).unwrap();
        println!("{method} {} count {}", sent["note"], sent["series"]["count"]);
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(http::Response::new(Body::from(body.to_vec())))
    });
    let client = kube::Client::new(server, "default");
    let recorder = Recorder::new(client, Reporter { controller: "finding".into(), instance: None });
    let object = ObjectReference { name: Some("staff".into()), namespace: Some("default".into()), ..Default::default() };
    for note in ["held: 3 users", "held: 40 users"] {
        let event = Event {
            type_: EventType::Warning,
            reason: "Held".into(),
            note: Some(note.into()),
            action: "Sync".into(),
            secondary: None,
        };
        recorder.publish(&event, &object).await.unwrap();
    }
}
R
(cd "$W" && cargo build -q 2> build.log) || { tail -20 "$W/build.log"; exit 2; }
grep -A1 '^name = "kube-runtime"' "$W/Cargo.lock" | paste -sd' '
fact "what the apiserver gets for two notes" 'POST "held: 3 users" count null|PATCH "held: 3 users" count 2' "$("${CARGO_TARGET_DIR:-$W/target}/debug/finding" | paste -sd'|')"
verdict
