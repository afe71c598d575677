//! Judges a plan: what may go, what is held. Pure.
