//! SCIM 2.0 resources (RFC 7643): how users and groups look to whoever reads or writes them over SCIM.

mod attribute;
mod resource;

pub use attribute::{Attribute, USER_ATTRIBUTES, user_attribute};
pub use resource::{Email, Group, Member, MemberType, Meta, User};
