//! Servers, fakes and generators that tests share.

pub(crate) mod cli;
pub(crate) mod company;
pub(crate) mod cut;
pub(crate) mod fake_target;
pub(crate) mod slapd;
