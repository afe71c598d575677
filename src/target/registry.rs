//! The registry: the embedded target. It always works, and nobody else can write it.
