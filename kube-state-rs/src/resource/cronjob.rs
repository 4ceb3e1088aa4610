//! `kube_cronjob_*`: batch/v1 `CronJob`; before Kubernetes 1.21 batch/v1beta1.

mod schedule;

use serde::Deserialize;

use self::schedule::Schedule;
use super::shared::{created, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{List, Meta, Time, objects};
use crate::rendered::Samples;

pub(super) static CRONJOBS: Resource<CronJob> = Resource {
    plural: "cronjobs",
    versions: &[Version::new("batch", "v1"), Version::new("batch", "v1beta1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("cronjob"),
    families: &[
        &Open::annotations(
            "kube_cronjob_annotations",
            "The cron job's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_cronjob_created",
            "When the cron job was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_cronjob_info",
            "1, with when the cron job runs and what happens if the last run is still going on.",
            ["schedule", "concurrency_policy", "timezone"],
            info,
        )
        .stable(),
        &Open::labels("kube_cronjob_labels", "The cron job's labels that were chosen, as labels.")
            .stable(),
        &Gauge::new(
            "kube_cronjob_metadata_resource_version",
            "The resource version of the cron job.",
            [],
            resource_version,
        )
        .stable(),
        &Gauge::new(
            "kube_cronjob_next_schedule_time",
            "When the cron job is due after its last run or its creation, in seconds since 1970.",
            [],
            next_schedule_time,
        )
        .stable(),
        &Gauge::new(
            "kube_cronjob_schedule_invalid",
            "1 where the schedule or its time zone cannot be read.",
            [],
            schedule_invalid,
        ),
        &Gauge::new(
            "kube_cronjob_spec_failed_job_history_limit",
            "Failed jobs that are kept.",
            [],
            |cron: &CronJob, out| out.maybe((), cron.spec.failed_jobs_history_limit),
        ),
        &Gauge::new(
            "kube_cronjob_spec_starting_deadline_seconds",
            "How late a run may start, in seconds; a later one is left out.",
            [],
            |cron: &CronJob, out| out.maybe((), cron.spec.starting_deadline_seconds),
        )
        .stable(),
        &Gauge::new(
            "kube_cronjob_spec_successful_job_history_limit",
            "Completed jobs that are kept.",
            [],
            |cron: &CronJob, out| out.maybe((), cron.spec.successful_jobs_history_limit),
        ),
        &Gauge::new(
            "kube_cronjob_spec_suspend",
            "1 while no further runs are started.",
            [],
            |cron: &CronJob, out| out.sample((), cron.suspended()),
        )
        .stable(),
        &Gauge::new(
            "kube_cronjob_status_active",
            "Jobs that are running.",
            [],
            |cron: &CronJob, out| out.sample((), cron.status.active.len()),
        )
        .stable(),
        &Gauge::new(
            "kube_cronjob_status_last_schedule_time",
            "When a job was last due and started, in seconds since 1970.",
            [],
            |cron: &CronJob, out| out.maybe((), cron.status.last_schedule_time.map(Time::seconds)),
        )
        .stable(),
        &Gauge::new(
            "kube_cronjob_status_last_successful_time",
            "When a job was last completed, in seconds since 1970.",
            [],
            last_successful_time,
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CronJob {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    schedule: String,
    time_zone: Option<String>,
    concurrency_policy: String,
    suspend: Option<bool>,
    starting_deadline_seconds: Option<i64>,
    successful_jobs_history_limit: Option<i64>,
    failed_jobs_history_limit: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    active: List<Active>,
    last_schedule_time: Option<Time>,
    last_successful_time: Option<Time>,
}

/// A reference to a job; that there is one is all that counts.
#[derive(Debug, Deserialize)]
struct Active {}

objects!(CronJob);

impl CronJob {
    fn suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    fn schedule(&self) -> Option<Schedule> {
        Schedule::parse(&self.spec.schedule, self.spec.time_zone.as_deref())
    }

    /// When it last ran, else when it was created.
    fn last_schedule(&self) -> Option<Time> {
        self.status.last_schedule_time.or(self.metadata.creation_timestamp)
    }
}

fn info(cron: &CronJob, out: &mut Samples<'_, 3>) {
    let spec = &cron.spec;
    let zone = spec.time_zone.as_deref().unwrap_or("local");
    out.sample((&spec.schedule, &spec.concurrency_policy, zone), 1_u8);
}

fn next_schedule_time(cron: &CronJob, out: &mut Samples<'_, 0>) {
    let (false, Some(last)) = (cron.suspended(), cron.last_schedule()) else { return };
    let due = cron.schedule().and_then(|schedule| schedule.next(last.timestamp()));
    out.maybe((), due.map(jiff::Timestamp::as_second));
}

fn schedule_invalid(cron: &CronJob, out: &mut Samples<'_, 0>) {
    if cron.schedule().is_none() {
        out.sample((), 1_u8);
    }
}

fn last_successful_time(cron: &CronJob, out: &mut Samples<'_, 0>) {
    out.maybe((), cron.status.last_successful_time.map(Time::seconds));
}
