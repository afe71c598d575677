//! SCIM 2.0 (RFC 7643, RFC 7644): resources, schemas, filters and projections of users and groups.

mod attribute;
mod filter;
mod message;
mod path;
mod projection;
mod resource;
pub mod schema;

pub use attribute::{Attribute, USER_ATTRIBUTES, user_attribute};
pub use filter::{Comparison, Filter, FilterError, Literal};
pub use message::{Failure, Page, service_provider_config};
pub use path::Path;
pub use projection::{Chosen, Projection};
pub use resource::{Email, Group, Member, MemberType, Meta, User};
