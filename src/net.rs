//! Shared code of all network clients.

pub mod http;
pub mod oauth;
pub mod retry;
pub mod tls;
