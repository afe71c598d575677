//! LDAP: one connection and paging layer, and the directories on top of it.
