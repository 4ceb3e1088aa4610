//! Rules about a pod's containers: those that stay, and those that run before them.

use exporter_toolkit::number::Value;

use super::object::{Container, ContainerStatus, Pod, Resources, State};
use crate::object::{Map, Time};
use crate::quantity::Quantity;
use crate::rendered::Samples;
use crate::resource::amount::{ResourceName, Unit};

/// Which of a pod's containers a family is about.
pub(super) trait Containers {
    fn specs(pod: &Pod) -> &[Container];
    fn statuses(pod: &Pod) -> &[ContainerStatus];
}

/// `spec.containers`.
pub(super) enum Main {}

impl Containers for Main {
    fn specs(pod: &Pod) -> &[Container] {
        &pod.spec.containers
    }

    fn statuses(pod: &Pod) -> &[ContainerStatus] {
        &pod.status.container_statuses
    }
}

/// `spec.initContainers`.
pub(super) enum Init {}

impl Containers for Init {
    fn specs(pod: &Pod) -> &[Container] {
        &pod.spec.init_containers
    }

    fn statuses(pod: &Pod) -> &[ContainerStatus] {
        &pod.status.init_container_statuses
    }
}

/// The containers that have a status, with it.
fn with_status<C: Containers>(pod: &Pod) -> impl Iterator<Item = (&Container, &ContainerStatus)> {
    C::specs(pod).iter().filter_map(|container| {
        let mut statuses = C::statuses(pod).iter();
        Some((container, statuses.find(|status| status.name == container.name)?))
    })
}

pub(super) fn info(pod: &Pod, out: &mut Samples<'_, 5>) {
    for (container, is) in with_status::<Main>(pod) {
        let labels = [&container.name, &container.image, &is.image, &is.image_id, &is.container_id];
        out.sample(&labels, 1_u8);
    }
}

pub(super) fn init_info(pod: &Pod, out: &mut Samples<'_, 6>) {
    for (container, is) in with_status::<Init>(pod) {
        let policy = &container.restart_policy;
        let (name, spec) = (&container.name, &container.image);
        out.sample(&[name, spec, &is.image, &is.image_id, &is.container_id, policy], 1_u8);
    }
}

pub(super) fn limits<C: Containers>(pod: &Pod, out: &mut Samples<'_, 4>) {
    for container in C::specs(pod) {
        amounts(pod, container, &container.resources.limits, out);
    }
}

pub(super) fn requests<C: Containers>(pod: &Pod, out: &mut Samples<'_, 4>) {
    for container in C::specs(pod) {
        amounts(pod, container, &container.resources.requests, out);
    }
}

fn amounts(pod: &Pod, container: &Container, amounts: &Map<Quantity>, out: &mut Samples<'_, 4>) {
    for (resource, amount) in amounts {
        let Some(unit) = Unit::of(resource) else { continue };
        let resource = ResourceName(resource);
        let labels = (&container.name, &pod.spec.node_name, resource, unit.word());
        match unit {
            Unit::Core => out.sample(labels, amount.as_f64()),
            Unit::Byte | Unit::Integer => out.sample(labels, amount.value()),
        }
    }
}

pub(super) fn started<C: Containers>(pod: &Pod, out: &mut Samples<'_, 1>) {
    for container in C::statuses(pod) {
        let started = match &container.state {
            State { running: Some(running), .. } => running.started_at,
            State { terminated: Some(terminated), .. } => terminated.started_at,
            _ => continue,
        };
        out.sample(&container.name, Time::seconds_of(started));
    }
}

pub(super) fn last_exit_code<C: Containers>(pod: &Pod, out: &mut Samples<'_, 1>) {
    for container in C::statuses(pod) {
        let last = container.last_state.terminated.as_ref();
        out.maybe(&container.name, last.map(|last| last.exit_code));
    }
}

pub(super) fn last_reason<C: Containers>(pod: &Pod, out: &mut Samples<'_, 2>) {
    for container in C::statuses(pod) {
        if let Some(last) = &container.last_state.terminated {
            out.sample((&container.name, &last.reason), 1_u8);
        }
    }
}

pub(super) fn last_finished<C: Containers>(pod: &Pod, out: &mut Samples<'_, 1>) {
    for container in C::statuses(pod) {
        let last = container.last_state.terminated.as_ref();
        out.maybe(&container.name, last.map(|last| Time::seconds_of(last.finished_at)));
    }
}

pub(super) fn ready<C: Containers>(pod: &Pod, out: &mut Samples<'_, 1>) {
    for container in C::statuses(pod) {
        out.sample(&container.name, container.ready);
    }
}

pub(super) fn restarts<C: Containers>(pod: &Pod, out: &mut Samples<'_, 1>) {
    for container in C::statuses(pod) {
        out.sample(&container.name, container.restart_count);
    }
}

pub(super) fn running<C: Containers>(pod: &Pod, out: &mut Samples<'_, 1>) {
    for container in C::statuses(pod) {
        out.sample(&container.name, container.state.running.is_some());
    }
}

pub(super) fn terminated<C: Containers>(pod: &Pod, out: &mut Samples<'_, 1>) {
    for container in C::statuses(pod) {
        out.sample(&container.name, container.state.terminated.is_some());
    }
}

pub(super) fn terminated_reason<C: Containers>(pod: &Pod, out: &mut Samples<'_, 2>) {
    for container in C::statuses(pod) {
        if let Some(terminated) = &container.state.terminated {
            out.sample((&container.name, &terminated.reason), 1_u8);
        }
    }
}

pub(super) fn waiting<C: Containers>(pod: &Pod, out: &mut Samples<'_, 1>) {
    for container in C::statuses(pod) {
        out.sample(&container.name, container.state.waiting.is_some());
    }
}

pub(super) fn waiting_reason<C: Containers>(pod: &Pod, out: &mut Samples<'_, 2>) {
    for container in C::statuses(pod) {
        if let Some(waiting) = &container.state.waiting {
            out.sample((&container.name, &waiting.reason), 1_u8);
        }
    }
}

pub(super) fn cpu_limits(pod: &Pod, out: &mut Samples<'_, 2>) {
    one_amount(pod, |resources| resources.limits.get("cpu"), Quantity::as_f64, out);
}

pub(super) fn memory_limits(pod: &Pod, out: &mut Samples<'_, 2>) {
    one_amount(pod, |resources| resources.limits.get("memory"), Quantity::value, out);
}

pub(super) fn cpu_requests(pod: &Pod, out: &mut Samples<'_, 2>) {
    one_amount(pod, |resources| resources.requests.get("cpu"), Quantity::as_f64, out);
}

pub(super) fn memory_requests(pod: &Pod, out: &mut Samples<'_, 2>) {
    one_amount(pod, |resources| resources.requests.get("memory"), Quantity::value, out);
}

fn one_amount<V: Value>(
    pod: &Pod,
    amount: fn(&Resources) -> Option<&Quantity>,
    value: fn(Quantity) -> V,
    out: &mut Samples<'_, 2>,
) {
    for container in &pod.spec.containers {
        let amount = amount(&container.resources).copied();
        out.maybe((&container.name, &pod.spec.node_name), amount.map(value));
    }
}
