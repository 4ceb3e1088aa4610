//! All resources, and the version in which each server has them.

/// Plural name, group, and the newest version that Kubernetes 1.20 and 1.36 serve: what kube-state-rs is to choose.
pub(crate) struct Known {
    pub(crate) plural: &'static str,
    group: &'static str,
    old: Option<&'static str>,
    modern: &'static str,
}

impl Known {
    /// As kubectl takes it, where the server has it: `cronjobs.v1beta1.batch`.
    pub(crate) fn full_name(&self, modern: bool) -> Option<String> {
        let version = if modern { Some(self.modern) } else { self.old }?;
        Some(format!("{}.{version}.{}", self.plural, self.group))
    }
}

const fn same(plural: &'static str, group: &'static str) -> Known {
    Known { plural, group, old: Some("v1"), modern: "v1" }
}

const fn since(plural: &'static str, group: &'static str, old: Option<&'static str>) -> Known {
    Known { plural, group, old, modern: "v1" }
}

const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const STORAGE: &str = "storage.k8s.io";
const NETWORK: &str = "networking.k8s.io";

pub(crate) static ALL: &[Known] = &[
    same("certificatesigningrequests", "certificates.k8s.io"),
    same("clusterrolebindings", RBAC),
    same("clusterroles", RBAC),
    same("configmaps", ""),
    since("cronjobs", "batch", Some("v1beta1")),
    same("daemonsets", "apps"),
    same("deployments", "apps"),
    same("endpoints", ""),
    since("endpointslices", "discovery.k8s.io", Some("v1beta1")),
    Known {
        plural: "horizontalpodautoscalers",
        group: "autoscaling",
        old: Some("v2beta2"),
        modern: "v2",
    },
    same("ingressclasses", NETWORK),
    same("ingresses", NETWORK),
    same("jobs", "batch"),
    same("leases", "coordination.k8s.io"),
    same("limitranges", ""),
    since("mutatingadmissionpolicies", ADMISSION, None),
    since("mutatingadmissionpolicybindings", ADMISSION, None),
    same("mutatingwebhookconfigurations", ADMISSION),
    same("namespaces", ""),
    same("networkpolicies", NETWORK),
    same("nodes", ""),
    same("persistentvolumeclaims", ""),
    same("persistentvolumes", ""),
    since("poddisruptionbudgets", "policy", Some("v1beta1")),
    same("pods", ""),
    same("replicasets", "apps"),
    same("replicationcontrollers", ""),
    same("resourcequotas", ""),
    same("rolebindings", RBAC),
    same("roles", RBAC),
    same("secrets", ""),
    same("serviceaccounts", ""),
    same("services", ""),
    same("statefulsets", "apps"),
    same("storageclasses", STORAGE),
    since("validatingadmissionpolicies", ADMISSION, None),
    since("validatingadmissionpolicybindings", ADMISSION, None),
    same("validatingwebhookconfigurations", ADMISSION),
    same("volumeattachments", STORAGE),
];
