//! Where to read: the configured bases, and the naming contexts that they lie in.

use std::collections::BTreeSet;

use super::root_dse::RootDse;
use crate::directory::{DirectoryId, Dn};
use crate::source::{Reason, SourceError};

/// Where to read: what is configured, without what lies within another, else the server's contexts.
pub(super) fn bases(configured: &[String], facts: &RootDse) -> Result<Vec<String>, SourceError> {
    if configured.is_empty() {
        if facts.default.is_empty() {
            return Err(SourceError::new(
                Reason::NotFound,
                "the server does not show its naming contexts (namingContexts); set baseDNs",
            ));
        }
        return Ok(facts.default.clone());
    }
    let parsed: Vec<Option<Dn>> = configured.iter().map(|base| Dn::parse(base).ok()).collect();
    let lies_within_another = |at: usize| {
        parsed.iter().enumerate().any(|(other, within)| match (parsed.get(at), within) {
            (Some(Some(base)), Some(within)) => {
                base.is_within(within) && (base != within || other < at) && other != at
            }
            _ => false,
        })
    };
    let kept = configured.iter().enumerate().filter(|(at, _)| !lies_within_another(*at));
    Ok(kept.map(|(_, base)| base.clone()).collect())
}

/// The naming contexts that the bases lie in; a base that lies in none stands for itself.
pub(super) fn contexts(bases: &[String], facts: &RootDse) -> Vec<String> {
    let of = |base: &String| {
        let dn = Dn::parse(base).ok()?;
        let holds = |context: &&String| Dn::parse(context).is_ok_and(|context| dn.is_within(&context));
        facts.contexts.iter().filter(holds).max_by_key(|context| context.len()).cloned()
    };
    let all: BTreeSet<String> = bases.iter().map(|base| of(base).unwrap_or_else(|| base.clone())).collect();
    all.into_iter().collect()
}

/// The one naming context that is read; a feed is of one.
pub(super) fn only_context(bases: &[String], facts: &RootDse) -> Option<String> {
    let mut contexts = contexts(bases, facts);
    contexts.pop().filter(|_| contexts.is_empty())
}

/// The naming contexts that are read, whatever is read of them; of Active Directory the forest too.
pub(super) fn directory(bases: &[String], facts: &RootDse) -> DirectoryId {
    let normal = |dn: &str| Dn::parse(dn).map_or_else(|_| dn.to_owned(), |dn| dn.as_str().to_owned());
    let forest = facts.text("rootdomainnamingcontext").map(normal);
    let contexts: BTreeSet<String> = contexts(bases, facts).iter().map(|context| normal(context)).collect();
    let others = contexts.into_iter().filter(|context| Some(context) != forest.as_ref());
    DirectoryId::new(forest.clone().into_iter().chain(others).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(contexts: &[&str]) -> RootDse {
        RootDse {
            contexts: contexts.iter().map(|context| (*context).to_owned()).collect(),
            default: contexts.iter().map(|context| (*context).to_owned()).collect(),
            pages: true,
            ..RootDse::default()
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_base_within_another_is_read_once() {
        let facts = facts(&["dc=corp,dc=example"]);
        let configured =
            texts(&["ou=People, dc=corp,dc=example", "dc=Corp,dc=example", "DC=corp,dc=example"]);
        assert_eq!(bases(&configured, &facts).unwrap(), ["dc=Corp,dc=example"]);
        assert_eq!(bases(&[], &facts).unwrap(), ["dc=corp,dc=example"]);
        assert!(bases(&[], &self::facts(&[])).is_err());
    }

    #[test]
    fn the_directory_is_its_naming_contexts_whatever_is_read_of_it() {
        let facts = facts(&["dc=corp,dc=example", "o=other"]);
        let one = directory(&texts(&["ou=people,dc=corp,dc=example"]), &facts);
        let other = directory(&texts(&["ou=groups,DC=Corp,dc=example"]), &facts);
        assert_eq!(one, other);
        assert_eq!(one.as_str(), "dc=corp,dc=example");
    }
}
