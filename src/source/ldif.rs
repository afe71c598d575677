//! An LDIF export (RFC 2849): a file as a directory.
