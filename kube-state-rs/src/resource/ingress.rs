//! `kube_ingress_*`: networking.k8s.io Ingress. The group extensions, which had it before, is not needed since Kubernetes 1.14.

use serde::Deserialize;

use super::shared::{created, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{IntOrString, List, Meta, objects};
use crate::rendered::Samples;

pub(super) static INGRESSES: Resource<Ingress> = Resource {
    plural: "ingresses",
    versions: &[
        Version::new("networking.k8s.io", "v1"),
        Version::new("networking.k8s.io", "v1beta1"),
    ],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("ingress"),
    families: &[
        &Open::annotations(
            "kube_ingress_annotations",
            "The ingress' annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_ingress_created",
            "When the ingress was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new("kube_ingress_info", "1, with the ingress' class.", ["ingressclass"], info)
            .stable(),
        &Open::labels("kube_ingress_labels", "The ingress' labels that were chosen, as labels.")
            .stable(),
        &Gauge::new(
            "kube_ingress_metadata_resource_version",
            "The resource version of the ingress as a number.",
            [],
            resource_version,
        ),
        &Gauge::new(
            "kube_ingress_path",
            "1 for each path of each host, with the service or the resource behind it.",
            [
                "host",
                "path",
                "path_type",
                "service_name",
                "service_port",
                "resource_api_group",
                "resource_kind",
                "resource_name",
            ],
            path,
        )
        .stable(),
        &Gauge::new(
            "kube_ingress_tls",
            "1 for each host with TLS, with the secret that holds its certificate.",
            ["tls_host", "secret"],
            tls,
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ingress {
    metadata: Meta,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    ingress_class_name: Option<String>,
    rules: List<Rule>,
    tls: List<Tls>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    host: String,
    http: Option<Http>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http {
    paths: List<HttpPath>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HttpPath {
    path: String,
    #[serde(rename = "pathType")]
    kind: Option<String>,
    backend: Backend,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Backend {
    service: Option<Service>,
    resource: Option<Target>,
    /// In v1beta1 in place of `service`.
    service_name: Option<String>,
    service_port: Option<IntOrString>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Service {
    name: String,
    port: Port,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    number: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Target {
    api_group: Option<String>,
    kind: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Tls {
    hosts: List<String>,
    secret_name: String,
}

objects!(Ingress);

/// What came before `spec.ingressClassName`, and still counts where it is set.
const CLASS: &str = "kubernetes.io/ingress.class";

fn info(ingress: &Ingress, out: &mut Samples<'_, 1>) {
    let annotation = ingress.metadata.annotations.get(CLASS);
    let class = annotation.or(ingress.spec.ingress_class_name.as_ref());
    out.sample(class.map_or("_default", String::as_str), 1_u8);
}

impl Backend {
    /// The name and the port of a service; a port that has a name and no number is 0, as the peer gives it.
    fn service(&self) -> Option<(&str, i64)> {
        if let Some(service) = &self.service {
            return Some((&service.name, service.port.number));
        }
        let port = match self.service_port {
            Some(IntOrString::Int(number)) => number,
            _ => 0,
        };
        Some((self.service_name.as_deref().filter(|name| !name.is_empty())?, port))
    }
}

fn path(ingress: &Ingress, out: &mut Samples<'_, 8>) {
    for Rule { host, http } in &ingress.spec.rules {
        for HttpPath { path, kind, backend } in http.iter().flat_map(|http| &http.paths) {
            let place = [host, path, kind.as_deref().unwrap_or_default()].map(Some);
            let [host, path, kind] = place;
            if let Some((name, port)) = backend.service() {
                let mut digits = itoa::Buffer::new();
                let port = digits.format(port);
                out.some([host, path, kind, Some(name), Some(port), None, None, None], 1_u8);
            } else if let Some(target) = &backend.resource {
                let group = target.api_group.as_deref().unwrap_or_default();
                let [group, target, name] = [group, &target.kind, &target.name].map(Some);
                out.some([host, path, kind, None, None, group, target, name], 1_u8);
            }
        }
    }
}

fn tls(ingress: &Ingress, out: &mut Samples<'_, 2>) {
    for tls in &ingress.spec.tls {
        for host in &tls.hosts {
            out.sample((host, &tls.secret_name), 1_u8);
        }
    }
}
