//! The contents of the Secrets and ConfigMaps that an object names, read from the apiserver.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ConfigMap, Secret as KubeSecret};
use kube::{Api, Client};

use super::error::Error;
use super::read::read;
use crate::secret::Secret;
use crate::spec::reference::Reference;
use crate::spec::{Name, Objects};

/// Reads what an object names. What is not there is left out.
pub(super) async fn fetch(
    client: &Client,
    of: &Name,
    references: &BTreeSet<Reference>,
) -> Result<Objects, Error> {
    let mut objects = Objects { partial: true, ..Objects::default() };
    for reference in references.iter().filter(|reference| reference.is_possible()) {
        match reference {
            Reference::Secret(name) => {
                let api = Api::<KubeSecret>::namespaced(client.clone(), &of.namespace);
                let secret = read(api.get_opt(name)).await;
                let Some(secret) = secret.map_err(unread("Secret", of, name))? else { continue };
                let data = secret.data.unwrap_or_default().into_iter();
                let data = data.map(|(key, value)| (key, Secret::new(value.0))).collect();
                objects.secrets.insert(of.beside(name), data);
            }
            Reference::ConfigMap(name) => {
                let api = Api::<ConfigMap>::namespaced(client.clone(), &of.namespace);
                let map = read(api.get_opt(name)).await;
                let Some(map) = map.map_err(unread("ConfigMap", of, name))? else { continue };
                let texts = map.data.unwrap_or_default().into_iter();
                let binary = map.binary_data.unwrap_or_default().into_iter();
                let texts = texts.map(|(key, text)| (key, text.into_bytes()));
                let data = texts.chain(binary.map(|(key, bytes)| (key, bytes.0))).collect();
                objects.config_maps.insert(of.beside(name), data);
            }
        }
    }
    Ok(objects)
}

/// Adds to an error what could not be read.
fn unread(kind: &str, of: &Name, name: &str) -> impl FnOnce(Error) -> Error {
    let what = format!("{kind} {}", of.beside(name));
    move |why| Error::Unread { what, why: Box::new(why) }
}
