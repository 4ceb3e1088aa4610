//! The telemetry port: what the agent says about itself.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::{Answer, Landing, Refusal, Scrape, Source};
use exporter_toolkit::{Counter, Exposition, Gauge};

use crate::cgroup;
use crate::identity::Shared;
use crate::options::BUILD;
use crate::proxy::Totals;

static UPSTREAM: Counter<1> = Counter::new(
    "cadvisor_proxy_upstream_requests_total",
    "Requests to upstream, by what came: metrics, another status, nothing, or nothing in time.",
    ["result"],
);
static BODIES: Counter<1> = Counter::new(
    "cadvisor_proxy_bodies_total",
    "Bodies that were passed on to their end, and that broke off.",
    ["result"],
);
static CONFLICTS: Counter<0> = Counter::new(
    "cadvisor_proxy_merge_type_conflicts_total",
    "Families that merged targets gave different types, and which therefore had none.",
    [],
);
static UP: Gauge<0> = Gauge::new(
    "cadvisor_proxy_upstream_up",
    "Whether upstream's last answer was whole, of each target where several are merged.",
    [],
);
static BYTES: Counter<1> = Counter::new(
    "cadvisor_proxy_bytes_total",
    "Bytes of metrics, unpacked, that came from upstream and that were made of them.",
    ["direction"],
);
static SERIES: Counter<0> =
    Counter::new("cadvisor_proxy_series_total", "Series that came from upstream.", []);
static DROPPED: Counter<1> = Counter::new(
    "cadvisor_proxy_series_dropped_total",
    "Series that were left out, by why.",
    ["reason"],
);
static LABELLED: Counter<0> = Counter::new(
    "cadvisor_proxy_series_labelled_total",
    "Series that were passed on with an identity.",
    [],
);
static REPAIRED: Counter<0> = Counter::new(
    "cadvisor_proxy_series_repaired_total",
    "Series whose lost labels were filled in.",
    [],
);
static UNKNOWN: Counter<0> = Counter::new(
    "cadvisor_proxy_series_unknown_total",
    "Series of a container or pod that no source of identity knows.",
    [],
);
static CGROUPS: Gauge<0> =
    Gauge::new("cadvisor_proxy_cgroups", "Cgroups that the last scrape told of.", []);
static CGROUPS_LEFT_OUT: Gauge<0> = Gauge::new(
    "cadvisor_proxy_cgroups_left_out",
    "1 where there are more cgroups than --cgroup.limit.",
    [],
);
static CGROUPS_GONE: Counter<0> = Counter::new(
    "cadvisor_proxy_cgroups_gone_total",
    "Cgroups that went while they were read, of which that scrape told nothing.",
    [],
);
static CGROUP_READS_REFUSED: Counter<0> = Counter::new(
    "cadvisor_proxy_cgroup_reads_refused_total",
    "Files of cgroups that are there and could not be read.",
    [],
);
static CGROUP_WALKS: Counter<0> = Counter::new(
    "cadvisor_proxy_cgroup_walks_total",
    "Walks of the whole tree: at the start, at intervals, and where events were lost.",
    [],
);
static CGROUP_FILES: Gauge<0> = Gauge::new(
    "cadvisor_proxy_cgroup_kept_files",
    "Files of cgroups that stay open between scrapes.",
    [],
);
static SOURCE_UP: Gauge<1> = Gauge::new(
    "cadvisor_proxy_identity_source_up",
    "Whether a source of identity works and has told all it knows.",
    ["source"],
);
static SOURCE_PODS: Gauge<1> =
    Gauge::new("cadvisor_proxy_identity_pods", "Pods that a source of identity knows.", ["source"]);
static SOURCE_CONTAINERS: Gauge<1> = Gauge::new(
    "cadvisor_proxy_identity_containers",
    "Containers that a source of identity knows.",
    ["source"],
);
static SOURCE_FAILURES: Counter<1> = Counter::new(
    "cadvisor_proxy_identity_failures_total",
    "Failures of a source of identity.",
    ["source"],
);

