//! Manifests, good and bad.
