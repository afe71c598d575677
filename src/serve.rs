//! The HTTP services of the operator: the registry as SCIM 2.0, health, metrics, and administration of the process.
//! Each has its own listener; none writes.

mod admin;
mod export;
mod health;
mod listen;
mod readiness;
mod registry;
mod resource;
mod served;
mod share;
mod tls;

pub use admin::admin;
pub use export::export;
pub use health::{health, metrics};
pub use readiness::Readiness;
pub use registry::{Registry, registry};
pub use served::Served;
pub use tls::{Tls, TlsError};
