//! Random lives of a customer of Google Workspace, read through whatever its service does wrong: nobody goes who is there, and at rest
//! nothing differs.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::google::source;
use crate::support::cloud_lives::{self, Known, Place, same};
use crate::support::faults::Dice;
use crate::support::google::{Customer, Google, Kind};

/// Something happens to somebody.
fn step(customer: &mut Customer, dice: &mut Dice, deleted: &mut Vec<String>, number: u64) {
    let (users, groups) = (customer.users(), customer.groups());
    // The administrator stays.
    let users: Vec<String> = users
        .into_iter()
        .filter(|id| customer.property(id, "isDelegatedAdmin") != Some(json!(true)))
        .collect();
    let mut of = |all: &[String]| {
        (!all.is_empty()).then(|| all[usize::try_from(dice.below(all.len() as u64)).unwrap()].clone())
    };
    let (user, group, other) = (of(&users), of(&groups), of(&groups));
    let address = |name: &str| json!({ "primaryEmail": format!("{name}@corp.example") });
    match (dice.below(16), user, group) {
        (0, ..) => drop(customer.user(&format!("u{number}"), &json!({}))),
        (1, ..) => drop(customer.user(&format!("u{number}"), &json!({ "isGuestUser": true }))),
        (2, ..) => drop(customer.group(&format!("g{number}"), &json!({}))),
        (3, Some(user), _) => {
            let title = format!("t{}", dice.below(3));
            customer.set(&user, &json!({ "organizations": [{ "title": title }] }));
        }
        (4, Some(user), _) => customer.set(&user, &address(&format!("a{number}"))),
        (5, Some(user), _) => {
            customer.set(&user, &json!({ "organizations": null, "orgUnitPath": format!("/o{number}") }));
        }
        (6, Some(user), _) => customer.set(&user, &json!({ "suspended": dice.below(2) == 0 })),
        (7, Some(user), _) => {
            customer.delete_user(&user, true);
            deleted.push(user);
        }
        (8, Some(user), _) => customer.forget_user(&user),
        (9, ..) => {
            if let Some(user) = deleted.pop() {
                customer.delete_user(&user, false);
            }
        }
        (10, Some(user), _) => {
            // Somebody new gets the address of somebody who goes.
            let address = customer.property(&user, "primaryEmail").unwrap();
            customer.forget_user(&user);
            customer.user(&format!("u{number}"), &json!({ "primaryEmail": address }));
        }
        (11, _, Some(group)) => customer.set(&group, &json!({ "name": format!("n{number}") })),
        (12, _, Some(group)) if groups.len() > 2 => customer.delete_group(&group),
        (13, _, Some(group)) => {
            if let Some(other) = other.filter(|other| *other != group) {
                customer.put(&group, &other, dice.below(3) > 0);
            }
        }
        (14, Some(user), Some(group)) => {
            // One in place of another, which does not show.
            if let Some((member, Kind::User)) = customer.members(&group).into_iter().next() {
                customer.put(&group, &member, false);
                customer.put(&group, &user, true);
            }
            if dice.below(3) == 0 {
                let id = customer.id.clone();
                customer.put_as(&group, &id, Kind::Customer, dice.below(2) == 0);
            }
        }
        (_, Some(user), Some(group)) => {
            let is_in = customer.members(&group).iter().any(|(id, _)| *id == user);
            customer.put(&group, &user, !is_in);
        }
        _ => {}
    }
}

/// The service does something wrong; returns what.
fn fault(google: &Google, dice: &mut Dice) -> &'static str {
    const JSON: (&str, &str) = ("content-type", "application/json");
    const SOON: (&str, &str) = ("retry-after", "0");
    let to = ["/users?", "/groups?", "/members?", "pageToken=", "/users/1", "/directory/v1/"];
    let to = to[usize::try_from(dice.below(to.len() as u64)).unwrap()];
    let again = |times: u64, status: u16, headers: &[(&'static str, &str)], body: &str| {
        (0..times).for_each(|_| google.fail(to, status, headers, body));
    };
    let said =
        |reason: &str| format!("{{\"error\":{{\"code\":403,\"errors\":[{{\"reason\":\"{reason}\"}}]}}}}");
    match dice.below(16) {
        // Storms.
        0 => again(1 + dice.below(3), 403, &[JSON, SOON], &said("userRateLimitExceeded")),
        1 => again(9, 403, &[JSON, SOON], &said("quotaExceeded")),
        2 => again(1 + dice.below(3), 429, &[JSON, SOON], &said("rateLimitExceeded")),
        3 => again(1, 403, &[JSON, ("retry-after", "4000")], &said("rateLimitExceeded")),
        4 => again(1 + dice.below(2), 503, &[SOON], ""),
        5 => again(1, 500, &[JSON, SOON], &said("backendError")),
        6 => again(1, 504, &[("retry-after", "900")], "<html>"),
        // Cut.
        7 => again(1, 200, &[JSON], "{\"kind\":\"admin#directory#users\",\"users\":[{\"id\":\"1000"),
        8 => again(1, 200, &[("content-type", "text/html")], "<html>Log in</html>"),
        9 => again(1, 200, &[JSON], "{\"error\":{\"code\":403}}"),
        10 => again(1, 200, &[JSON], "{}"),
        11 => google.fail("pageToken=", 400, &[JSON], &said("invalid")),
        12 => again(1 + dice.below(2), 401, &[JSON], &said("authError")),
        13 => {
            google.fail("/token", 400, &[JSON], "{\"error\":\"invalid_grant\",\"error_description\":\"x\"}");
        }
        14 => again(1, 403, &[JSON], &said("forbidden")),
        _ => again(1, 302, &[("location", "https://127.0.0.1:1/")], ""),
    }
    to
}

