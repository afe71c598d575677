//! The `rollcall` binary: parse, dispatch, exit code.

fn main() {}
