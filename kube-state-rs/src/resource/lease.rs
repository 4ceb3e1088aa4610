//! `kube_lease_*`: coordination.k8s.io/v1 Lease.

use serde::Deserialize;

use super::{Key, Needs, Resource, Scope, Version};
use crate::family::Gauge;
use crate::object::{Meta, Time, objects};
use crate::rendered::Samples;

pub(super) static LEASES: Resource<Lease> = Resource {
    plural: "leases",
    versions: &[Version::new("coordination.k8s.io", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("lease"),
    families: &[
        &Gauge::new(
            "kube_lease_owner",
            "1 for each object that owns the lease, with who holds it.",
            ["owner_kind", "owner_name", "lease_holder"],
            owner,
        ),
        &Gauge::new(
            "kube_lease_renew_time",
            "When the holder last renewed the lease, in seconds since 1970.",
            [],
            |lease: &Lease, out| out.maybe((), lease.spec.renew_time.map(Time::seconds)),
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Lease {
    metadata: Meta,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    holder_identity: Option<String>,
    renew_time: Option<Time>,
}

objects!(Lease);

fn owner(lease: &Lease, out: &mut Samples<'_, 3>) {
    let holder = lease.spec.holder_identity.as_deref().unwrap_or_default();
    let owners = &lease.metadata.owner_references;
    if owners.is_empty() {
        out.sample(("", "", holder), 1_u8);
    }
    for owner in owners {
        out.sample((&owner.kind, &owner.name, holder), 1_u8);
    }
}
