//! What every target must do.
