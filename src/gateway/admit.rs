//! Whether a request is one of an engine that is enrolled.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use jiff::SignedDuration;

use super::desk::{Desk, Place};
use super::recent::{Old, SKEW};
use super::refused::Refused;
use crate::directory::ConnectorName;
use crate::source::engine::{Process, Trouble};
use crate::wire::{PublicKey, Signed, Stamp, code, digest};
use crate::words::count;

/// A body comes within so long.
const BODY: Duration = Duration::from_mins(1);

/// A request whose signature proves whose it is.
pub(super) struct Admitted {
    pub(super) process: Process,
    pub(super) stamp: Stamp,
    /// How far its clock is ahead.
    pub(super) skew: SignedDuration,
    /// It is held until the answer was taken.
    pub(super) place: Place,
}

/// Whose request it is.
pub(super) fn admit(desk: &Desk, head: &Parts) -> Result<Admitted, Refused> {
    let signed = signed(&head.headers).ok_or_else(|| {
        Refused::new(
            code::UNSIGNED,
            "the request has no signature of an engine; this is a gateway for Sync Engines",
        )
    })?;
    for_us(desk, &signed)?;
    let Some((connector, key)) = desk.gateway.engines.of_key(&signed.stamp.key) else {
        let why = "this engine's key is not enrolled, or not any more: it was revoked, or the connector was deleted. To go on, get a new \
                   token from the connector's status and run `rollcall engine join` again";
        return Err(Refused::new(code::KEY, why));
    };
    verify(&signed, &key, head)?;
    let stamp = signed.stamp;
    let now = desk.clock.now();
    let skew = stamp.at.duration_since(now);
    if skew.abs() > SKEW {
        let side = if skew.is_negative() { "behind" } else { "ahead of" };
        let minutes = count(skew.unsigned_abs().as_secs().div_ceil(60), "minute", "minutes");
        let why = format!(
            "the engine's clock is {minutes} {side} the operator's, and at most two are allowed: synchronize both with a time service (NTP)"
        );
        return Err(of_clock(desk, &connector, &stamp, skew, why));
    }
    if stamp.began().is_none_or(|began| began.duration_since(now) > SKEW) {
        // No later process of the engine would come after it.
        let why = "the engine was started while its clock was ahead of the operator's: synchronize both with a time service (NTP), and start \
                   the engine again";
        return Err(of_clock(desk, &connector, &stamp, skew, why.to_owned()));
    }
    desk.recent().take(&stamp, now).map_err(|old| match old {
        Old::Replayed => Refused::new(code::REPLAYED, "this request came before; it is taken once"),
        Old::TooMany => Refused::new(code::BUSY, "this engine sends too many requests; it is to wait"),
    })?;
    let place = desk.place(&stamp.key);
    let place =
        place.ok_or_else(|| Refused::new(code::BUSY, "too many requests of this engine are under way"))?;
    let process = Process { connector, key: stamp.key.clone(), session: stamp.session.clone() };
    Ok(Admitted { process, stamp, skew, place })
}

/// Refuses a request because of a clock. The engine's state says so, unless somebody may have kept the request since before the last one.
fn of_clock(
    desk: &Desk,
    connector: &ConnectorName,
    stamp: &Stamp,
    skew: SignedDuration,
    why: String,
) -> Refused {
    if desk.recent().is_newer(stamp) {
        let trouble = Trouble { code: code::CLOCK, why: why.clone() };
        desk.gateway.engines.troubled((connector, &stamp.key), desk.clock.now(), Some(skew), trouble);
    }
    Refused::new(code::CLOCK, why)
}

/// The signature in a request, if it is one.
pub(super) fn signed(headers: &HeaderMap) -> Option<Signed> {
    Signed::parse(headers.get(header::AUTHORIZATION)?.to_str().ok()?)
}

/// Whether it is for this process.
pub(super) fn for_us(desk: &Desk, signed: &Signed) -> Result<(), Refused> {
    if signed.stamp.instance == desk.instance {
        return Ok(());
    }
    Err(Refused::new(code::INSTANCE, "the gateway was started again: greet it first"))
}

/// Whether the key signed this request.
pub(super) fn verify(signed: &Signed, key: &PublicKey, head: &Parts) -> Result<(), Refused> {
    if head.uri.query().is_none() && key.verifies(signed, head.method.as_str(), head.uri.path()) {
        return Ok(());
    }
    let why = "the signature does not belong to this request: something on the way changes requests, or this is not the engine's key";
    Err(Refused::new(code::SIGNATURE, why))
}

/// The body that was signed.
pub(super) async fn body(stamp: &Stamp, body: Body, most: usize) -> Result<Bytes, Refused> {
    let bytes = tokio::time::timeout(BODY, to_bytes(body, most)).await;
    let bytes = bytes
        .map_err(|_| Refused::new(code::BUSY, "the request did not come to its end in time"))?
        .map_err(|_| {
        Refused::new(code::TOO_LARGE, format!("the request was cut off, or has more than {most} bytes"))
    })?;
    if digest(&bytes) == stamp.body {
        return Ok(bytes);
    }
    let why = "what came is not what was signed: something on the way changes requests, such as a proxy that scans them";
    Err(Refused::new(code::SIGNATURE, why))
}
