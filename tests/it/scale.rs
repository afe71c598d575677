//! A real directory of 100,000 people.
