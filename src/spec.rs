//! From a resource to a working configuration.
