//! Sends batches in parts, each until it is there.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::line::{Line, LineError};
use crate::directory::Change;
use crate::net::http::chance;
use crate::wire::{self, Chain, Receipt, code, path};

/// How long after the first failure the same is sent again; doubled with each, up to the longest.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A receipt has no more bytes.
pub(super) const SHORT: usize = 64 << 10;

/// Sends what a read finds.
pub(super) struct Sending<'a> {
    line: &'a Line,
    task: &'a str,
    pub(super) chain: Chain,
}

impl<'a> Sending<'a> {
    pub(super) fn new(line: &'a Line, task: &'a str, chain: Chain) -> Self {
        Self { line, task, chain }
    }

    /// Sends a packed batch.
    pub(super) async fn batch(&mut self, packed: &[u8]) -> Result<(), LineError> {
        let mut parts = packed.chunks(wire::PART).peekable();
        while let Some(part) = parts.next() {
            let ends = parts.peek().is_none();
            let number = self.chain.next();
            let (framed, chain) = self.chain.part(part, ends);
            let at = path::part(self.task, number);
            while patiently::<Receipt>(self.line, &at, &framed, SHORT).await?.next <= number {
                // There is no room for the whole batch yet.
                patiently::<Receipt>(self.line, &path::room(self.task), &[], SHORT).await?;
            }
            self.chain = chain;
        }
        Ok(())
    }
}

/// Says the same until it is heard, or refused for good.
pub(super) async fn patiently<T: DeserializeOwned>(
    line: &Line,
    at: &str,
    body: &[u8],
    most: usize,
) -> Result<T, LineError> {
    let mut wait = FIRST;
    loop {
        match line.say::<T>(at, body.to_vec(), most).await {
            Err(error) if error.passes() => {
                tracing::debug!(%error, "what was sent did not arrive; it is sent again");
                tokio::time::sleep(wait.mul_f64(0.5 + chance() / 2.0)).await;
                wait = LONGEST.min(wait * 2);
            }
            said => return said,
        }
    }
}

/// Whether nobody wants it any more.
pub(super) fn is_gone(error: &LineError) -> bool {
    matches!(error.code(), Some(code::GONE | code::SUPERSEDED | code::KEY))
}

/// Changes as they are sent: in one batch, or in several if one would be too large. One that is too large by itself is sent as
/// one that could not be read.
pub(super) fn packed(changes: Vec<Change>) -> Result<Vec<Vec<u8>>, String> {
    let mut waiting = vec![changes];
    let mut packed = Vec::new();
    while let Some(mut some) = waiting.pop() {
        let sent: Vec<wire::Change> = some.iter().cloned().map(wire::Change::from).collect();
        match wire::pack_within(&sent, wire::UNPACKED) {
            Ok(bytes) if bytes.len() <= wire::PACKED => packed.push(bytes),
            Err(wire::Unpackable::TooLarge(_) | wire::Unpackable::TooMany(_)) | Ok(_) if some.len() > 1 => {
                let rest = some.split_off(some.len() / 2);
                waiting.push(rest);
                waiting.push(some);
            }
            Err(wire::Unpackable::TooLarge(_) | wire::Unpackable::TooMany(_)) | Ok(_) => {
                let change = some.pop().as_ref().map(too_large);
                waiting.push(change.into_iter().collect());
            }
            Err(other) => return Err(other.to_string()),
        }
    }
    Ok(packed)
}

fn too_large(change: &Change) -> Change {
    let what = match change {
        Change::Replace(entry) | Change::Unproven { entry, .. } => entry.dn.clone(),
        Change::Patch(patch) => patch.set.dn.clone(),
        _ => "an entry".to_owned(),
    };
    let why =
        "it is larger than a Sync Engine sends; reach the directory directly, or make the group smaller"
            .to_owned();
    Change::Unreadable { anchor: change.anchor().cloned(), what, why }
}
