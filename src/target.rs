//! Targets of users and groups: the [`Target`] trait, and one module for each kind of target.
//!
//! A target does what it is told and says what came of it; it decides nothing.

use std::future::Future;

use crate::directory::{Content, Match, Operation, Outcome, SubjectKind, TargetObject};
pub use crate::directory::{TargetError, TargetReason};

mod caller;
mod capability;
mod in_order;
mod kind;
mod lane;
pub mod mimecast;
mod refusal;
pub mod registry;
mod schedule;
pub mod scim;
pub mod trial;
pub mod turn;

pub use capability::{Capabilities, NameLimits, Names, OfKind, Rates};
pub use kind::{OpenTarget, TargetConfig};
pub use lane::Lane;

/// A system that stores users and groups.
///
/// # Guarantees that every target gives (held by `tests/it/target_contract.rs`)
/// - Operations are idempotent: a repeated `Create` with the same key leaves one object, where the target holds our key.
/// - An object that bears no key of ours, or another policy's, is never changed by a `Create`: that
///   is [`Outcome::NameTaken`]. Adoption is the caller's decision, made by an `Update`.
/// - What it cannot do by its [`Capabilities`] it is not asked to do; asked all the same, it answers
///   [`Outcome::Rejected`] with [`TargetReason::Unsupported`] and does nothing.
/// - An error's message names no secret and no person; the target's own words are in its detail.
pub trait Target: Send + Sync {
    /// Kind, base address and tenant: what two policies must not fight over.
    fn identity(&self) -> &str;

    /// What it can do. It stays the same for as long as this value lives: what has to be found out first is found out
    /// when the target is opened.
    fn capabilities(&self) -> Capabilities;

    /// Does a batch of operations on different objects, in any order or at once: at most
    /// [`Capabilities::batch`] of them, of at most [`Capabilities::members_per_operation`] members each, and at most
    /// [`Capabilities::at_once`] such calls at the same time.
    ///
    /// Answers for each operation, in order. What it cannot tell it calls [`Outcome::Ambiguous`]; an answer that is
    /// missing at the end counts as that. [`Outcome::Failed`] and [`Outcome::Retry`] say that nothing happened.
    /// [`Outcome::Partly`] is for changes of members only, and names every member that was not changed. What is to be
    /// read back before it can be believed is read back here.
    fn apply(&self, batch: &[Operation]) -> impl Future<Output = Vec<Outcome>> + Send;

    /// What of a content it gives back: what is compared with what it shows. Some keep less than they are told.
    fn held(&self, content: &Content) -> Content {
        content.clone()
    }

    /// What it was found to be and how it is met, a line each, for people; no secret and nobody's name.
    fn about(&self) -> Vec<String> {
        Vec::new()
    }

    /// Looks for objects of one kind, many at once. Answers for each question, in order: the objects that match it, of
    /// which there may be several. An object that is not there is an empty answer; an error says that this cannot be
    /// told, and nothing follows from it. What is found has the value that was asked for.
    ///
    /// A question by key where the target does not hold our key finds nothing.
    fn find(
        &self,
        kind: SubjectKind,
        by: &[Match],
    ) -> impl Future<Output = Vec<Result<Vec<TargetObject>, TargetError>>> + Send;

    /// Tells `each` of every object of one kind, as they come. What changes meanwhile may come twice or not at all, so
    /// absence is no evidence that an object is gone: ask for it by its id. Members come with a group only where the
    /// list shows them ([`TargetObject::members`]).
    ///
    /// # Errors
    /// When it did not come to its end: what came until then is a part.
    fn list(
        &self,
        kind: SubjectKind,
        each: impl FnMut(TargetObject) + Send,
    ) -> impl Future<Output = Result<(), TargetError>> + Send;
}
