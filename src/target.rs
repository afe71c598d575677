//! Targets of users and groups: the [`Target`] trait, and one module for each kind of target.
//!
//! A target does what it is told and says what came of it; it decides nothing.

use std::future::Future;

use crate::directory::{Match, Operation, Outcome, TargetObject};

pub mod registry;

/// A system that stores users and groups.
///
/// # Guarantees that every target gives (held by `tests/it/target_contract.rs`)
/// - Operations are idempotent: a repeated `Create` with the same key leaves one object.
/// - An object that bears no key of ours, or another policy's, is never changed by a `Create`: that
///   is [`Outcome::NameTaken`]. Adoption is the caller's decision, made by an `Update`.
/// - `apply` answers for each operation of the batch, in order; what it cannot tell it calls
///   [`Outcome::Ambiguous`].
pub trait Target: Send + Sync {
    /// Kind, base address and tenant: what two policies must not fight over.
    fn identity(&self) -> &str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Does a batch of operations on different objects, in any order or at once.
    fn apply(&self, batch: &[Operation]) -> impl Future<Output = Vec<Outcome>> + Send;

    /// Looks for objects of one kind; more than one answer means the match is not unique.
    fn find(
        &self,
        kind: crate::directory::SubjectKind,
        by: &Match,
    ) -> impl Future<Output = Result<Vec<TargetObject>, TargetError>> + Send;
}

/// What a target can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// How many operations go well together in one call of [`Target::apply`].
    pub batch: usize,
    /// How many members one operation may add or remove.
    pub members_per_operation: usize,
    /// Whether somebody else can write there: then existing objects may have to be adopted, and
    /// verified from time to time.
    pub shared: bool,
}

/// Why a target could not answer, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TargetError {
    /// What happened and what to do. Never holds a secret.
    pub message: String,
}
