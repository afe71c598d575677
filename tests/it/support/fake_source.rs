//! A source that says what it is told to.
