//! `kube_mutatingwebhookconfiguration_*`: admissionregistration.k8s.io `MutatingWebhookConfiguration`.

use super::admission::{WebhookConfiguration, services};
use super::shared::{created, exists, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::Gauge;

pub(super) static MUTATINGWEBHOOKCONFIGURATIONS: Resource<WebhookConfiguration> = Resource {
    plural: "mutatingwebhookconfigurations",
    versions: &[Version::new("admissionregistration.k8s.io", "v1")],
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("mutatingwebhookconfiguration"),
    families: &[
        &Gauge::new(
            "kube_mutatingwebhookconfiguration_created",
            "When the mutating webhook configuration was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_mutatingwebhookconfiguration_info",
            "1 for each mutating webhook configuration.",
            [],
            exists,
        ),
        &Gauge::new(
            "kube_mutatingwebhookconfiguration_metadata_resource_version",
            "The resource version of the mutating webhook configuration as a number.",
            [],
            resource_version,
        ),
        &Gauge::new(
            "kube_mutatingwebhookconfiguration_webhook_clientconfig_service",
            "1 for each webhook, with the service that is called; without one for a URL.",
            ["webhook_name", "service_name", "service_namespace"],
            services,
        ),
    ],
};
