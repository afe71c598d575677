//! Octets as hexadecimal digits.

use std::fmt::Write as _;

/// Two lower-case digits for each octet.
pub fn encode(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut digits, octet| {
        // Writing to a string cannot fail.
        write!(digits, "{octet:02x}").unwrap_or_default();
        digits
    })
}

/// The octets that pairs of digits say; `None` of anything else.
pub fn decode(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Some(&[][..]))]
    #[case("00ff7A", Some(&[0, 255, 122][..]))]
    #[case("0", None)]
    #[case("+1", None)]
    #[case("0g", None)]
    #[case("é", None)]
    fn only_pairs_of_digits_are_octets(#[case] digits: &str, #[case] octets: Option<&[u8]>) {
        assert_eq!(decode(digits).as_deref(), octets);
        if let Some(octets) = octets {
            assert_eq!(encode(octets), digits.to_lowercase());
        }
    }
}
