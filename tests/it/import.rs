//! From a source to a sealed snapshot.
