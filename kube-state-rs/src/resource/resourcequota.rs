//! `kube_resourcequota*`: core/v1 `ResourceQuota`.

use serde::Deserialize;

use super::shared::created;
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Map, Meta, objects};
use crate::quantity::Quantity;
use crate::rendered::Samples;

pub(super) static RESOURCE_QUOTAS: Resource<ResourceQuota> = Resource {
    plural: "resourcequotas",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("resourcequota"),
    families: &[
        &Gauge::new(
            "kube_resourcequota",
            "How much of a resource is allowed (hard) or in use (used), in base units.",
            ["resource", "type"],
            amounts,
        )
        .stable(),
        &Open::annotations(
            "kube_resourcequota_annotations",
            "The quota's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_resourcequota_created",
            "When the quota was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Open::labels(
            "kube_resourcequota_labels",
            "The quota's labels that were chosen, as labels.",
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ResourceQuota {
    metadata: Meta,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    hard: Map<Quantity>,
    used: Map<Quantity>,
}

objects!(ResourceQuota);

fn amounts(quota: &ResourceQuota, out: &mut Samples<'_, 2>) {
    for (kind, amounts) in [("hard", &quota.status.hard), ("used", &quota.status.used)] {
        for (resource, amount) in amounts {
            out.sample((resource, kind), amount.as_f64());
        }
    }
}
