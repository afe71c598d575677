//! Servers, fakes and generators that tests share.

pub mod company;
pub mod fake_source;
pub mod fake_target;
pub mod slapd;
