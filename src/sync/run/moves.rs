//! Whether a policy may move to another target: not while something is held where it is, unless a person approved that.

use jiff::Timestamp;

use super::approval::Approval;
use super::options::Options;
use crate::store::hold::Hold;
use crate::store::link::Place;
use crate::store::{Store, StoreError};
use crate::sync::policy::Policy;
use crate::words::count;

/// What is held where the policy is, while its spec names another target.
pub(super) struct HeldElsewhere {
    /// Where it is.
    pub(super) here: Place,
    /// What is held there, by a digest that names the other target too.
    pub(super) hold: Hold,
    /// Whether a person approved that it moves nevertheless.
    pub(super) is_approved: bool,
    /// What became of the approval that was given with this run.
    pub(super) approval: Option<Approval>,
}

/// What keeps the policy from the target of this identity; `None` if nothing does. An approval of what is held lets the policy
/// move. It executes nothing of it: not even if the policy comes back.
pub(super) fn held_elsewhere(
    store: &Store,
    policy: &Policy,
    identity: &str,
    options: &Options,
    now: Timestamp,
) -> Result<Option<HeldElsewhere>, StoreError> {
    let Some((here, there)) = store.current_place(&policy.owner)?.filter(|(_, there)| there != identity)
    else {
        return Ok(None);
    };
    store.vouch_for_run(here, &[])?;
    let Some(before) = store.current_hold(here)? else { return Ok(None) };
    let spec_hash = format!("{} to {identity}", policy.spec_hash);
    let operations = count(before.lines.len() as u64, "operation is", "operations are");
    let digest = Hold::digest_of(&policy.owner, &spec_hash, &before.lines);
    let hold = Hold {
        since: if before.digest == digest { before.since } else { now },
        digest,
        spec_hash: spec_hash.clone(),
        reason: format!(
            "{operations} held at {there}, and spec.target names {identity} now, so the directory is not asked about them: set the \
             target back, or approve that the policy moves, which executes none of them"
        ),
        ..before
    };
    let hold =
        if options.preview { hold } else { store.save_hold(here, Some(hold.clone()), now)?.unwrap_or(hold) };
    let approval = match &options.approve {
        Some(digest) if *digest == hold.digest && options.preview => Some(Approval::Accepted),
        Some(digest) if *digest == hold.digest => {
            store.approve(here, &hold, options.approved_by.as_deref(), now)?;
            Some(Approval::Moves)
        }
        Some(digest) if store.hold(here, digest)?.is_some() => Some(Approval::Outdated),
        Some(_) => Some(Approval::Unknown),
        None => None,
    };
    let mut approved = store.approved(here, &spec_hash, now)?.into_iter();
    let approved = approved.find(|approved| approved.digest == hold.digest && !options.preview);
    let is_approved = approved.is_some();
    Ok(Some(HeldElsewhere { here, hold: approved.unwrap_or(hold), is_approved, approval }))
}
