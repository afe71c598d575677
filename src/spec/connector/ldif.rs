//! Converts an LDIF export.

use std::path::Path;

use super::field::{Resolving, given};
use crate::api::connector::Ldif;
use crate::directory::DirectoryId;
use crate::source::SourceConfig;
use crate::source::ldif::{Input, LdifConfig};
use crate::spec::object::Folder;

impl Resolving<'_> {
    pub(super) fn ldif(&mut self, ldif: &Ldif, folder: &Folder) -> Option<SourceConfig> {
        self.disabled_when("spec.ldif.disabledWhen", &ldif.disabled_when);
        let [user_filter, group_filter] = self.filters("spec.ldif", &ldif.user_filter, &ldif.group_filter);
        let places = (&ldif.path, &ldif.secret_key_ref, &ldif.config_map_key_ref);
        let (input, name) = match places {
            (Some(_), None, None) if folder.is_none() => {
                let why = "a file on disk is only for `rollcall sync`; put the export into a Secret or ConfigMap and name \
                           that with secretKeyRef or configMapKeyRef";
                return self.fail("spec.ldif.path", why);
            }
            (Some(path), None, None) => {
                let path = folder.as_deref().unwrap_or(Path::new("")).join(path);
                let name = path.display().to_string();
                (Input::Path(path), name)
            }
            (None, Some(reference), None) => {
                let text = self.objects.secret(self.name, &reference.name, &reference.key);
                let text = text.map(|secret| secret.expose().to_vec());
                let text = self.followed("spec.ldif.secretKeyRef", Some(text))?;
                (Input::Text(text.into()), format!("key {} of Secret {}", reference.key, reference.name))
            }
            (None, None, Some(reference)) => {
                let text = self.objects.config_map(self.name, reference);
                let text = self.followed("spec.ldif.configMapKeyRef", Some(text))?;
                (Input::Text(text.into()), format!("key {} of ConfigMap {}", reference.key, reference.name))
            }
            _ => {
                return self
                    .fail("spec.ldif", "name exactly one place: path, secretKeyRef or configMapKeyRef");
            }
        };
        self.anchor_attribute("spec.ldif.anchorAttribute", &ldif.anchor_attribute);
        Some(SourceConfig::Ldif(LdifConfig {
            input,
            name,
            directory_id: given(&ldif.directory_id).map(DirectoryId::new),
            anchor: given(&ldif.anchor_attribute),
            user_filter,
            group_filter,
            literal: self.literal.clone(),
        }))
    }
}
