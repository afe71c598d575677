//! Generated files are fresh.
