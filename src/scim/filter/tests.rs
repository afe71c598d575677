use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::scim::path::Scope;
use crate::scim::schema::{ENTERPRISE, GROUP, USER};

fn ada() -> Value {
    json!({
        "schemas": [USER.core.id, ENTERPRISE.id],
        "id": "2819c223", "externalId": "2819c223", "userName": "Ada@corp.example", "active": true,
        "name": { "givenName": "Ada", "familyName": "Østergård" },
        "title": "Countess \"of\" Lovelace\\",
        "emails": [
            { "value": "ada@corp.example", "type": "work", "primary": true },
            { "value": "al@home.example", "type": "home" },
        ],
        ENTERPRISE.id: { "department": "Verse" },
        "meta": { "resourceType": "User" },
    })
}

#[rstest]
#[case("userName eq \"ada@CORP.example\"", true)]
#[case("USERNAME EQ \"ada@corp.example\"", true)]
#[case("userName ne \"ada@corp.example\"", false)]
#[case("id eq \"2819C223\"", false)]
#[case("id eq \"2819c223\"", true)]
#[case("userName sw \"ADA\"", true)]
#[case("userName ew \".example\"", true)]
#[case("userName co \"@corp\"", true)]
#[case("userName gt \"ACE\"", true)]
#[case("userName ge \"ada@corp.example\"", true)]
#[case("userName lt \"ada\"", false)]
#[case("userName le \"adb\"", true)]
#[case("name.familyName eq \"ØSTERGÅRD\"", true)]
#[case("title eq \"countess \\\"of\\\" lovelace\\\\\"", true)]
#[case("title eq \"\\u0043ountess \\\"of\\\" lovelace\\\\\"", true)]
#[case("title pr", true)]
#[case("nickName pr", false)]
#[case("not (nickName pr)", true)]
#[case("not(title pr)", false)]
#[case("nickName eq null", true)]
#[case("title ne null", true)]
#[case("name eq null", false)]
#[case("name pr", true)]
#[case("nickName ne \"x\"", true)]
#[case("active eq true", true)]
#[case("active eq false", false)]
#[case("emails eq \"al@home.example\"", true)]
#[case("emails.type eq \"home\"", true)]
#[case("emails.value ne \"al@home.example\"", false)]
#[case("emails[type eq \"work\"]", true)]
#[case("emails[type eq \"work\" and value co \"@home\"]", false)]
#[case("emails[type eq \"home\"].value co \"@home\"", true)]
#[case("emails[type eq \"work\"].value co \"@home\"", false)]
#[case("emails[not (primary eq true)].value pr", true)]
#[case("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"verse\"", true)]
#[case("URN:ietf:params:scim:schemas:core:2.0:user:userName sw \"ada\"", true)]
#[case("urn:ietf:params:scim:schemas:core:2.0:Group:displayName pr", false)]
#[case("meta.resourceType eq \"User\"", true)]
#[case("schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"", true)]
// `and` binds closer than `or`.
#[case("title pr or title pr and nickName pr", true)]
#[case("(title pr or title pr) and nickName pr", false)]
#[case("nickName pr or nickName pr or title pr", true)]
#[case("title pr and not (nickName pr or active eq false)", true)]
#[case("  title   pr  ", true)]
fn finds_what_it_says(#[case] text: &str, #[case] found: bool) {
    let filter = Filter::parse(text, &[&USER, &GROUP]).unwrap();
    assert_eq!(filter.matches(&ada()), found, "{text}");
    assert_eq!(Filter::parse(&filter.to_string(), &[&USER, &GROUP]), Ok(filter), "{text}");
}

