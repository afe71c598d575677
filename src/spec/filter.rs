//! LDAP filters that span several lines, as in YAML.

/// The filter in one line. Line breaks and blanks between its components mean nothing and go; within a value a blank
/// means itself, and a line break is refused, because nobody can tell what it was to mean.
pub(super) fn joined(filter: &str) -> Result<String, String> {
    let mut line = String::with_capacity(filter.len());
    // Whether this is within `attribute=value`.
    let mut within = false;
    for sign in filter.trim().chars() {
        match sign {
            '\n' | '\r' if within => {
                return Err(format!(
                    "a line ends within {:?}; break lines only between components, or write \\0a for a line break \
                     that belongs to the value",
                    last_item(&line)
                ));
            }
            sign if sign.is_ascii_whitespace() && !within => {}
            sign => {
                line.push(sign);
                within = match sign {
                    '(' | ')' => false,
                    '&' | '|' | '!' => within,
                    _ => true,
                };
            }
        }
    }
    Ok(line)
}

fn last_item(line: &str) -> &str {
    line.rsplit('(').next().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("(uid=a)", "(uid=a)")]
    #[case(
        "(&\n  (objectClass=person)\n  (!\n    (uid=svc-*)\n  )\n)\n",
        "(&(objectClass=person)(!(uid=svc-*)))"
    )]
    #[case("(& (a=b) (| (c=d) (e=f) ) ) ", "(&(a=b)(|(c=d)(e=f)))")]
    #[case("(&\r\n\t(a=b)\r\n\t(c=d))\r\n", "(&(a=b)(c=d))")]
    #[case("(ou=Human Resources)", "(ou=Human Resources)")]
    #[case("(&\n(cn= two  blanks )\n(title=R&D | !))", "(&(cn= two  blanks )(title=R&D | !))")]
    #[case("(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)", "(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)")]
    #[case("uid=a\n", "uid=a")]
    fn joins_lines_between_components(#[case] filter: &str, #[case] line: &str) {
        assert_eq!(joined(filter).as_deref(), Ok(line));
    }

    #[rstest]
    #[case("(memberOf=cn=staff,\n  dc=corp)")]
    #[case("(&(cn=a\n)(b=c))")]
    #[case("(&(cn\n=a))")]
    #[case("uid=a\nuid=b")]
    fn refuses_a_line_that_ends_within_a_value(#[case] filter: &str) {
        assert!(joined(filter).unwrap_err().contains("a line ends within"));
    }
}
