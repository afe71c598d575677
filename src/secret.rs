//! Secret values: they have no `Display`, their `Debug` shows nothing, and their memory is wiped when they are dropped.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretSlice};

/// A secret value.
#[derive(Clone)]
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// Keeps `value` secret from here on.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into().into())
    }

    /// The value, for the one place that needs it.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The value without the line breaks at its end, which `echo` or an editor left there.
    pub fn without_line_end(&self) -> &[u8] {
        let mut value = self.expose();
        while let [rest @ .., b'\r' | b'\n'] = value {
            value = rest;
        }
        value
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_end_is_none_of_it() {
        for (value, without) in [("a b", "a b"), ("a\n", "a"), ("a\r\n\n", "a"), ("\na\n", "\na"), ("\n", "")]
        {
            assert_eq!(Secret::new(value).without_line_end(), without.as_bytes());
        }
    }

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(Secret(…))");
    }
}
