//! What a group of a Domino Directory is for. Pure.

use crate::source::schema::attributes::{Attributes, is_said};

/// The attribute that says it, in lower case.
pub(in crate::source) const ATTRIBUTE: &str = "grouptype";

/// What a group is for, by the number in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Anything. A group that does not say what it is for is one.
    MultiPurpose,
    /// A mailing list.
    MailOnly,
    /// Access to databases and servers.
    AccessControlOnly,
    /// Those who may not use servers: people who left.
    DenyListOnly,
    /// Servers.
    ServersOnly,
}

impl Purpose {
    /// All, by their numbers.
    pub(in crate::source) const ALL: [Self; 5] =
        [Self::MultiPurpose, Self::MailOnly, Self::AccessControlOnly, Self::DenyListOnly, Self::ServersOnly];

    /// What a group says that it is for.
    pub(super) fn of(attributes: &Attributes) -> Result<Self, String> {
        let mut said = attributes.values(ATTRIBUTE).filter(|value| is_said(value));
        let Some(value) = said.next() else { return Ok(Self::MultiPurpose) };
        let number = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<usize>().ok());
        let purpose =
            number.and_then(|number| Self::ALL.get(number).copied()).filter(|_| said.next().is_none());
        purpose.ok_or_else(|| {
            "its groupType is none of 0 (multi-purpose), 1 (mail only), 2 (access control list only), 3 (deny list only) and \
             4 (servers only), so it is unknown what it is for; correct it in the directory"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], Some(Purpose::MultiPurpose))]
    #[case(&[" "], Some(Purpose::MultiPurpose))]
    #[case(&["0"], Some(Purpose::MultiPurpose))]
    #[case(&["1"], Some(Purpose::MailOnly))]
    #[case(&["2"], Some(Purpose::AccessControlOnly))]
    #[case(&[" 3"], Some(Purpose::DenyListOnly))]
    #[case(&["4"], Some(Purpose::ServersOnly))]
    #[case(&["5"], None)]
    #[case(&["-1"], None)]
    #[case(&["deny"], None)]
    #[case(&["1", "3"], None)]
    fn a_group_says_what_it_is_for(#[case] values: &[&str], #[case] purpose: Option<Purpose>) {
        let mut attributes = Attributes::new();
        attributes.add("groupType", values.iter().map(|value| value.as_bytes().to_vec()));
        assert_eq!(Purpose::of(&attributes).ok(), purpose);
    }
}
