//! What an agent tells about itself: what it was built from, the process, its HTTP server, and its own counters.

mod build;
mod registry;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::registry::Registry;

pub use build::Build;

use crate::name::{LabelName, MetricName};
use crate::process::Process;
use crate::web::Stats;
use crate::{Counter, Exposition, Gauge, Kind, log};

static REQUESTS: Counter<1> = Counter::new(
    "promhttp_metric_handler_requests_total",
    "Scrapes that were answered, by the status code of the answer.",
    ["code"],
);
static IN_FLIGHT: Gauge<0> = Gauge::new(
    "promhttp_metric_handler_requests_in_flight",
    "Scrapes that are being answered, this one included.",
    [],
);
static ERRORS: Counter<1> = Counter::new(
    "promhttp_metric_handler_errors_total",
    "Errors while an answer to a scrape was gathered or written.",
    ["cause"],
);

/// Writes the agent's own families.
pub struct Telemetry {
    build: Build,
    registry: Registry,
    http: Option<Arc<Stats>>,
    exporter_metrics: bool,
    scratch: Mutex<Scratch>,
}

/// What is reused from scrape to scrape.
#[derive(Default)]
struct Scratch {
    process: Process,
    text: String,
}

impl Telemetry {
    pub fn new(build: Build) -> Self {
        Self {
            build,
            registry: Registry::default(),
            http: None,
            exporter_metrics: true,
            scratch: Mutex::default(),
        }
    }

    /// Where the agent registers its long-lived counters and histograms.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    #[must_use]
    pub fn with_http(mut self, stats: Arc<Stats>) -> Self {
        self.http = Some(stats);
        self
    }

    /// Leaves out, where `false`, what is about the exporter and not about its subject: `process_*`, `promhttp_*` and
    /// the log, as `--web.disable-exporter-metrics` of the peers does. The build information stays.
    #[must_use]
    pub fn with_exporter_metrics(mut self, wanted: bool) -> Self {
        self.exporter_metrics = wanted;
        self
    }

    /// Writes all families of the agent about itself.
    pub fn write(&self, out: &mut Exposition) {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        self.build.write(out);
        registry::write(&self.registry, &mut scratch.text, out);
        if self.exporter_metrics {
            self.write_lost_lines(out);
            scratch.process.write(out);
            if let Some(http) = &self.http {
                write_http(http, out);
            }
        }
    }

    fn write_lost_lines(&self, out: &mut Exposition) {
        let name = MetricName::sanitize(&[self.build.agent(), "_log_lost_lines_total"]);
        let help = "Lines of the log that could not be written.";
        out.dynamic(&name, Kind::Counter, help).plain(log::lost_lines());
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("build", &self.build).finish_non_exhaustive()
    }
}

fn write_http(http: &Stats, out: &mut Exposition) {
    let mut requests = out.family(&REQUESTS);
    for (code, count) in http.scrapes() {
        requests.sample(code, count);
    }
    out.family(&IN_FLIGHT).sample((), http.in_flight.get());
    let mut errors = out.family(&ERRORS);
    errors.sample("encoding", http.encoding_errors.get());
    errors.sample("gathering", http.gathering_errors.get());
}

impl Build {
    fn write(&self, out: &mut Exposition) {
        let name = MetricName::sanitize(&[self.agent(), "_build_info"]);
        let labels = self.labels().map(|(name, value)| (LabelName::fixed(name), value));
        out.dynamic(&name, Kind::Gauge, "Always 1: the labels say what the agent was built from.")
            .sample(labels.iter().map(|(name, value)| (name, value)), 1_u8);
    }
}

#[cfg(test)]
mod tests;
