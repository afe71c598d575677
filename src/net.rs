//! What every network client shares.

pub mod tls;