/// Nobody, and nobody's membership, went who is there, and nobody is disabled who is enabled.
fn nobody_went(google: &Google, before: &Known, after: &Known, story: &[String]) {
    let inner = google.inner();
    let customer = &inner.customer;
    let there: BTreeSet<String> = customer.users().into_iter().chain(customer.groups()).collect();
    let is_enabled = |who: &str| customer.property(who, "suspended") == Some(json!(false));
    let members = |who: &str| {
        let members = customer.members(who);
        let everybody = members.iter().any(|(_, kind)| *kind == Kind::Customer);
        let everybody = if everybody { customer.users() } else { Vec::new() };
        members.into_iter().map(|(id, _)| id).chain(everybody).collect()
    };
    cloud_lives::nobody_went(&there, is_enabled, members, before, after, story);
}

async fn life(seed: u64) -> [usize; 3] {
    let (mut dice, google) = (Dice::of(seed), Google::start());
    let (mut story, mut counts, mut deleted) = (vec![format!("SEED={seed}")], [0; 3], Vec::new());
    {
        let customer = &mut google.inner().customer;
        let groups = [0, 1, 2].map(|number| customer.group(&format!("g-{number}"), &json!({})));
        for number in 0..12_u64 {
            let user = customer.user(&format!("a{number}"), &json!({}));
            for group in groups.iter().filter(|_| dice.below(2) == 0) {
                customer.put(group, &user, true);
            }
        }
        customer.put(&groups[0], &groups[1], true);
        customer.put_as(&groups[2], "9001", Kind::External("eve@other.example".to_owned()), true);
    }
    let place = Place::of(source(&google, &["orgUnitPath"]));
    for read in 0..8_u64 {
        let before = place.known();
        {
            let mut inner = google.inner();
            for number in 0..dice.below(6) {
                step(&mut inner.customer, &mut dice, &mut deleted, 100 * (read + 1) + number);
            }
            inner.customer.page = 1 + usize::try_from(dice.below(7)).unwrap();
            inner.token_uses =
                if dice.below(3) == 0 { 2 + u32::try_from(dice.below(9)).unwrap() } else { u32::MAX };
            story.push(format!("{read}: page {}, uses {}", inner.customer.page, inner.token_uses));
        }
        for _ in 0..dice.below(3) {
            let to = fault(&google, &mut dice);
            let fault = google.inner().talk.faults.back().cloned().unwrap();
            story.push(format!("   {to}: {} {} {:?}", fault.status, fault.body, fault.headers));
            counts[2] += 1;
        }
        if dice.below(6) == 0 {
            place.clock.advance(Duration::from_hours(1));
        }
        let ended = place.try_read().await;
        counts[usize::from(ended.is_err())] += 1;
        story.push(match &ended {
            Ok(imported) => format!("   read: {:?}, {} unsettled", imported.info.mode, imported.unsettled),
            Err(error) => format!("   not read: {error}"),
        });
        nobody_went(&google, &before, &place.known(), &story);
        google.inner().talk.faults.clear();
    }
    google.inner().token_uses = u32::MAX;
    let fresh = Place::of(source(&google, &["orgUnitPath"]));
    fresh.read().await;
    place.clock.advance(Duration::from_hours(1));
    let end = place.read().await;
    assert_eq!((end.unsettled, end.unreadable), (0, 0), "{}", story.join("\n"));
    same(&place.known(), &fresh.known(), &story);
    counts
}

#[test]
fn lives_of_a_customer_are_read_through_every_fault() {
    cloud_lives::all(16, life);
}
