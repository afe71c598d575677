//! From a directory to a sealed snapshot.
