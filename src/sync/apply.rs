//! From a guarded plan to a target, intent before effect.
