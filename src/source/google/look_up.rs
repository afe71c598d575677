//! Looks objects up by their ids: whether they are there, though a read did not bring them.

use std::collections::HashMap;

use futures::StreamExt as _;

use super::client::{AT_ONCE, Api, Refused};
use super::config::Whose;
use super::decode::{self, Item};
use crate::directory::Anchor;
use crate::source::service::places::{Places, Said};
use crate::source::{LookUp, Reason, SourceError};

/// Settles who is not there.
pub(super) async fn look_up(
    api: &Api,
    anchors: &[Anchor],
    called: &HashMap<Anchor, String>,
) -> Result<LookUp, SourceError> {
    let places = Places { anchors, called, collections: &["users", "groups"] };
    let asked = places.all().into_iter().map(async |place| {
        let said = ask(api, &place).await;
        (place, said)
    });
    let mut asked = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
    let mut said = HashMap::new();
    while let Some((place, answer)) = asked.next().await {
        said.insert(place, answer?);
    }
    Ok(places.settle(&said))
}

async fn ask(api: &Api, place: &str) -> Result<Said, SourceError> {
    let (of, id) = place.split_once('/').unwrap_or(("users", place));
    let select = if of == "users" { "id,primaryEmail,deletionTime" } else { "id,email" };
    match api.object(of, id, select, |item| said(item, id, &api.config().whose)).await {
        Ok(said) => Ok(said),
        Err(Refused::NotThere) => Ok(Said::NotThere),
        // It may be anybody's, and says nothing.
        Err(Refused::Denied(_)) => Ok(Said::Nothing),
        Err(Refused::Error(error)) if error.reason == Reason::InvalidData => Ok(Said::Nothing),
        Err(Refused::Error(error)) => Err(error),
    }
}

/// What an object says that came. Of one domain, who is in another one is not among those that are read.
fn said(item: &Item<'_>, id: &str, whose: &Whose) -> Said {
    if decode::text(item, "id").as_deref() != Some(id) {
        return Said::Nothing;
    }
    if item.get("deletionTime").is_some() {
        return Said::NotThere;
    }
    let address = decode::text(item, "primaryEmail").or_else(|| decode::text(item, "email"));
    let host = address.as_deref().and_then(|address| address.rsplit_once('@')).map(|(_, host)| host);
    match (whose, host) {
        (Whose::Domain(domain), Some(host)) if !host.eq_ignore_ascii_case(domain) => Said::Outside,
        _ => Said::There,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::json::object;

    #[test]
    fn who_moved_to_another_domain_is_outside_of_the_first() {
        let of = |item: serde_json::Value, whose: &Whose| said(&object(&item), "1", whose);
        let (domain, all) = (Whose::Domain("corp.example".to_owned()), Whose::Customer("C1".to_owned()));
        let moved = json!({ "id": "1", "primaryEmail": "ann@other.example" });
        assert_eq!((of(moved.clone(), &domain), of(moved, &all)), (Said::Outside, Said::There));
        assert_eq!(of(json!({ "id": "1", "email": "team@Corp.example" }), &domain), Said::There);
        assert_eq!(of(json!({ "id": "2", "email": "team@other.example" }), &domain), Said::Nothing);
        assert_eq!(of(json!({ "id": "1" }), &domain), Said::There);
        let deleted =
            json!({ "id": "1", "primaryEmail": "a@corp.example", "deletionTime": "2026-01-01T00:00:00Z" });
        assert_eq!(of(deleted, &domain), Said::NotThere);
    }
}
