//! Begins and ends the watches and controllers of each namespace.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::caches::NamespaceCaches;
use super::context::Context;
use super::controllers::controllers;
use super::route;
use super::watch;
use super::watch::Following;
use super::watched::{Scope, WatchedKind};
use crate::spec::Name;

/// The watches and controllers that run, by namespace.
pub(super) struct Attended {
    context: Arc<Context>,
    /// The parts, each with the token that ends it.
    here: Vec<(Arc<NamespaceCaches>, CancellationToken)>,
    /// One task for each part. If it ends by itself, it returns why.
    tasks: JoinSet<String>,
}

impl Attended {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { context, here: Vec::new(), tasks: JoinSet::new() }
    }

    /// Begins to watch the namespaces that are new in this scope, and ends those that are not in it any more. The others
    /// continue.
    pub(super) async fn change(&mut self, scope: &Scope) {
        let wanted = scope.parts();
        let (stay, go): (Vec<_>, Vec<_>) = std::mem::take(&mut self.here)
            .into_iter()
            .partition(|(part, _)| wanted.contains(&part.namespace));
        self.here = stay;
        for (_, over) in &go {
            over.cancel();
        }
        for _ in &go {
            // Only those that were cancelled end here: if any other ends, the process ends.
            self.tasks.join_next().await;
        }
        for (part, _) in &go {
            self.forget(part);
        }
        let new: Vec<Option<String>> = wanted
            .iter()
            .filter(|namespace| !self.here.iter().any(|(part, _)| part.namespace == **namespace))
            .cloned()
            .collect();
        let context = &self.context;
        context.served.expect(&wanted, &new);
        context.readiness.parts_are(&wanted.into_iter().flatten().collect());
        for namespace in new {
            let tell = {
                let context = context.clone();
                move |kind, name: Name, happened| route::told(&context, kind, &name, happened)
            };
            let (part, following) = watch::prepare(
                &context.client,
                scope,
                namespace,
                &context.readiness,
                &context.metrics,
                &context.clock,
                &tell,
            );
            let (part, over) = (Arc::new(part), context.stopping.child_token());
            context.parts.add(part.clone());
            self.tasks.spawn(attend(context.clone(), part.clone(), following, over.clone()));
            self.here.push((part, over));
        }
    }

    /// Forgets the objects of a part that is not watched any more.
    fn forget(&self, part: &NamespaceCaches) {
        let context = &self.context;
        for object in part.connectors.cache.state() {
            route::forget(context, WatchedKind::Connector, &Name::of(&*object));
        }
        for object in part.policies.cache.state() {
            route::forget(context, WatchedKind::Policy, &Name::of(&*object));
        }
        context.parts.remove(part.namespace.as_deref());
        context.metrics.not_watched(part.namespace.as_deref().unwrap_or_default());
    }

    /// Waits until a part ends by itself, and returns why.
    pub(super) async fn died(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(ended) => ended.unwrap_or_else(|error| format!("a task ended unexpectedly: {error}")),
            None => std::future::pending().await,
        }
    }

    /// Waits until all parts have ended after they were cancelled.
    pub(super) async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Runs the watches and controllers of a part until `over`. Reconciles that have begun are finished.
pub(super) async fn attend(
    context: Arc<Context>,
    part: Arc<NamespaceCaches>,
    following: Vec<Following>,
    over: CancellationToken,
) -> String {
    let mut watches = JoinSet::new();
    for one in following {
        watches.spawn(one);
    }
    let mut looking = JoinSet::new();
    looking.spawn(controllers(context, part, over.clone()));
    tokio::select! {
        biased;
        () = over.cancelled() => {}
        Some(ended) = watches.join_next() => return why(ended),
        Some(ended) = looking.join_next() => return why(ended),
    }
    watches.shutdown().await;
    looking.join_next().await.map_or_else(String::new, why)
}

/// Why a task ended that should not end.
pub(super) fn why(ended: Result<(), JoinError>) -> String {
    match ended {
        Err(error) => format!("a task ended unexpectedly: {error}"),
        Ok(()) => "a watch or controller ended unexpectedly".to_owned(),
    }
}
