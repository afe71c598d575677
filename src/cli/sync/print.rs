//! Prints the results, as tables or JSON.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::arguments::Sync;
use super::done::{Done, NotRun};
use super::status::{not_ready, of_import, of_run};
use crate::api::policy::SyncPolicyStatus;
use crate::api::reason;
use crate::api::{DirectoryConnectorStatus, GROUP, VERSION};
use crate::cli::out::Out;
use crate::cli::table::Table;
use crate::clock::{Clock as _, SystemClock};
use crate::controller::policy::status::failure;
use crate::directory::Place;
use crate::spec::{self, Connector};
use crate::sync::import::Imported;
use crate::sync::run::{Approval, RunReport};
use crate::text::clean_within;
use crate::words::{count, thousands};

/// At most so many of a kind are listed one by one.
const NAMED: usize = 20;
/// So many bytes of a DN are shown.
const LONGEST: usize = 256;

/// Prints every object with the status that it would have.
pub(super) fn json(out: &mut Out<'_>, done: &Done) -> Result<()> {
    let now = SystemClock.now();
    let mut objects = Vec::new();
    for (name, status) in connectors(done, now) {
        objects.push(object("DirectoryConnector", name, &serde_json::to_value(status)?));
    }
    for (name, status) in policies(done, now) {
        objects.push(object("SyncPolicy", name, &serde_json::to_value(status)?));
    }
    out.json(&objects)
}

fn object(kind: &str, name: &str, status: &Value) -> Value {
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": kind,
        "metadata": { "namespace": namespace, "name": name },
        "status": status,
    })
}

fn connectors(done: &Done, now: Timestamp) -> Vec<(&str, DirectoryConnectorStatus)> {
    let without = |condition| DirectoryConnectorStatus {
        conditions: vec![condition],
        ..DirectoryConnectorStatus::default()
    };
    let status = |(name, connector): (_, &Connector)| match done.imports.get(name) {
        Some(imported) => {
            let used = spec::used(&connector.name, &done.resolved.policies);
            of_import(imported, &connector.source, &used, now)
        }
        None => without(not_ready(reason::connector::SUSPENDED, "spec.suspend is true".to_owned(), now)),
    };
    let usable = done.resolved.connectors.iter().map(|one| (one.0.as_str(), status(one)));
    let invalid = invalid(done, "DirectoryConnector ").into_iter();
    let invalid =
        invalid.map(|(name, why)| (name, without(not_ready(reason::connector::INVALID_SPEC, why, now))));
    let mut all: Vec<_> = usable.chain(invalid).collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

/// Objects of one kind that cannot be used, with all their problems.
fn invalid<'d>(done: &'d Done, kind: &str) -> BTreeMap<&'d str, String> {
    let mut invalid: BTreeMap<&str, String> = BTreeMap::new();
    for problem in &done.resolved.problems {
        let Some(name) = problem.object.strip_prefix(kind) else { continue };
        let message = invalid.entry(name).or_default();
        if !message.is_empty() {
            message.push_str("; ");
        }
        message.push_str(problem.to_string().trim_start_matches(&format!("{}: ", problem.object)));
    }
    invalid
}

