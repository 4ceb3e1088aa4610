//! `kube_limitrange*`: core/v1 `LimitRange`.

use serde::Deserialize;

use super::shared::created;
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::Gauge;
use crate::object::{List, Map, Meta, objects};
use crate::quantity::Quantity;
use crate::rendered::Samples;

pub(super) static LIMIT_RANGES: Resource<LimitRange> = Resource {
    plural: "limitranges",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("limitrange"),
    families: &[
        &Gauge::new(
            "kube_limitrange",
            "What one pod, container or claim may ask for, in base units or as a ratio.",
            ["resource", "type", "constraint"],
            limits,
        )
        .stable(),
        &Gauge::new(
            "kube_limitrange_created",
            "When the limit range was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LimitRange {
    metadata: Meta,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    limits: List<Limit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Limit {
    #[serde(rename = "type")]
    kind: String,
    min: Map<Quantity>,
    max: Map<Quantity>,
    default: Map<Quantity>,
    default_request: Map<Quantity>,
    max_limit_request_ratio: Map<Quantity>,
}

objects!(LimitRange);

fn limits(range: &LimitRange, out: &mut Samples<'_, 3>) {
    for limit in &range.spec.limits {
        for (constraint, amounts) in [
            ("min", &limit.min),
            ("max", &limit.max),
            ("default", &limit.default),
            ("defaultRequest", &limit.default_request),
            ("maxLimitRequestRatio", &limit.max_limit_request_ratio),
        ] {
            for (resource, amount) in amounts {
                out.sample((resource, &limit.kind, constraint), amount.as_f64());
            }
        }
    }
}