/// What is served on the telemetry port.
pub struct Own {
    pub totals: Arc<Totals>,
    pub shared: Arc<Shared>,
    pub telemetry: Telemetry,
    /// Several targets are merged.
    pub merges: bool,
    /// Where cgroups are read by ourselves.
    pub cgroups: Option<Arc<cgroup::Totals>>,
}

impl Own {
    fn write(&self, out: &mut Exposition) {
        let totals = &self.totals;
        let mut upstream = out.family(&UPSTREAM);
        upstream.sample("metrics", totals.answered.load(Relaxed));
        upstream.sample("status", totals.refused.load(Relaxed));
        upstream.sample("failed", totals.failed.load(Relaxed));
        upstream.sample("late", totals.late.load(Relaxed));
        let (completed, aborted) = (totals.completed.load(Relaxed), totals.aborted.load(Relaxed));
        let mut bodies = out.family(&BODIES);
        bodies.sample("complete", completed);
        bodies.sample("aborted", aborted);
        if self.merges {
            out.family(&CONFLICTS).sample((), totals.conflicts.load(Relaxed));
        }
        // Before the first scrape nobody knows.
        let problem = totals.problem();
        let asked = completed > 0 || problem.is_some();
        out.family(&UP).maybe((), asked.then_some(u8::from(problem.is_none())));
        self.write_series(out);
        self.write_sources(out);
        if let Some(cgroups) = &self.cgroups {
            out.family(&CGROUPS).sample((), cgroups.cgroups.load(Relaxed));
            out.family(&CGROUPS_LEFT_OUT).sample((), cgroups.full.load(Relaxed));
            out.family(&CGROUPS_GONE).sample((), cgroups.gone.load(Relaxed));
            out.family(&CGROUP_READS_REFUSED).sample((), cgroups.refused.load(Relaxed));
            out.family(&CGROUP_WALKS).sample((), cgroups.walks.load(Relaxed));
            out.family(&CGROUP_FILES).sample((), cgroups.kept.load(Relaxed));
        }
    }

    fn write_series(&self, out: &mut Exposition) {
        let counts = self.totals.counts();
        let mut bytes = out.family(&BYTES);
        bytes.sample("in", counts.bytes_in);
        bytes.sample("out", counts.bytes_out);
        out.family(&SERIES).sample((), counts.series);
        let mut dropped = out.family(&DROPPED);
        for (reason, count) in [
            ("profile", counts.dropped_profile),
            ("rules", counts.dropped_rules),
            ("noise", counts.dropped_noise),
            ("malformed", counts.malformed),
            ("too_long", counts.too_long),
        ] {
            dropped.sample(reason, count);
        }
        out.family(&LABELLED).sample((), counts.labelled);
        out.family(&REPAIRED).sample((), counts.repaired);
        out.family(&UNKNOWN).sample((), counts.unknown);
    }

    fn write_sources(&self, out: &mut Exposition) {
        let sources = self.shared.sources();
        let mut up = out.family(&SOURCE_UP);
        for source in &sources {
            up.sample(source.name, u8::from(source.complete && source.problem.is_none()));
        }
        let mut pods = out.family(&SOURCE_PODS);
        for source in &sources {
            pods.sample(source.name, source.pods as u64);
        }
        let mut containers = out.family(&SOURCE_CONTAINERS);
        for source in &sources {
            containers.sample(source.name, source.containers as u64);
        }
        let mut failures = out.family(&SOURCE_FAILURES);
        for source in &sources {
            failures.sample(source.name, source.failures);
        }
    }
}

impl Source for Own {
    async fn scrape(&self, request: Scrape) -> Result<Answer, Refusal> {
        let mut out = Exposition::new(request.format);
        self.telemetry.write(&mut out);
        self.write(&mut out);
        Ok(Answer::of(&out, request.format))
    }

    /// While a source of identity has not told all it knows, series would go without labels that they get later.
    fn ready(&self) -> Result<(), String> {
        self.shared.ready()
    }

    fn landing(&self, page: &mut Landing) {
        page.name("cadvisor-proxy-rs")
            .description("What the agent says about itself.")
            .version(BUILD)
            .link("/metrics", "Metrics", "about the agent")
            .link("/readyz", "Readiness", "whether all sources of identity have answered");
    }
}
