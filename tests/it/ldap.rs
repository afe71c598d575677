//! A real OpenLDAP.
