//! The telemetry port: what the agent says about itself.

use std::sync::Arc;

use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::{Answer, Landing, Refusal, Scrape, Source};
use exporter_toolkit::{Counter, Exposition, Gauge};
use kube_informer::{Counts, Outcomes, Status};

use crate::agent::{Shown, describe};
use crate::configured::Configured;
use crate::group::{Group, Part};

static LISTS: Counter<2> = Counter::new(
    "kube_state_metrics_list_total",
    "Lists of a resource, by how they ended.",
    ["resource", "result"],
);
static WATCHES: Counter<2> = Counter::new(
    "kube_state_metrics_watch_total",
    "Watches of a resource, by how they started or ended.",
    ["resource", "result"],
);
static LIST_OBJECTS: Gauge<1> = Gauge::new(
    "kube_state_metrics_list_objects",
    "Objects in the last complete list.",
    ["resource"],
);
static LIST_LIMIT: Gauge<0> = Gauge::new(
    "kube_state_metrics_list_objects_limit",
    "Objects that are taken of a resource at most (--object-limit).",
    [],
);
static SHARD: Gauge<1> = Gauge::new(
    "kube_state_metrics_shard_ordinal",
    "Number of this shard, counted from 0.",
    ["shard_ordinal"],
);
static SHARDS: Gauge<0> =
    Gauge::new("kube_state_metrics_total_shards", "How many shards there are.", []);
static OBJECTS: Gauge<1> =
    Gauge::new("kube_state_metrics_objects", "Objects whose metrics are held.", ["resource"]);
static BYTES: Gauge<1> = Gauge::new(
    "kube_state_metrics_store_bytes",
    "Size of the metrics that are held, compressed.",
    ["resource"],
);
static SYNCED: Gauge<1> = Gauge::new(
    "kube_state_metrics_resource_synced",
    "Whether a list of the resource has been complete.",
    ["resource"],
);
static AVAILABLE: Gauge<2> = Gauge::new(
    "kube_state_metrics_resource_available",
    "1 while the resource is followed; 0 with the reason why not: not_served, forbidden, failing.",
    ["resource", "reason"],
);
static LAST_LIST: Gauge<1> = Gauge::new(
    "kube_state_metrics_last_list_timestamp_seconds",
    "When a list was last complete, in seconds since 1970.",
    ["resource"],
);
static LAST_EVENT: Gauge<1> = Gauge::new(
    "kube_state_metrics_last_event_timestamp_seconds",
    "When the watch last said anything, bookmarks included, in seconds since 1970.",
    ["resource"],
);
static EVENTS: Counter<1> = Counter::new(
    "kube_state_metrics_watch_events_total",
    "Changes of objects that watches told.",
    ["resource"],
);
static BROKEN: Counter<1> = Counter::new(
    "kube_state_metrics_broken_objects_total",
    "Objects that could not be read and were left out.",
    ["resource"],
);
static RELISTS: Counter<1> = Counter::new(
    "kube_state_metrics_relists_total",
    "Lists made again because the API server no longer knew where the watch stood.",
    ["resource"],
);
static SILENT: Counter<1> = Counter::new(
    "kube_state_metrics_silent_watches_total",
    "Watches that were replaced because nothing came any more, not even bookmarks.",
    ["resource"],
);

/// What is served on the telemetry port.
pub struct Own {
    shown: Arc<Shown>,
    configured: Arc<Configured>,
    telemetry: Telemetry,
}

impl Own {
    pub fn new(shown: Arc<Shown>, configured: Arc<Configured>, telemetry: Telemetry) -> Self {
        Self { shown, configured, telemetry }
    }
}

impl Source for Own {
    async fn scrape(&self, request: Scrape) -> Result<Answer, Refusal> {
        let mut out = Exposition::new(request.format);
        self.telemetry.write(&mut out);
        self.configured.write(&mut out);
        write_shards(&self.configured, &mut out);
        write_groups(&self.shown.get(), &mut out);
        Ok(Answer::of(&out, request.format))
    }

    fn ready(&self) -> Result<(), String> {
        self.shown.ready()
    }

    fn landing(&self, page: &mut Landing) {
        page.name("kube-state-rs")
            .description("What the agent says about itself.")
            .version(crate::options::BUILD)
            .link("/metrics", "Metrics", "about the agent")
            .link("/readyz", "Readiness", "whether all that is served has been listed");
        describe(&self.shown.get(), page);
    }
}

