//! Rules about how a pod is doing: its phase, conditions, addresses and times.

use std::net::IpAddr;

use super::object::Pod;
use crate::object::{Condition, Time};
use crate::rendered::Samples;
use crate::resource::shared::one_of;

/// The reasons that a pod is known to stop for; others are one.
const REASONS: [&str; 8] = [
    "Evicted",
    "NodeAffinity",
    "NodeLost",
    "PreemptionByScheduler",
    "SchedulingGated",
    "Shutdown",
    "TerminationByKubelet",
    "UnexpectedAdmissionError",
];

/// The reasons that a pod is known to be taken away for; others are one.
const DISRUPTIONS: [&str; 5] = [
    "PreemptionByScheduler",
    "DeletionByTaintManager",
    "EvictionByEvictionAPI",
    "DeletionByPodGC",
    "TerminationByKubelet",
];

pub(super) fn completed(pod: &Pod, out: &mut Samples<'_, 0>) {
    let containers = pod.status.container_statuses.iter();
    let terminated = containers.filter_map(|container| container.state.terminated.as_ref());
    let last = terminated.filter_map(|terminated| terminated.finished_at).max();
    out.maybe((), last.map(Time::seconds).filter(|&seconds| seconds > 0));
}

pub(super) fn ips(pod: &Pod, out: &mut Samples<'_, 2>) {
    for ip in &pod.status.pod_ips {
        let Ok(address) = ip.ip.parse::<IpAddr>() else { continue };
        let family = if address.to_canonical().is_ipv4() { "4" } else { "6" };
        out.sample((&ip.ip, family), 1_u8);
    }
}

pub(super) fn start_time(pod: &Pod, out: &mut Samples<'_, 0>) {
    out.maybe((), pod.status.start_time.map(Time::seconds));
}

fn conditions<'p>(pod: &'p Pod, kind: &str) -> impl Iterator<Item = &'p Condition> {
    pod.status.conditions.iter().filter(move |condition| condition.kind == kind)
}

/// When the condition `kind` came to `status`, if it has it now.
pub(super) fn since(pod: &Pod, kind: &str, status: &str, out: &mut Samples<'_, 0>) {
    for condition in conditions(pod, kind).filter(|condition| condition.status == status) {
        out.sample((), Time::seconds_of(condition.last_transition_time));
    }
}

pub(super) fn condition(pod: &Pod, kind: &str, out: &mut Samples<'_, 1>) {
    for condition in conditions(pod, kind) {
        for (state, is) in condition.states() {
            out.sample(state, is);
        }
    }
}

pub(super) fn disruption_reason(pod: &Pod, out: &mut Samples<'_, 1>) {
    for condition in conditions(pod, "DisruptionTarget") {
        let reason = condition.reason.as_deref().unwrap_or_default();
        out.sample(DISRUPTIONS.into_iter().find(|&one| one == reason).unwrap_or("Other"), 1_u8);
    }
}

pub(super) fn phase(pod: &Pod, out: &mut Samples<'_, 1>) {
    one_of(&["Pending", "Succeeded", "Failed", "Unknown", "Running"], &pod.status.phase, out);
}

pub(super) fn qos_class(pod: &Pod, out: &mut Samples<'_, 1>) {
    one_of(&["BestEffort", "Burstable", "Guaranteed"], &pod.status.qos_class, out);
}

pub(super) fn reason(pod: &Pod, out: &mut Samples<'_, 1>) {
    for reason in REASONS.into_iter().filter(|reason| has_reason(pod, reason)) {
        out.sample(reason, 1_u8);
    }
    let own = pod.status.reason.as_str();
    if !own.is_empty() && !REASONS.contains(&own) {
        out.sample("Other", 1_u8);
    }
}

/// Whether the pod, a condition of it or a container that ended gives this reason.
fn has_reason(pod: &Pod, reason: &str) -> bool {
    let status = &pod.status;
    let mut terminated =
        status.container_statuses.iter().filter_map(|c| c.state.terminated.as_ref());
    status.reason == reason
        || status.conditions.iter().any(|condition| condition.reason.as_deref() == Some(reason))
        || terminated.any(|terminated| terminated.reason == reason)
}

pub(super) fn unschedulable(pod: &Pod, out: &mut Samples<'_, 0>) {
    for _ in conditions(pod, "PodScheduled").filter(|condition| condition.status == "False") {
        out.sample((), 1_u8);
    }
}
