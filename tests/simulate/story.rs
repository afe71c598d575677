//! A life that ended badly, told in plain words; shortened to what the ending needs.

use rollcall::sync::run::RunReport;

use crate::event::Step;
use crate::oracle::Broken;

/// What a run did, in a few words.
pub(crate) fn of_report(report: &RunReport) -> String {
    let mut told = Vec::new();
    let applied = &report.applied;
    for (what, counts) in [("users", &applied.users), ("groups", &applied.groups)] {
        let all = [
            ("created", counts.created),
            ("adopted", counts.adopted),
            ("updated", counts.updated),
            ("disabled", counts.disabled),
            ("enabled", counts.enabled),
            ("emptied", counts.emptied),
            ("deleted", counts.deleted),
            ("unlinked", counts.unlinked),
            ("lost", counts.lost),
        ];
        for (verb, count) in all.into_iter().filter(|(_, count)| *count > 0) {
            told.push(format!("{count} {what} {verb}"));
        }
    }
    if applied.members_added + applied.members_removed > 0 {
        told.push(format!("members +{} -{}", applied.members_added, applied.members_removed));
    }
    if let Some(hold) = &report.held {
        let lines: Vec<String> = hold
            .lines
            .iter()
            .map(|line| {
                let member = line.member_name.as_deref().map(|member| format!("{member} in "));
                format!("{} {}{} ({})", line.action, member.unwrap_or_default(), line.name, line.why)
            })
            .collect();
        told.push(format!("held: {}", lines.join("; ")));
    }
    for one in &report.quarantined {
        told.push(format!("quarantined: {} {:?}", one.entry, one.reason));
    }
    for one in &report.blocked {
        told.push(format!("waiting for the name {}", one.name));
    }
    if let Some(why) = &report.failed {
        told.push(format!("failed: {why}"));
    }
    told.iter().fold(String::new(), |told, part| told + ", " + part)
}

/// How often a shorter life is tried.
const TRIES: u32 = 600;

/// Leaves events out for as long as the life still breaks the same promise.
pub(crate) fn shorten(events: Vec<Step>, promise: u8, ends: impl Fn(&[Step]) -> Option<Broken>) -> Vec<Step> {
    let mut events = events;
    let mut chunk = events.len() / 2;
    let mut tries = 0;
    while chunk > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < events.len() && tries < TRIES {
            tries += 1;
            let mut fewer = events.clone();
            fewer.drain(at..(at + chunk).min(events.len()));
            if ends(&fewer).is_some_and(|broken| broken.promise == promise) {
                events = fewer;
                shorter = true;
            } else {
                at += chunk;
            }
        }
        if chunk > 1 || !shorter {
            chunk /= 2;
        }
    }
    events
}
