//! Plans the operations that take the target from what was last confirmed there to the projection. Pure.
//!
//! # Guarantees
//! - Nothing is removed but on the word of a projection that says `Gone`, or of a member list that was
//!   read completely; and never in a policy's first run, or on the word of a connector that is not
//!   fresh.
//! - Whoever is unchanged costs a comparison, and no operation.

mod input;
mod leaver;
mod member;
mod name;
mod step;
mod subject;
#[cfg(test)]
mod tests;

pub use input::{Freshness, Input, Previous};
pub use step::{Action, Blocked, Phase, Plan, Planned, Removal};

/// Plans.
pub fn plan(input: Input<'_>) -> Plan {
    let mut plan = Plan { due: input.projection.due, ..Plan::default() };
    let going = subject::plan(input, &mut plan);
    name::order(input.subjects, &mut plan);
    member::plan(input, &going, &mut plan);
    plan.steps.sort_by_key(|step| (step.phase, step.subject));
    plan
}
