//! One look at an object of either kind: resolve, decide, begin, status. The kinds' folders have what differs.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;

use super::announce;
use super::caches::{NamespaceCaches, Ours};
use super::context::Context;
use super::error::Error;
use super::state::{ControllerState, Kind, ObjectStatus as _, Reconciled, States, Write};
use super::status as writing;
use super::write::write_status;
use crate::spec::Name;
use crate::spec::reference::Reference;
use crate::telemetry::chain;

/// A kind as the operator works with it.
pub(super) trait Controlled: Kind {
    /// Its objects as last seen in a namespace.
    fn ours(part: &NamespaceCaches) -> &Ours<Self>;
    /// What is remembered of its objects.
    fn states(context: &Context) -> &States<Self>;
    /// The Secrets and ConfigMaps that the object names.
    fn references(&self) -> BTreeSet<Reference>;
    /// Whether `spec.suspend` is set.
    fn is_suspended(&self) -> bool;
    /// Whether a job that was begun for this cause is not to go on, as the object says by itself: for that nothing that it names
    /// has to be seen.
    fn ends(&self, _cause: &Self::Cause) -> bool {
        self.is_suspended()
    }
    /// Resolves what the object names, and decides what to do.
    fn look(
        &self,
        context: &Arc<Context>,
        name: &Name,
    ) -> impl Future<Output = Result<Reconciled<Self>, Error>> + Send;
    /// Begins a read or run beside the reconciles.
    fn begin(context: &Arc<Context>, name: &Name, begin: Self::Begin);
    /// The status of an object that cannot be understood.
    fn unreadable(
        context: &Context,
        name: &Name,
        invalid: &InvalidObject,
        before: &Self::Status,
        now: Timestamp,
    ) -> Self::Status;
    /// No look at the object is possible.
    fn look_failed(_context: &Context, _name: &Name, _error: &Error) {}
    /// Nothing is measured, or asked of anybody, any more of an object that is gone.
    fn forget_beside(context: &Context, name: &Name);
}

/// Works with what is remembered of an object of either kind; never for long.
pub(super) fn with<K: Controlled, T>(
    context: &Context,
    name: &Name,
    work: impl FnOnce(&mut ControllerState<K>) -> T,
) -> T {
    K::states(context).with(name, |state| work(K::common(state)))
}

/// Looks at an object. If that fails, its status says so: while nobody knows how things are, nothing is said to be well.
pub(super) async fn reconcile<K: Controlled>(
    object: &DeserializeGuard<K>,
    context: &Arc<Context>,
) -> Result<(), Error> {
    let name = Name::of(object);
    with::<K, _>(context, &name, |state| state.heed(object.0.as_ref().ok()));
    let looked = match &object.0 {
        Ok(known) => look(context, &name, object, known).await,
        Err(invalid) => unreadable(context, &name, object, invalid).await,
    };
    if let (Ok(known), Err(error)) = (&object.0, &looked)
        && !matches!(error, Error::Shut(_))
    {
        blind(context, &name, object, known, error).await;
    }
    looked
}

impl<K: Controlled> ControllerState<K> {
    /// Gives up the job under way if the object says so by itself, whether a look at what it names succeeds or not. What
    /// cannot be understood (`None`) is another one than before.
    pub(super) fn heed(&self, object: Option<&K>) {
        if self.job.as_ref().is_some_and(|job| object.is_none_or(|object| object.ends(&job.cause))) {
            self.cancel();
        }
    }
}

async fn look<K: Controlled>(
    context: &Arc<Context>,
    name: &Name,
    object: &DeserializeGuard<K>,
    known: &K,
) -> Result<(), Error> {
    context.parts.sees(name, &known.references())?;
    let Reconciled { begin, wake_at, conditions, write } = known.look(context, name).await?;
    if let Some(begin) = begin {
        K::begin(context, name, begin);
    }
    context.parts.alarm(K::WATCHED, name, wake_at);
    let shown = conditions.iter().map(|it| (it.type_.as_str(), it.status.as_str()));
    context.metrics.conditions(K::WATCHED.kind(), &name.to_string(), known.is_suspended(), shown);
    match write {
        Some(status) => say(context, name, object, known, status).await,
        None => Ok(()),
    }
}

async fn unreadable<K: Controlled>(
    context: &Context,
    name: &Name,
    object: &DeserializeGuard<K>,
    invalid: &InvalidObject,
) -> Result<(), Error> {
    let written = with::<K, _>(context, name, |state| state.written.clone());
    let before = written.as_ref().map(|written| written.status.clone()).unwrap_or_default();
    let status = K::unreadable(context, name, invalid, &before, context.clock.now());
    let version = invalid.metadata.resource_version.as_ref();
    if writing::stands(written.as_ref(), (version, None), &status) {
        return Ok(());
    }
    write(context, name, object, status).await
}

async fn blind<K: Controlled>(
    context: &Arc<Context>,
    name: &Name,
    object: &DeserializeGuard<K>,
    known: &K,
    error: &Error,
) {
    let now = context.clock.now();
    let status = with::<K, _>(context, name, |state| state.look_failed(known, error, now));
    K::look_failed(context, name, error);
    context.metrics.condition(K::WATCHED.kind(), &name.to_string(), "Ready", "False");
    let Some(status) = status else { return };
    if let Err(error) = say(context, name, object, known, status).await {
        tracing::debug!(error = chain(&error), "the failure could not be written to the status");
    }
}

/// Writes a status, and tells of a change of `Ready` by an Event.
async fn say<K: Controlled>(
    context: &Context,
    name: &Name,
    object: &DeserializeGuard<K>,
    known: &K,
    Write { before, status }: Write<K>,
) -> Result<(), Error> {
    let conditions = status.conditions().to_vec();
    write(context, name, object, status).await?;
    announce::ready(context, known, before.as_deref(), &conditions);
    Ok(())
}

async fn write<K: Controlled>(
    context: &Context,
    name: &Name,
    object: &DeserializeGuard<K>,
    status: K::Status,
) -> Result<(), Error> {
    let written = write_status(context, object, status).await?;
    with::<K, _>(context, name, |state| state.written = Some(written));
    Ok(())
}
