//! Shared code of all network clients.

pub mod tls;
