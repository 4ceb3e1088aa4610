//! `kube_service_*`: core/v1 Service.

use serde::Deserialize;

use super::shared::{created, deletion};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{List, Meta, objects};
use crate::rendered::Samples;

pub(super) static SERVICES: Resource<Service> = Resource {
    plural: "services",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceNameUid("service"),
    families: &[
        &Open::annotations(
            "kube_service_annotations",
            "The service's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_service_created",
            "When the service was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_service_deletion_timestamp",
            "When the service is to be deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Gauge::new(
            "kube_service_info",
            "1, with the service's addresses and its policy for traffic from outside.",
            ["cluster_ip", "external_name", "load_balancer_ip", "external_traffic_policy"],
            info,
        )
        .stable(),
        &Open::labels("kube_service_labels", "The service's labels that were chosen, as labels.")
            .stable(),
        &Gauge::new(
            "kube_service_spec_external_ip",
            "1 for each external IP that nodes accept for the service.",
            ["external_ip"],
            external_ip,
        )
        .stable(),
        &Gauge::new("kube_service_spec_type", "1, with the service's type.", ["type"], kind)
            .stable(),
        &Gauge::new(
            "kube_service_status_load_balancer_ingress",
            "1 for each point at which a load balancer takes traffic for the service.",
            ["ip", "hostname"],
            ingress,
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Service {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    #[serde(rename = "externalIPs")]
    external_ips: List<String>,
    #[serde(rename = "loadBalancerIP")]
    load_balancer_ip: String,
    external_name: String,
    external_traffic_policy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    load_balancer: LoadBalancer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    ingress: List<Ingress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ingress {
    ip: String,
    hostname: String,
}

objects!(Service);

fn info(service: &Service, out: &mut Samples<'_, 4>) {
    let spec = &service.spec;
    let labels = &[
        &spec.cluster_ip,
        &spec.external_name,
        &spec.load_balancer_ip,
        &spec.external_traffic_policy,
    ];
    out.sample(labels, 1_u8);
}

fn external_ip(service: &Service, out: &mut Samples<'_, 1>) {
    for ip in &service.spec.external_ips {
        out.sample(ip, 1_u8);
    }
}

fn kind(service: &Service, out: &mut Samples<'_, 1>) {
    out.sample(&service.spec.kind, 1_u8);
}

fn ingress(service: &Service, out: &mut Samples<'_, 2>) {
    for Ingress { ip, hostname } in &service.status.load_balancer.ingress {
        out.sample((ip, hostname), 1_u8);
    }
}
