//! LDIF files, whole and damaged.
