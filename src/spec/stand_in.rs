//! Placeholders for Secrets and ConfigMaps that are not among the manifests, so that everything else can be validated.

use std::collections::{BTreeMap, BTreeSet};

use super::object::{Name, Objects};
use super::reference::{self, Key, PUBLIC_KEY, Reference};
use crate::secret::Secret;

/// Long enough for a token, and the beginning of a certificate. Of a private key it is none: who reads one asks whether its Secret
/// is assumed.
const ANYTHING: &str =
    "-----BEGIN CERTIFICATE----- stands in for what is not there -----END CERTIFICATE-----";

impl Objects {
    /// Takes every Secret and ConfigMap that something refers to and that is not there to be there, and to hold what it
    /// must. Says which; one whose name cannot be is not among them.
    pub fn stand_in(&mut self) -> BTreeSet<(Name, Reference)> {
        let connectors = self.connectors.iter();
        let connectors = connectors.flat_map(|(name, (spec, _))| {
            // The operator makes the Secrets of engines itself.
            let engines = reference::engine_secrets(&name.name, spec);
            let own = move |key: &Key| key.key == PUBLIC_KEY && engines.iter().any(|it| it == key.of.name());
            let keys = reference::keys_of_connector(&name.name, spec).into_iter();
            keys.filter(move |key| !own(key)).map(move |key| (name, key))
        });
        let policies = self.policies.iter();
        let policies = policies
            .flat_map(|(name, spec)| reference::keys_of_policy(spec).into_iter().map(move |key| (name, key)));
        let used: Vec<(Name, Key)> =
            connectors.chain(policies).map(|(of, key)| (of.beside(key.of.name()), key)).collect();
        let is_there = |(name, Key { of, .. }): &&(Name, Key)| match of {
            Reference::Secret(_) => self.secrets.contains_key(name),
            Reference::ConfigMap(_) => self.config_maps.contains_key(name),
        };
        let (_, lacking): (Vec<_>, Vec<_>) =
            used.iter().filter(|(_, key)| key.of.is_possible()).partition(is_there);
        let mut told = BTreeSet::new();
        let (mut secrets, mut config_maps) = (BTreeMap::new(), BTreeMap::new());
        for (name, Key { of, key }) in lacking {
            told.insert((name.clone(), of.clone()));
            match of {
                Reference::Secret(_) => {
                    let data: &mut BTreeMap<_, _> = secrets.entry(name.clone()).or_default();
                    data.insert(key.clone(), Secret::new(ANYTHING));
                }
                Reference::ConfigMap(_) => {
                    let data: &mut BTreeMap<_, _> = config_maps.entry(name.clone()).or_default();
                    data.insert(key.clone(), ANYTHING.as_bytes().to_vec());
                }
            }
        }
        self.assumed.extend(secrets.keys().cloned());
        self.secrets.extend(secrets);
        self.config_maps.extend(config_maps);
        told
    }
}
