//! `kube_validatingwebhookconfiguration_*`: admissionregistration.k8s.io `ValidatingWebhookConfiguration`.

use super::admission::{WebhookConfiguration, services};
use super::shared::{created, exists, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::Gauge;

pub(super) static VALIDATINGWEBHOOKCONFIGURATIONS: Resource<WebhookConfiguration> = Resource {
    plural: "validatingwebhookconfigurations",
    versions: &[Version::new("admissionregistration.k8s.io", "v1")],
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("validatingwebhookconfiguration"),
    families: &[
        &Gauge::new(
            "kube_validatingwebhookconfiguration_created",
            "When the validating webhook configuration was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_validatingwebhookconfiguration_info",
            "1 for each validating webhook configuration.",
            [],
            exists,
        ),
        &Gauge::new(
            "kube_validatingwebhookconfiguration_metadata_resource_version",
            "The resource version of the validating webhook configuration as a number.",
            [],
            resource_version,
        ),
        &Gauge::new(
            "kube_validatingwebhookconfiguration_webhook_clientconfig_service",
            "1 for each webhook, with the service that is called; without one for a URL.",
            ["webhook_name", "service_name", "service_namespace"],
            services,
        ),
    ],
};
