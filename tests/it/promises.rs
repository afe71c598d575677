//! The promises, as properties over random lives.
