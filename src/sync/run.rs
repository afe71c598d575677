//! One pass of one policy.
