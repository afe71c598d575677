//! The two kinds as plain types.
