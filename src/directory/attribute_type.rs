//! The names of attribute types: each has one that is used here, whichever of its names or numbers a directory or a file gives.

/// No other name or number of an attribute type, and none with `oid.` before it, is as short as this.
pub(super) const SHORT: usize = 4;

/// The name of an attribute type, of one of its other names or its number (RFC 4519, RFC 4524, RFC 2307, RFC 4530, RFC 2798, and
/// Active Directory's); no other name is as short as [`SHORT`]. Any other is returned as it is. All in lower case.
///
/// `streetAddress` is not among them: in Active Directory it is another attribute than `street`.
pub fn attribute_type(name: &str) -> &str {
    // Members are many, and none of these names begins so.
    if !name.starts_with(|first: char| first.is_ascii_digit() || "cdlorsu".contains(first)) {
        return name;
    }
    match name.strip_prefix("oid.").unwrap_or(name) {
        "2.5.4.0" => "objectclass",
        "commonname" | "2.5.4.3" => "cn",
        "surname" | "2.5.4.4" => "sn",
        "countryname" | "2.5.4.6" => "c",
        "localityname" | "2.5.4.7" => "l",
        "stateorprovincename" | "2.5.4.8" => "st",
        "organizationname" | "2.5.4.10" => "o",
        "organizationalunitname" | "2.5.4.11" => "ou",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.31" => "member",
        "2.5.4.42" => "givenname",
        "2.5.4.50" => "uniquemember",
        "userid" | "0.9.2342.19200300.100.1.1" => "uid",
        "rfc822mailbox" | "0.9.2342.19200300.100.1.3" => "mail",
        "0.9.2342.19200300.100.1.10" => "manager",
        "domaincomponent" | "0.9.2342.19200300.100.1.25" => "dc",
        "1.3.6.1.1.1.1.0" => "uidnumber",
        "1.3.6.1.1.1.1.1" => "gidnumber",
        "1.3.6.1.1.1.1.12" => "memberuid",
        "1.3.6.1.1.16.4" => "entryuuid",
        "2.16.840.1.113730.3.1.3" => "employeenumber",
        "2.16.840.1.113730.3.1.241" => "displayname",
        "1.2.840.113556.1.2.102" => "memberof",
        "1.2.840.113556.1.2.210" => "proxyaddresses",
        "1.2.840.113556.1.4.2" => "objectguid",
        "1.2.840.113556.1.4.8" => "useraccountcontrol",
        "1.2.840.113556.1.4.98" => "primarygroupid",
        "1.2.840.113556.1.4.146" => "objectsid",
        "1.2.840.113556.1.4.159" => "accountexpires",
        "1.2.840.113556.1.4.221" => "samaccountname",
        "1.2.840.113556.1.4.656" => "userprincipalname",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("member", "member")]
    #[case("2.5.4.31", "member")]
    #[case("oid.2.5.4.31", "member")]
    #[case("rfc822mailbox", "mail")]
    #[case("1.2.3", "1.2.3")]
    #[case("oid.1.2.3", "oid.1.2.3")]
    fn an_attribute_type_has_one_name(#[case] given: &str, #[case] expected: &str) {
        assert_eq!(attribute_type(given), expected);
    }
}
