//! A real OpenLDAP server on a free loopback port, in a temporary folder.
