//! Looks objects up by their ids, 20 a request: whether they are there, though a read did not bring them.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Graph;
use super::config::CONTACTS;
use crate::directory::Anchor;
use crate::net::retry::{Came, Next, Policy};
use crate::source::service::places::{Places, Said};
use crate::source::{LookUp, SourceError};

/// Graph takes no more at once.
const AT_ONCE: usize = 20;
/// How many times those are asked for again whom Graph had no time for.
const ROUNDS: u32 = 4;

/// Settles who is not there. A contact is elsewhere if contacts are no longer read.
pub(super) async fn look_up(
    graph: &Graph,
    anchors: &[Anchor],
    called: &HashMap<Anchor, String>,
) -> Result<LookUp, SourceError> {
    let is_left_out = |anchor: &Anchor| {
        let place = called.get(anchor).and_then(|place| place.split('/').next());
        place == Some(CONTACTS) && !graph.config().contacts
    };
    let (left_out, anchors): (Vec<Anchor>, Vec<Anchor>) = anchors.iter().cloned().partition(is_left_out);
    let collections: Vec<&str> = graph.config().reads().map(|(of, _)| of).collect();
    let places = Places { anchors: &anchors, called, collections: &collections };
    let mut said = HashMap::new();
    for some in places.all().chunks(AT_ONCE) {
        ask(graph, some, &mut said).await?;
    }
    Ok(LookUp { found: left_out, ..places.settle(&said) })
}

async fn ask(graph: &Graph, paths: &[String], said: &mut HashMap<String, Said>) -> Result<(), SourceError> {
    let policy = Policy { tries: ROUNDS, ..Policy::default() };
    let mut left: Vec<&String> = paths.iter().collect();
    for round in 1..=ROUNDS {
        let request = |(number, path): (usize, &&String)| json!({ "id": number.to_string(), "method": "GET", "url": format!("/{path}?$select=id") });
        let requests: Vec<Value> = left.iter().enumerate().map(request).collect();
        let responses = graph.batch(&json!({ "requests": requests })).await?;
        let (mut later, mut wait) = (Vec::new(), None::<Duration>);
        for (number, path) in left.iter().enumerate() {
            let number = number.to_string();
            let response = responses.iter().find(|it| it.get("id").and_then(Value::as_str) == Some(&number));
            let status = response.and_then(|it| it.get("status")).and_then(Value::as_u64);
            let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
            let is_it = || {
                let id = response.and_then(|it| it.pointer("/body/id")).and_then(Value::as_str);
                id.is_some_and(|id| {
                    path.rsplit('/').next().is_some_and(|asked| asked.eq_ignore_ascii_case(id))
                })
            };
            let asked = response.and_then(|it| header(it, "retry-after"));
            let asked = asked.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
            match policy.next(Came::Status(status, asked), round, 1.0) {
                Next::Again(again) => {
                    later.push(*path);
                    wait = wait.max(Some(again));
                }
                Next::GiveUp(_) => {
                    let is = match status {
                        200 if is_it() => Said::There,
                        404 if is_not_found(response) => Said::NotThere,
                        _ => Said::Nothing,
                    };
                    said.insert((*path).clone(), is);
                }
            }
        }
        let Some(wait) = wait else { break };
        tokio::time::sleep(wait).await;
        left = later;
    }
    Ok(())
}

/// A header of one answer; its name has no case.
fn header<'r>(response: &'r Value, name: &str) -> Option<&'r str> {
    let headers = response.get("headers")?.as_object()?;
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1.as_str()
}

/// Whether it is Graph that says that there is no such object, and not something between.
fn is_not_found(response: Option<&Value>) -> bool {
    let code = response.and_then(|it| it.pointer("/body/error/code")).and_then(Value::as_str);
    code == Some("Request_ResourceNotFound")
}
