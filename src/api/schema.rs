//! What schemars leaves out of the schemas, and what must not be in them.

use schemars::transform::{RecursiveTransform, Transform as _};

/// Replaces unsigned formats, which Kubernetes does not know and warns of. The `minimum` keeps numbers from being negative.
pub(super) fn plain_numbers(schema: &mut schemars::Schema) {
    let unsigned =
        schema.get("format").and_then(|format| format.as_str()).is_some_and(|it| it.starts_with("uint"));
    if unsigned {
        schema.insert("format".to_owned(), "int64".into());
    }
}

/// `kubectl apply` compares a list as a whole: if the apiserver filled a default into one of its items, each further apply of
/// the same file would change the list. So no item has defaults in the schema: the types fill them in when an object is
/// read, and descriptions say with what.
pub(super) fn no_defaults_in_lists(schema: &mut schemars::Schema) {
    let items = schema.get_mut("items").and_then(|items| <&mut schemars::Schema>::try_from(items).ok());
    if let Some(items) = items {
        let mut without = RecursiveTransform(|item: &mut schemars::Schema| drop(item.remove("default")));
        without.transform(items);
    }
}

/// Describes each value of an enum in the description of its field: `kubectl explain` shows nothing else.
pub(super) fn choices(schema: &mut schemars::Schema) {
    let meaning = |choice: &serde_json::Value| {
        let meaning = choice.get("description")?.as_str()?.replace('\n', " ");
        Some(format!("`{}`: {meaning}", choice.get("const")?.as_str()?))
    };
    let choices = schema.get("oneOf").and_then(|choices| choices.as_array());
    let Some(meanings) = choices.and_then(|all| all.iter().map(meaning).collect::<Option<Vec<_>>>()) else {
        return;
    };
    let about = schema.get("description").and_then(|about| about.as_str()).unwrap_or_default();
    let about = format!("{about} {}", meanings.join(" "));
    schema.insert("description".to_owned(), about.into());
}
