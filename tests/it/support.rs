//! Servers, fakes and generators that tests share.

pub(crate) mod cli;
pub(crate) mod company;
pub(crate) mod slapd;
