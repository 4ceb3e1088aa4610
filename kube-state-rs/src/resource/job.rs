//! `kube_job_*`: batch/v1 Job.

use serde::Deserialize;

use super::shared::{created, exists, owners};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Condition, List, Meta, Time, objects};
use crate::rendered::Samples;

pub(super) static JOBS: Resource<Job> = Resource {
    plural: "jobs",
    versions: &[Version::new("batch", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("job_name"),
    families: &[
        &Open::annotations(
            "kube_job_annotations",
            "The job's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_job_complete",
            "1 for the status that the job's condition Complete has, 0 for the others.",
            ["condition"],
            |job, out| states(job, "Complete", out),
        )
        .stable(),
        &Gauge::new(
            "kube_job_created",
            "When the job was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_job_failed",
            "1 for the status that the job's condition Failed has, 0 for the others.",
            ["condition"],
            |job, out| states(job, "Failed", out),
        )
        .stable(),
        &Gauge::new("kube_job_info", "1 for each job.", [], exists).stable(),
        &Open::labels("kube_job_labels", "The job's labels that were chosen, as labels.").stable(),
        &Gauge::new(
            "kube_job_owner",
            "1 for each object that owns the job.",
            ["owner_kind", "owner_name", "owner_is_controller"],
            owners,
        )
        .stable(),
        &Gauge::new(
            "kube_job_spec_active_deadline_seconds",
            "How long the job may run before it is ended, in seconds.",
            [],
            |job: &Job, out| out.maybe((), job.spec.active_deadline_seconds),
        )
        .stable(),
        &Gauge::new(
            "kube_job_spec_completions",
            "Pods of the job that have to succeed.",
            [],
            |job: &Job, out| out.maybe((), job.spec.completions),
        )
        .stable(),
        &Gauge::new(
            "kube_job_spec_parallelism",
            "Pods of the job that may run at a time.",
            [],
            |job: &Job, out| out.maybe((), job.spec.parallelism),
        )
        .stable(),
        &Gauge::new(
            "kube_job_status_active",
            "Pods of the job that wait or run.",
            [],
            |job: &Job, out| out.sample((), job.status.active),
        )
        .stable(),
        &Gauge::new(
            "kube_job_status_completion_time",
            "When the job was completed, in seconds since 1970.",
            [],
            |job: &Job, out| out.maybe((), job.status.completion_time.map(Time::seconds)),
        )
        .stable(),
        &Gauge::new(
            "kube_job_status_failed",
            "Pods that failed; once the job itself failed for a known reason, 1 for that reason.",
            ["reason"],
            failed_pods,
        )
        .stable(),
        &Gauge::new(
            "kube_job_status_ready",
            "Pods of the job that are ready.",
            [],
            |job: &Job, out| out.sample((), job.status.ready.unwrap_or(0)),
        ),
        &Gauge::new(
            "kube_job_status_start_time",
            "When the controller took the job up, in seconds since 1970.",
            [],
            |job: &Job, out| out.maybe((), job.status.start_time.map(Time::seconds)),
        )
        .stable(),
        &Gauge::new(
            "kube_job_status_succeeded",
            "Pods of the job that succeeded.",
            [],
            |job: &Job, out| out.sample((), job.status.succeeded),
        )
        .stable(),
        &Gauge::new("kube_job_status_suspended", "1 while the job is suspended.", [], suspended),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Job {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    active_deadline_seconds: Option<i64>,
    completions: Option<i64>,
    parallelism: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    active: i64,
    failed: i64,
    ready: Option<i64>,
    succeeded: i64,
    start_time: Option<Time>,
    completion_time: Option<Time>,
    conditions: List<Condition>,
}

objects!(Job);

impl Job {
    fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == kind)
    }
}

fn states(job: &Job, kind: &str, out: &mut Samples<'_, 1>) {
    for (status, current) in job.condition(kind).iter().flat_map(|condition| condition.states()) {
        out.sample(status, current);
    }
}

/// Why a job failed, as far as the peer knows the reasons.
const REASONS: [&str; 3] = ["BackoffLimitExceeded", "DeadlineExceeded", "Evicted"];

fn failed_pods(job: &Job, out: &mut Samples<'_, 1>) {
    let failed = job.status.failed;
    if failed == 0 {
        return out.some([None], failed);
    }
    let reason = job.condition("Failed").map(|failed| failed.reason.as_deref().unwrap_or_default());
    for known in REASONS {
        out.maybe(known, reason.map(|reason| reason == known));
    }
    if !reason.is_some_and(|reason| REASONS.contains(&reason)) {
        out.sample("", failed);
    }
}

fn suspended(job: &Job, out: &mut Samples<'_, 0>) {
    out.maybe((), job.condition("Suspended").map(|condition| condition.status == "True"));
}
