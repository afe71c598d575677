//! Shared code of all network clients.

pub mod http;
pub mod oauth;
pub mod pace;
pub mod retry;
pub mod tls;
