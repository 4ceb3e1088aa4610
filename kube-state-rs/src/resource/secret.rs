//! `kube_secret_*`: core/v1 Secret, whose payload is never asked for.

use serde::Deserialize;

use super::shared::{created, exists, owners, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Meta, objects};
use crate::rendered::Samples;

pub(super) static SECRETS: Resource<Secret> = Resource {
    plural: "secrets",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Columns(&[("Type", "type")]),
    key: Key::NamespaceName("secret"),
    families: &[
        &Open::annotations(
            "kube_secret_annotations",
            "The secret's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_secret_created",
            "When the secret was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new("kube_secret_info", "1 for each secret.", [], exists).stable(),
        &Open::labels("kube_secret_labels", "The secret's labels that were chosen, as labels.")
            .stable(),
        &Gauge::new(
            "kube_secret_metadata_resource_version",
            "The resource version of the secret as a number.",
            [],
            resource_version,
        ),
        &Gauge::new(
            "kube_secret_owner",
            "1 for each owner of the secret; one without names where it has none.",
            ["owner_kind", "owner_name", "owner_is_controller"],
            owners,
        ),
        &Gauge::new("kube_secret_type", "1, with the secret's type.", ["type"], kind).stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Secret {
    metadata: Meta,
    #[serde(rename = "type")]
    kind: String,
}

objects!(Secret);

fn kind(secret: &Secret, out: &mut Samples<'_, 1>) {
    out.sample(&secret.kind, 1_u8);
}
