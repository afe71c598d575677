//! The middle: what turns snapshots into operations, within limits.
//!
//! `project`, `plan` and `guard` are pure; `import`, `apply` and `run` do the I/O at the two ends.

pub mod apply;
pub mod expression;
pub mod guard;
pub mod import;
pub mod plan;
pub mod policy;
pub mod project;
pub mod run;
