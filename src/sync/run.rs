//! One pass of one policy: project, plan, guard, apply.
