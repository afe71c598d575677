//! The registry's objects.
