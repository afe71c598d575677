//! Servers, fakes and generators that tests share.

pub(crate) mod assets;
pub(crate) mod chart;
pub(crate) mod cli;
pub(crate) mod cluster;
pub(crate) mod company;
pub(crate) mod completion;
pub(crate) mod cut;
pub(crate) mod dns;
pub(crate) mod entra;
#[allow(dead_code, reason = "the simulator uses the rest of it")]
pub(crate) mod fake_target;
pub(crate) mod faults;
pub(crate) mod hand;
pub(crate) mod happening;
pub(crate) mod http;
pub(crate) mod kubectl;
pub(crate) mod limits;
pub(crate) mod lives;
pub(crate) mod look;
pub(crate) mod memory;
pub(crate) mod namespace;
pub(crate) mod node;
pub(crate) mod office;
pub(crate) mod operator;
pub(crate) mod port;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod reading;
pub(crate) mod registry;
pub(crate) mod samba;
pub(crate) mod served;
pub(crate) mod slapd;
pub(crate) mod story;
pub(crate) mod toxiproxy;
pub(crate) mod web;
pub(crate) mod world;