fn write_shards(configured: &Configured, out: &mut Exposition) {
    let shard = configured.shard();
    out.family(&SHARD).sample(shard.number(), shard.number());
    out.family(&SHARDS).sample((), shard.total());
    out.family(&LIST_LIMIT).maybe((), configured.object_limit());
}

fn write_groups(groups: &[Arc<Group>], out: &mut Exposition) {
    write_outcomes(out.family(&LISTS), groups, |counts| &counts.lists);
    write_outcomes(out.family(&WATCHES), groups, |counts| &counts.watches);
    let mut listed = out.family(&LIST_OBJECTS);
    for group in groups {
        listed.sample(kind(group), sum(group, |part| part.counts.objects.get()));
    }
    for (family, value) in GAUGES {
        let mut family = out.family(family);
        for group in groups {
            family.maybe(&group.resource, value(group));
        }
    }
    for (family, value) in COUNTERS {
        let mut family = out.family(family);
        for group in groups {
            family.sample(&group.resource, sum(group, |part| value(&part.counts)));
        }
    }
    let mut available = out.family(&AVAILABLE);
    for group in groups {
        let (reason, followed) = availability(group);
        available.sample((&group.resource, reason), followed);
    }
}

type OfGroup = fn(&Group) -> Option<f64>;
type OfCounts = fn(&Counts) -> u64;

/// What each group has a value for.
static GAUGES: &[(&Gauge<1>, OfGroup)] = &[
    (&OBJECTS, |group| Some(sum(group, |part| part.store.size().objects as u64) as f64)),
    (&BYTES, |group| Some(sum(group, |part| part.store.size().bytes as u64) as f64)),
    (&SYNCED, |group| {
        Some(f64::from(u8::from(group.parts.iter().all(|part| part.store.size().synced))))
    }),
    // Of several namespaces the one that is longest ago counts.
    (&LAST_LIST, |group| earliest(group, |part| part.counts.last_list.get())),
    (&LAST_EVENT, |group| earliest(group, |part| part.counts.last_event.get())),
];

static COUNTERS: &[(&Counter<1>, OfCounts)] = &[
    (&EVENTS, |counts| counts.events.get()),
    (&BROKEN, |counts| counts.broken.get()),
    (&RELISTS, |counts| counts.relists.get()),
    (&SILENT, |counts| counts.silent.get()),
];

fn write_outcomes(
    mut family: exporter_toolkit::exposition::Samples<'_, 2>,
    groups: &[Arc<Group>],
    outcomes: fn(&Counts) -> &Outcomes,
) {
    for group in groups {
        let kind = kind(group);
        let success = sum(group, |part| outcomes(&part.counts).success.get());
        let error = sum(group, |part| outcomes(&part.counts).error.get());
        family.sample((&kind, "success"), success);
        family.sample((&kind, "error"), error);
    }
}

/// The resource as the peer names it in its counters: by the type of its client library, such as `*v1.Pod`.
fn kind(group: &Group) -> String {
    let served = group.parts.iter().find_map(|part| part.served());
    served.map_or_else(
        || group.resource.clone(),
        |served| format!("*{}.{}", served.gvr.version, served.kind),
    )
}

fn sum(group: &Group, of: impl Fn(&Part) -> u64) -> u64 {
    group.parts.iter().map(|part| of(part)).sum()
}

fn earliest(group: &Group, of: impl Fn(&Part) -> Option<std::time::Duration>) -> Option<f64> {
    let moments = group.parts.iter().filter_map(|part| of(part));
    moments.min().map(|moment| moment.as_secs_f64())
}

/// The reason that stands for the whole group, and whether all of it is followed.
fn availability(group: &Group) -> (&'static str, bool) {
    let reason = |status: Option<Status>| match status {
        None | Some(Status::Following) => None,
        Some(Status::NotServed { .. }) => Some("not_served"),
        Some(Status::Forbidden { .. }) => Some("forbidden"),
        Some(Status::Failing { .. }) => Some("failing"),
    };
    let reasons = group.parts.iter().find_map(|part| reason(part.status()));
    (reasons.unwrap_or_default(), reasons.is_none())
}
