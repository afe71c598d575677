//! A made-up company, of any size, from a seed.