fn policies(done: &Done, now: Timestamp) -> Vec<(&str, SyncPolicyStatus)> {
    let without = |condition| SyncPolicyStatus { conditions: vec![condition], ..SyncPolicyStatus::default() };
    let ran = done.runs.iter().map(|(runnable, report)| {
        let status = match report {
            Ok(report) => of_run(report),
            Err(why) => {
                let reason = match why {
                    NotRun::Connector(_) => reason::policy::CONNECTOR_NOT_FOUND,
                    NotRun::Store(why) => failure(why),
                };
                without(not_ready(reason, why.to_string(), now))
            }
        };
        (runnable.policy.owner.as_str(), status)
    });
    let resting = done.resolved.policies.iter().filter(|runnable| runnable.suspend).map(|runnable| {
        let rests = not_ready(reason::policy::SUSPENDED, "spec.suspend is true".to_owned(), now);
        (runnable.policy.owner.as_str(), without(rests))
    });
    let invalid = invalid(done, "SyncPolicy ").into_iter();
    let invalid =
        invalid.map(|(name, why)| (name, without(not_ready(reason::policy::INVALID_SPEC, why, now))));
    let mut all: Vec<_> = ran.chain(resting).chain(invalid).collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

/// Prints tables, and details below them.
pub(super) fn table(out: &mut Out<'_>, done: &Done, sync: &Sync) -> Result<()> {
    let now = SystemClock.now();
    let mut table =
        Table::new(&["connector", "ready", "reason", "users", "groups", "changed", "gone", "took"]);
    for (name, status) in connectors(done, now) {
        let Some(ready) = status.conditions.first() else { continue };
        let imported = done.imports.iter().find(|(of, _)| of.as_str() == name);
        let imported = imported.and_then(|(_, imported)| imported.as_ref().ok());
        let number = |number: fn(&Imported) -> u64| imported.map_or("-".into(), |it| thousands(number(it)));
        table.row([
            name.to_owned(),
            ready.status.clone(),
            ready.reason.clone(),
            number(|it| it.info.users),
            number(|it| it.info.groups),
            number(|it| it.changed),
            number(|it| it.removed),
            imported.map_or("-".into(), |it| took(it.started_at, it.finished_at)),
        ]);
    }
    out.table(&table)?;
    let mut table = Table::new(&[
        "policy",
        "ready",
        "reason",
        "users",
        "groups",
        "memberships",
        "created",
        "updated",
        "disabled",
        "removed",
        "took",
    ]);
    for (name, status) in policies(done, now) {
        let Some(ready) = status.conditions.first() else { continue };
        let mut row = vec![name.to_owned(), ready.status.clone(), ready.reason.clone()];
        let (in_step, run) = (status.in_step.as_ref(), status.last_run.as_ref());
        row.push(in_step.map_or("-".into(), |it| thousands(it.users)));
        row.push(in_step.map_or("-".into(), |it| thousands(it.groups)));
        row.push(in_step.map_or("-".into(), |it| thousands(it.memberships)));
        row.push(run.map_or("-".into(), |it| thousands(it.created)));
        row.push(run.map_or("-".into(), |it| thousands(it.updated)));
        row.push(run.map_or("-".into(), |it| thousands(it.disabled)));
        row.push(run.map_or("-".into(), |it| thousands(it.removed)));
        row.push(run.map_or("-".into(), |it| took(it.started_at.0, it.finished_at.0)));
        table.row(row);
    }
    out.table(&table)?;
    for (name, imported) in &done.imports {
        match imported {
            Ok(imported) => about_import(out, name.as_str(), imported)?,
            Err(error) => out.paragraph(format_args!("{name}: {error}"))?,
        }
    }
    for (runnable, report) in &done.runs {
        match report {
            Ok(report) => about_run(out, runnable.policy.owner.as_str(), report, done, sync)?,
            Err(why) => out.paragraph(format_args!("{}: {why}", runnable.policy.owner))?,
        }
    }
    Ok(())
}

fn about_import(out: &mut Out<'_>, name: &str, imported: &Imported) -> Result<()> {
    for notice in &imported.info.notices {
        out.paragraph(format_args!("{name}: {notice}"))?;
    }
    if let Some(feed) = imported.info.feed.as_ref().filter(|feed| !feed.reason.is_empty()) {
        out.paragraph(format_args!("{name}: changes are found by {}: {}", feed.active, feed.reason))?;
    }
    let mut places = 0;
    for (field, trip) in &imported.info.tripped {
        if let Some(Place(dn)) = Place::of(field) {
            places += 1;
            if places > NAMED {
                continue;
            }
            let (missing, dn) =
                (count(trip.lost.len(), "entry is", "entries are"), clean_within(dn, LONGEST));
            out.paragraph(format_args!(
                "{name}: {missing} missing in {dn}, and nobody is left there; the removals that would follow are \
                 held. If this \
                 subtree was not deleted, check whether the account that reads or exports may see it, and whether a server behind a proxy is \
                 down"
            ))?;
            continue;
        }
        out.paragraph(format_args!(
            "{name}: {} of {} entries lost {field} in one read; the operations that would \
                                    follow are held. Check what the \
             account that reads or exports may see",
            trip.lost.len(),
            trip.carried
        ))?;
    }
    if places > NAMED {
        let more = count((places - NAMED) as u64, "more subtree", "more subtrees");
        out.paragraph(format_args!("{name}: the same holds for {more}"))?;
    }
    if imported.unsettled > 0 {
        let missing = if imported.info.unprovable {
            count(
                imported.unsettled,
                "entry is missing, and the file does not prove that it is gone; it stays as it is",
                "entries are missing, and the file does not prove that they are gone; they stay as they are",
            )
        } else {
            count(
                imported.unsettled,
                "entry is missing and was not looked up yet; it stays as it is",
                "entries are missing and were not looked up yet; they stay as they are",
            )
        };
        out.paragraph(format_args!("{name}: {missing}"))?;
    }
    Ok(())
}

fn about_run(out: &mut Out<'_>, name: &str, report: &RunReport, done: &Done, sync: &Sync) -> Result<()> {
    let (added, removed) = (report.applied.members_added, report.applied.members_removed);
    if added + removed > 0 {
        let would = if report.previewed { " (not applied)" } else { "" };
        let (added, removed) = (thousands(added), thousands(removed));
        out.paragraph(format_args!("{name}: memberships{would}: {added} added, {removed} removed"))?;
    }
    if let Some(why) = &report.failed {
        out.paragraph(format_args!("{name}: {why}"))?;
    }
    for connector in &report.stale {
        out.paragraph(format_args!(
            "{name}: {connector} was not read, so nothing was removed because of it"
        ))?;
    }
    about_quarantine(out, name, report, &sync.data)?;
    for blocked in report.blocked.iter().take(NAMED) {
        out.paragraph(format_args!("{name}: {} waits: {blocked}", blocked.name))?;
    }
    for person in &report.protected {
        out.paragraph(format_args!("{name}: {person} is protected, and was left unchanged"))?;
    }
    match (report.approval, &sync.approve) {
        (Some(Approval::Outdated), _) => {
            out.paragraph(format_args!(
                "{name}: that approval was for an earlier spec; look at what is held now"
            ))?;
        }
        // Of several policies the hold is one's.
        (Some(Approval::Unknown), Some(digest)) if done.approval_missed(sync) => {
            out.paragraph(format_args!(
                "{name}: nothing is held with the digest {digest}, so nothing was approved"
            ))?;
        }
        (Some(Approval::Unprovable), _) => {
            out.paragraph(format_args!(
                "{name}: these operations cannot be approved, so nothing was approved: export the directory again, so \
                 that the file proves its end and every record can be read"
            ))?;
        }
        (Some(Approval::Moves), _) => {
            out.paragraph(format_args!(
                "{name}: the approval lets the policy move to another target; nothing of what is held at the target of before is \
                 executed"
            ))?;
        }
        _ => {}
    }
    about_skipped(out, name, report)?;
    if let Some(hold) = &report.held {
        let files: Vec<String> = sync.filename.iter().map(|path| path.display().to_string()).collect();
        let (data, files) = (sync.data.display(), files.join(" "));
        out.line(format_args!(
            "{name}: {} held: {}",
            count(hold.lines.len() as u64, "operation is", "operations are"),
            hold.reason
        ))?;
        out.line(format_args!("  see it:     rollcall plan show --data {data} {}", hold.digest))?;
        let approved = if report.approval == Some(Approval::Accepted) { report.approved.held } else { 0 };
        if approved > 0 {
            let operations = count(approved, "operation stays", "operations stay");
            out.line(format_args!(
                "  {operations} held although approved: what is missing was not looked up"
            ))?;
        }
        let can_be = hold.lines.iter().filter(|line| line.can_be_approved()).count() as u64;
        if approved < can_be {
            out.line(format_args!(
                "  approve it: rollcall sync -f {files} --data {data} --approve {}",
                hold.digest
            ))?;
        }
        out.line("")?;
    }
    Ok(())
}

fn about_quarantine(out: &mut Out<'_>, name: &str, report: &RunReport, data: &Path) -> Result<()> {
    if report.quarantined_count == 0 {
        return Ok(());
    }
    let entries = count(
        report.quarantined_count,
        "entry cannot be processed, and keeps what it has",
        "entries cannot be processed, and keep what they have",
    );
    out.line(format_args!("{name}: {entries}:"))?;
    for one in report.quarantined.iter().take(NAMED) {
        out.line(format_args!("  {}: {} ({:?})", one.entry, one.message, one.reason))?;
    }
    for one in report.unreadable.iter().take(NAMED.saturating_sub(report.quarantined.len())) {
        out.line(format_args!("  {}: {} (Unreadable)", one.what, one.why))?;
    }
    if report.quarantined_count > NAMED as u64 {
        let see = if report.previewed {
            String::new()
        } else {
            format!(": rollcall plan exceptions --data {}", data.display())
        };
        out.line(format_args!("  … and {} more{see}", thousands(report.quarantined_count - NAMED as u64)))?;
    }
    out.line("")?;
    Ok(())
}

fn about_skipped(out: &mut Out<'_>, name: &str, report: &RunReport) -> Result<()> {
    let skipped = &report.skipped;
    let parts: Vec<String> = [
        (skipped.out_of_scope, "out of scope"),
        (skipped.without_address, "without an address or login name"),
        (skipped.disabled_at_first_sight, "disabled when first seen"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, why)| format!("{} {why}", thousands(number)))
    .collect();
    if !parts.is_empty() {
        out.paragraph(format_args!("{name}: users left out: {}", parts.join(", ")))?;
    }
    if skipped.groups_out_of_scope > 0 {
        let groups = thousands(skipped.groups_out_of_scope);
        out.paragraph(format_args!(
            "{name}: groups left out: {groups} out of scope (groups.include, exclude, where)"
        ))?;
    }
    if skipped.dangling_members > 0 {
        let members = count(skipped.dangling_members, "group member is", "group members are");
        out.paragraph(format_args!("{name}: {members} not among the entries that were read"))?;
    }
    Ok(())
}

fn took(from: Timestamp, to: Timestamp) -> String {
    format!("{:.1}s", to.duration_since(from).as_secs_f64())
}
