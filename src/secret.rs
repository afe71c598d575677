//! Redacting secrets.
