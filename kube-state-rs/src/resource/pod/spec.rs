//! Rules about what was asked for: owner, placement, claims, volumes.

use std::collections::HashSet;

use super::object::{Pod, Volume};
use crate::quantity::Quantity;
use crate::rendered::{OpenSamples, Samples};
use crate::resource::shared::truth;
use crate::selection::Selection;

pub(super) fn info(pod: &Pod, out: &mut Samples<'_, 7>) {
    let creator = pod.metadata.controller();
    let (kind, name) = creator.map_or(("", ""), |owner| (&owner.kind, &owner.name));
    let (spec, status) = (&pod.spec, &pod.status);
    let labels: [&str; 7] = [
        &status.host_ip,
        &status.pod_ip,
        &spec.node_name,
        kind,
        name,
        &spec.priority_class_name,
        truth(Some(spec.host_network)),
    ];
    out.sample(&labels, 1_u8);
}

pub(super) fn node_selectors(pod: &Pod, _selection: &Selection, out: &mut OpenSamples<'_>) {
    let pairs = pod.spec.node_selector.iter();
    out.mapped("nodeselector_", pairs.map(|(key, value)| (key.as_str(), value.as_str())));
}

pub(super) fn overhead_cpu(pod: &Pod, out: &mut Samples<'_, 0>) {
    out.maybe((), pod.spec.overhead.get("cpu").map(|amount| amount.as_f64()));
}

pub(super) fn overhead_memory(pod: &Pod, out: &mut Samples<'_, 0>) {
    out.maybe((), pod.spec.overhead.get("memory").copied().map(Quantity::value));
}

pub(super) fn resource_claims(pod: &Pod, out: &mut Samples<'_, 3>) {
    for claim in &pod.spec.resource_claims {
        let template = claim.resource_claim_template_name.as_deref();
        let name = match claim.resource_claim_name.as_deref() {
            Some(name) => name,
            None if template.is_none() => continue,
            // A claim made from the template is named in the status once it is there.
            None => claim_made(pod, &claim.name).unwrap_or_default(),
        };
        out.sample((&claim.name, name, template.unwrap_or_default()), 1_u8);
    }
}

fn claim_made<'p>(pod: &'p Pod, claim: &str) -> Option<&'p str> {
    let mut statuses = pod.status.resource_claim_statuses.iter();
    statuses.find(|status| status.name == claim)?.resource_claim_name.as_deref()
}

pub(super) fn restart_policy(pod: &Pod, out: &mut Samples<'_, 1>) {
    out.sample(&pod.spec.restart_policy, 1_u8);
}

pub(super) fn runtime_class(pod: &Pod, out: &mut Samples<'_, 1>) {
    if let Some(class) = &pod.spec.runtime_class_name {
        out.sample(class, 1_u8);
    }
}

pub(super) fn scheduler(pod: &Pod, out: &mut Samples<'_, 1>) {
    out.sample(&pod.spec.scheduler_name, 1_u8);
}

pub(super) fn service_account(pod: &Pod, out: &mut Samples<'_, 1>) {
    out.sample(&pod.spec.service_account_name, 1_u8);
}

pub(super) fn claims(pod: &Pod, out: &mut Samples<'_, 3>) {
    for volume in &pod.spec.volumes {
        claim(pod, volume, out, |_| true);
    }
}

pub(super) fn claims_read_only(pod: &Pod, out: &mut Samples<'_, 3>) {
    for volume in &pod.spec.volumes {
        claim(pod, volume, out, |read_only| read_only);
    }
}

/// The sample of a volume that a claim stands behind; `value` is told whether it is read only.
fn claim(pod: &Pod, volume: &Volume, out: &mut Samples<'_, 3>, value: fn(bool) -> bool) {
    if let Some(claim) = &volume.persistent_volume_claim {
        out.sample((&volume.name, &claim.claim_name, "false"), value(claim.read_only));
    } else if volume.ephemeral.is_some() {
        // The claim of an ephemeral volume is named after the pod and the volume, and is never read only.
        let claim = format_args!("{}-{}", pod.metadata.name, volume.name);
        out.sample((&volume.name, claim, "true"), value(false));
    }
}

pub(super) fn tolerations(pod: &Pod, out: &mut Samples<'_, 5>) {
    let all = &pod.spec.tolerations;
    let mut seen = HashSet::new();
    for (i, one) in all.iter().enumerate() {
        // The few of most pods are compared with each other; many, with what was met.
        let repeated = if all.len() <= 16 { all[..i].contains(one) } else { !seen.insert(one) };
        if !repeated {
            let (key, operator, value, effect) = (&one.key, &one.operator, &one.value, &one.effect);
            match one.seconds {
                None => out.sample((key, operator, value, effect, ""), 1_u8),
                Some(seconds) => out.sample((key, operator, value, effect, seconds), 1_u8),
            }
        }
    }
}
