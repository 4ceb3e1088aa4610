//! `kube_ingressclass_*`: networking.k8s.io `IngressClass`.

use serde::Deserialize;

use super::shared::created;
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Meta, objects};
use crate::rendered::Samples;

pub(super) static INGRESSCLASSES: Resource<IngressClass> = Resource {
    plural: "ingressclasses",
    versions: &[
        Version::new("networking.k8s.io", "v1"),
        Version::new("networking.k8s.io", "v1beta1"),
    ],
    scope: Scope::Cluster,
    default: false,
    needs: Needs::Everything,
    key: Key::Name("ingressclass"),
    families: &[
        &Open::annotations(
            "kube_ingressclass_annotations",
            "The ingress class's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_ingressclass_created",
            "When the ingress class was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_ingressclass_info",
            "1, with the controller that serves the ingress class.",
            ["controller"],
            info,
        ),
        &Open::labels(
            "kube_ingressclass_labels",
            "The ingress class's labels that were chosen, as labels.",
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IngressClass {
    metadata: Meta,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    controller: String,
}

objects!(IngressClass);

fn info(class: &IngressClass, out: &mut Samples<'_, 1>) {
    out.sample(&class.spec.controller, 1_u8);
}
