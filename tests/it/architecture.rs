//! The import table holds.
