//! The HTTP services of the operator: the registry as SCIM 2.0, health, metrics, administration of the process, and the
//! pages by which an administrator of a directory consents. Each has its own listener; none writes.

mod admin;
mod consent;
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
pub use consent::{Answer, Asked, Consents, consent, is_external};
pub use export::export;
pub use health::{health, metrics};
pub(crate) use listen::Sending;
pub use listen::{Connections, listen_with};
pub use readiness::Readiness;
pub use registry::{Registry, registry};
pub use served::Served;
pub use tls::{Tls, TlsError};
