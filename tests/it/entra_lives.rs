//! Random lives of a tenant, read through whatever its service does wrong: nobody goes who is there, and at rest nothing differs.

use std::collections::BTreeSet;
use std::time::Duration;

use rollcall::directory::Mode;
use serde_json::json;
use uuid::Uuid;

use crate::entra::by_secret;
use crate::support::cloud_lives::{self, Known, Place, same};
use crate::support::entra::{Entra, Tenant};
use crate::support::faults::Dice;

/// Something happens to somebody.
fn step(tenant: &mut Tenant, dice: &mut Dice, deleted: &mut Vec<Uuid>, number: u64) {
    let (users, groups) = (tenant.all("user"), tenant.all("group"));
    let mut of =
        |all: &[Uuid]| (!all.is_empty()).then(|| all[usize::try_from(dice.below(all.len() as u64)).unwrap()]);
    let (user, group, other) = (of(&users), of(&groups), of(&groups));
    let address = |name: &str| json!({ "mail": format!("{name}@corp.example"), "proxyAddresses": [format!("SMTP:{name}@corp.example")] });
    match (dice.below(16), user, group) {
        (0, ..) => drop(tenant.user(&format!("u{number}"), &json!({ "mail": null, "proxyAddresses": null }))),
        (1, ..) => drop(tenant.user(&format!("u{number}"), &json!({ "userType": "Guest" }))),
        (2, ..) => drop(tenant.group(&format!("g{number}"), &json!({}))),
        (3, Some(user), _) => tenant.set(user, &json!({ "jobTitle": format!("t{}", dice.below(3)) })),
        (4, Some(user), _) => tenant.set(user, &address(&format!("a{number}"))),
        (5, Some(user), _) => {
            tenant.set(user, &json!({ "jobTitle": null, "employeeType": format!("e{number}") }));
        }
        (6, Some(user), _) => tenant.set(user, &json!({ "accountEnabled": dice.below(2) == 0 })),
        (7, Some(user), _) => {
            tenant.remove(user, Some("changed"));
            deleted.push(user);
        }
        (8, Some(user), _) => tenant.remove(user, Some("deleted")),
        (9, ..) => {
            if let Some(user) = deleted.pop() {
                tenant.remove(user, None);
            }
        }
        (10, Some(user), _) => {
            // Somebody new gets the address of somebody who goes.
            tenant.remove(user, Some("deleted"));
            tenant.user(&format!("u{number}"), &address(&format!("a{}", dice.below(number + 1))));
        }
        (11, _, Some(group)) => tenant.set(group, &json!({ "displayName": format!("n{number}") })),
        (12, _, Some(group)) if groups.len() > 2 => tenant.remove(group, Some("deleted")),
        (13, _, Some(group)) => {
            if let Some(other) = other.filter(|other| *other != group) {
                tenant.put(group, other, dice.below(3) > 0);
            }
        }
        (_, Some(user), Some(group)) => {
            let is_in = tenant.members(group).contains(&user);
            tenant.put(group, user, !is_in);
            if dice.below(3) == 0 {
                // There and back, before anybody looks.
                tenant.put(group, user, is_in);
            }
        }
        _ => {}
    }
}

/// The service does something wrong; returns what.
fn fault(entra: &Entra, dice: &mut Dice) -> &'static str {
    const JSON: (&str, &str) = ("content-type", "application/json");
    const SOON: (&str, &str) = ("retry-after", "0");
    let to = ["users/delta", "groups/delta", "/delta?$skiptoken", "/members", "$batch", "/v1.0/"];
    let to = to[usize::try_from(dice.below(to.len() as u64)).unwrap()];
    let again = |times: u64, status: u16, headers: &[(&'static str, &str)], body: &str| {
        (0..times).for_each(|_| entra.fail(to, status, headers, body));
    };
    match dice.below(15) {
        0 => again(1 + dice.below(3), 429, &[JSON, SOON], "{}"),
        1 => again(8, 429, &[JSON, SOON], "{}"),
        2 => again(1, 429, &[JSON, ("retry-after", "4000")], "{}"),
        3 => again(1 + dice.below(2), 503, &[SOON], ""),
        4 => again(1, 500, &[JSON, SOON], "{\"error\":{\"code\":\"InternalServerError\"}}"),
        5 => again(1, 504, &[("retry-after", "900")], "<html>"),
        6 => again(1, 200, &[JSON], "{\"value\":[{\"id\":\"4e12ac45-6e38-4a2e-8f"),
        // Of a list of members that would be the truth.
        7 => entra.fail("/delta", 200, &[JSON], "{\"value\":[]}"),
        8 => again(1, 200, &[("content-type", "text/html")], "<html>Log in</html>"),
        9 => again(1, 200, &[JSON], "{\"error\":{\"code\":\"UnknownError\"}}"),
        10 => entra.fail(
            "$deltatoken",
            410,
            &[("location", "https://graph.microsoft.com/v1.0/users/delta")],
            "{}",
        ),
        11 => {
            let body =
                "{\"error\":{\"code\":\"BadRequest\",\"innerError\":{\"code\":\"syncStateNotFound\"}}}";
            entra.fail("/delta", 400, &[JSON], body);
        }
        12 => again(1 + dice.below(2), 401, &[JSON], "{\"error\":{\"code\":\"InvalidAuthenticationToken\"}}"),
        13 => entra.fail("oauth2", 400, &[JSON], "{\"error\":\"invalid_client\",\"error_codes\":[7000215]}"),
        _ => again(1, 302, &[("location", "https://127.0.0.1:1/")], ""),
    }
    to
}

