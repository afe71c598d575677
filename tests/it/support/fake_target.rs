//! A target in memory, with every habit that real ones have.