#[rstest]
#[case("", 1, "name of an attribute")]
#[case("userName", 9, "eq, ne, co")]
#[case("userName is \"x\"", 10, "eq, ne, co")]
#[case("shoeSize eq \"38\"", 1, "no attribute shoeSize")]
#[case("department eq \"x\"", 1, "no attribute department")]
#[case("urn:example:department eq \"x\"", 1, "no attribute urn:example:department")]
#[case("name.shoeSize pr", 1, "no attribute name.shoeSize")]
#[case("userName eq x", 13, "double quotes")]
#[case("userName eq 5", 13, "double quotes")]
#[case("userName eq \"x", 13, "no end")]
#[case("userName eq \"x\\\"", 13, "no end")]
#[case("userName eq \"\\q\"", 13, "JSON")]
#[case("userName eq true", 10, "in double quotes")]
#[case("userName gt null", 10, "in double quotes")]
#[case("active gt true", 8, "by eq and ne")]
#[case("active eq \"true\"", 8, "by eq and ne")]
#[case("active co \"t\"", 8, "by eq and ne")]
#[case("name eq \"Ada\"", 6, "cannot be compared as a whole")]
#[case("userName[value eq \"x\"]", 9, "no sub-attributes")]
#[case("emails[userName eq \"x\"]", 8, "no attribute userName")]
#[case("emails[type eq \"x\"", 19, "`]` is expected")]
#[case("emails[type eq \"x\"].size eq \"x\"", 21, "no sub-attribute size")]
#[case("(title pr", 10, "`)` is expected")]
#[case("title pr)", 9, "the end is expected")]
#[case("title pr title pr", 10, "the end is expected")]
#[case("not title pr", 5, "`(` is expected")]
#[case("ü eq \"x\"", 1, "name of an attribute")]
fn says_what_is_wrong_and_where(#[case] text: &str, #[case] at: usize, #[case] part: &str) {
    match Filter::parse(text, &[&USER, &GROUP]) {
        Err(FilterError::Wrong { at: found, why }) => {
            assert!(found == at && why.contains(part), "{text}: {found}: {why}");
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let long = format!("userName eq \"{}\"", "x".repeat(5000));
    assert!(matches!(Filter::parse(&long, &[&USER]), Err(FilterError::TooLong(_))));
    let deep = |depth: usize| format!("{}title pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&deep(16), &[&USER]).is_ok());
    assert!(Filter::parse(&deep(17), &[&USER]).unwrap_err().to_string().contains("16 deep"));
    let wide = vec!["title pr"; 300].join(" and ");
    assert!(Filter::parse(&wide, &[&USER]).unwrap().matches(&ada()));
}

#[test]
fn says_what_an_index_can_find() {
    let parse = |text| Filter::parse(text, &[&USER, &GROUP]).unwrap();
    assert_eq!(parse("userName eq \"x\"").demands("userName"), Some("x"));
    assert_eq!(parse("active eq true and (userName eq \"x\" and title pr)").demands("userName"), Some("x"));
    for text in
        ["userName eq \"x\" or title pr", "not (userName eq \"x\")", "userName sw \"x\"", "userName ne \"x\""]
    {
        assert_eq!(parse(text).demands("userName"), None, "{text}");
    }
    assert!(parse("title pr or members[value eq \"x\"]").looks_at("members"));
    assert!(!parse("title pr").looks_at("members"));
}

/// A filter in the shape that parsing gives.
fn filters() -> impl Strategy<Value = Filter> {
    let path = prop::sample::select(vec![
        "userName",
        "name.givenName",
        "emails.value",
        "id",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    ]);
    let path = path.prop_map(|name| Path::resolve(name, Scope::Resources(&[&USER])).unwrap());
    let comparison = prop::sample::select(Comparison::ALL.map(|(_, comparison)| comparison).to_vec());
    let compare = (path.clone(), comparison, any::<String>())
        .prop_map(|(path, comparison, text)| Filter::Compare(path, comparison, Literal::Text(text)));
    let leaf = prop_oneof![path.prop_map(Filter::Present), compare];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_understood_as_the_same(filter in filters()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= 4096);
        prop_assert_eq!(Filter::parse(&text, &[&USER]).unwrap(), filter);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        drop(Filter::parse(&text, &[&USER, &GROUP]));
    }

    #[test]
    fn nothing_that_looks_like_a_filter_makes_it_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "userName", "emails", "[", "]", "(", ")", "not", "and", "or", "eq", "pr", "\"x\"", "\"", "\\",
                ".value", "active", "true", "null", " ", "ü", "urn:", ":", "name.",
            ]),
            0..24,
        ),
    ) {
        if let Ok(filter) = Filter::parse(&words.concat(), &[&USER, &GROUP]) {
            let again = Filter::parse(&filter.to_string(), &[&USER, &GROUP]);
            prop_assert_eq!(again.as_ref(), Ok(&filter));
            filter.matches(&ada());
        }
        drop(Filter::parse(&words.join(" "), &[&USER, &GROUP]));
    }
}