/// Nobody, and nobody's membership, went who is there, and nobody is disabled who is enabled.
fn nobody_went(entra: &Entra, before: &Known, after: &Known, story: &[String]) {
    let inner = entra.inner();
    let tenant = &inner.tenant;
    let there: BTreeSet<String> =
        tenant.all("user").into_iter().chain(tenant.all("group")).map(|id| id.to_string()).collect();
    let id = |who: &str| who.parse::<Uuid>().unwrap();
    let is_enabled = |who: &str| tenant.property(id(who), "accountEnabled") == Some(json!(true));
    let members = |who: &str| tenant.members(id(who)).iter().map(Uuid::to_string).collect();
    cloud_lives::nobody_went(&there, is_enabled, members, before, after, story);
}

async fn life(seed: u64) -> [usize; 3] {
    let (mut dice, entra) = (Dice::of(seed), Entra::start());
    let (mut story, mut counts, mut deleted) = (vec![format!("SEED={seed}")], [0; 3], Vec::new());
    {
        let tenant = &mut entra.inner().tenant;
        let groups = [0, 1, 2].map(|number| tenant.group(&format!("g-{number}"), &json!({})));
        for number in 0..12_u64 {
            let user = tenant.user(&format!("a{number}"), &json!({}));
            for group in groups.iter().filter(|_| dice.below(2) == 0) {
                tenant.put(*group, user, true);
            }
        }
        tenant.put(groups[0], groups[1], true);
    }
    let (place, mut is_open) = (Place::of(by_secret(&entra, &["employeeType"])), false);
    for read in 0..8_u64 {
        let before = place.known();
        {
            let tenant = &mut entra.inner().tenant;
            for number in 0..dice.below(6) {
                step(tenant, &mut dice, &mut deleted, 100 * (read + 1) + number);
            }
            (tenant.page, tenant.slice) =
                (1 + usize::try_from(dice.below(7)).unwrap(), 1 + usize::try_from(dice.below(3)).unwrap());
            (tenant.untidy, tenant.sparse) = (dice.below(2) == 0, dice.below(2) == 0);
            tenant.muddled = (dice.below(2) == 0).then(|| dice.next());
            story.push(format!(
                "{read}: untidy {}, sparse {}, muddled {:?}",
                tenant.untidy, tenant.sparse, tenant.muddled
            ));
        }
        for _ in 0..dice.below(3) {
            let to = fault(&entra, &mut dice);
            let fault = entra.inner().talk.faults.back().cloned().unwrap();
            story.push(format!("   {to}: {} {} {:?}", fault.status, fault.body, fault.headers));
            counts[2] += 1;
        }
        if dice.below(6) == 0 {
            place.clock.advance(Duration::from_hours(1));
        }
        let ended = place.try_read().await;
        counts[usize::from(ended.is_err())] += 1;
        if let Ok(imported) = &ended {
            let is_left = imported.unsettled + imported.unreadable > 0;
            is_open = is_left || (is_open && imported.info.mode == Mode::Delta);
        }
        story.push(match &ended {
            Ok(imported) => format!("   read: {:?}, {} unsettled", imported.info.mode, imported.unsettled),
            Err(error) => format!("   not read: {error}"),
        });
        nobody_went(&entra, &before, &place.known(), &story);
        entra.inner().talk.faults.clear();
    }
    entra.inner().tenant.muddled = None;
    let fresh = Place::of(by_secret(&entra, &["employeeType"]));
    fresh.read().await;
    let end = place.read().await;
    is_open = is_open && end.info.mode == Mode::Delta;
    // Whoever could not be looked up, or understood, stays until the next read of everything.
    if !is_open && end.unsettled == 0 && end.unreadable == 0 {
        same(&place.known(), &fresh.known(), &story);
    }
    place.clock.advance(Duration::from_hours(1));
    let end = place.read().await;
    assert_eq!((end.unsettled, end.unreadable), (0, 0), "{}", story.join("\n"));
    same(&place.known(), &fresh.known(), &story);
    counts
}

#[test]
fn lives_of_a_tenant_are_read_through_every_fault() {
    cloud_lives::all(24, life);
}
