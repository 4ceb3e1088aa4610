//! One scrape: every wanted collector runs into its own buffer under one deadline, and what is there becomes one text.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exporter_toolkit::crew::{Crew, Job};
use exporter_toolkit::name::LabelName;
use exporter_toolkit::{Exposition, Format, Gauge, Merger};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::collector::{BuildError, CollectError, Collector, Setup, Spec};

pub mod selection;

pub use selection::{Refused, Selection};

static DURATION: Gauge<1> = Gauge::new(
    "node_scrape_collector_duration_seconds",
    "How long the collector took, or has been taking so far where it is late.",
    ["collector"],
);
static SUCCESS: Gauge<1> = Gauge::new(
    "node_scrape_collector_success",
    "1 where the collector gave its samples in time, 0 where it failed, had no data or was late.",
    ["collector"],
);
/// Long-lived counts of what went wrong with collectors, for the agent's telemetry.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    late: Family<[(&'static str, &'static str); 1], Counter>,
    panics: Family<[(&'static str, &'static str); 1], Counter>,
    dropped: Counter,
}

impl Counts {
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "node_exporter_collector_late",
            "Scrapes answered without this collector, as it had not ended by their deadline.",
            self.late.clone(),
        );
        registry.register(
            "node_exporter_collector_panics",
            "Times that the collector ended by a programming error; the next scrape tries again.",
            self.panics.clone(),
        );
        registry.register(
            "node_exporter_dropped_samples",
            "Samples left out because another collector gave their series, or their family with another type.",
            self.dropped.clone(),
        );
    }
}

/// The collectors and their buffers.
pub struct Scraper {
    crew: Crew<Task>,
    standings: Vec<Standing>,
    merger: Merger,
    own: Exposition,
    counts: Counts,
    round: u64,
}

/// What the last scrape knows of a collector, whether it is at home or not.
#[derive(Clone, Debug)]
pub struct Standing {
    pub name: &'static str,
    pub state: State,
    pub took: Duration,
    begun: Instant,
}

/// How a collector fared in the last scrape that wanted it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum State {
    #[default]
    NotYetRun,
    Fine,
    NoData(Arc<str>),
    Failed(Arc<str>),
    Late,
    Panicked,
}

/// A collector with its buffer, as it travels to its worker and back.
struct Task {
    name: &'static str,
    /// The scrape that it was last begun for.
    round: u64,
    collector: Box<dyn Collector>,
    out: Exposition,
    begun: Instant,
    took: Duration,
    result: Option<Result<(), CollectError>>,
    panicked: bool,
}

impl Job for Task {
    fn run(&mut self) {
        self.begun = Instant::now();
        self.result = Some(self.collector.collect(&mut self.out));
        self.took = self.begun.elapsed();
    }

    fn panicked(&mut self) {
        self.took = self.begun.elapsed();
        self.panicked = true;
    }
}

impl Scraper {
    /// Builds the collectors of these specs, whose samples all get `labels`. The error is the user's: a flag that one of
    /// them cannot work with.
    pub fn new(
        specs: &[&'static Spec],
        setup: &Setup,
        labels: &[(LabelName, String)],
    ) -> Result<Self, BuildError> {
        let now = Instant::now();
        let labelled = || {
            let mut out = Exposition::default();
            out.set_constant_labels(labels);
            out
        };
        let tasks = specs.iter().map(|spec| {
            Ok(Task {
                name: spec.name,
                round: 0,
                collector: (spec.build)(setup)?,
                out: labelled(),
                begun: now,
                took: Duration::ZERO,
                result: None,
                panicked: false,
            })
        });
        let tasks = tasks.collect::<Result<Vec<_>, BuildError>>()?;
        let standings = specs.iter().map(|spec| Standing::new(spec.name, now)).collect();
        // A thread for each collector at most: each can hang on its own and none can starve the others.
        let crew = Crew::new("collector", tasks, specs.len());
        Ok(Self {
            crew,
            standings,
            merger: Merger::default(),
            own: labelled(),
            counts: Counts::default(),
            round: 0,
        })
    }

    /// The counts, shared: they go on while somebody else reads them.
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// The collectors in the order in which they were given.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// Runs the wanted collectors and appends their families, those of `more` and their own standing to `text`, sorted
    /// by name. Ends when all of them are back, and at the deadline at the latest.
    pub async fn scrape(
        &mut self,
        wanted: &Selection,
        format: Format,
        deadline: Instant,
        more: &Exposition,
        text: &mut Vec<u8>,
    ) {
        self.round += 1;
        let (round, now) = (self.round, Instant::now());
        for (standing, task) in self.standings.iter_mut().zip(self.crew.jobs()) {
            if task.is_some() {
                standing.begun = now;
            }
        }
        let begin = |task: &mut Task| {
            let wanted = wanted.has(task.name);
            if wanted {
                task.prepare(round, format, deadline);
            }
            wanted
        };
        self.crew.round_async(begin, deadline).await;
        for (standing, task) in self.standings.iter_mut().zip(self.crew.jobs()) {
            if wanted.has(standing.name) {
                standing.note(task.filter(|task| task.round == round), &self.counts);
            }
        }
        self.write_own(wanted, format);
        let mut parts = vec![&self.own, more];
        // What an earlier round began and this one only brought home is too old, and maybe of the other format.
        let fresh = self.crew.jobs().flatten().filter(|task| task.round == round);
        parts.extend(fresh.map(|task| &task.out));
        let dropped = self.merger.merge(&parts, format, text);
        self.counts.dropped.inc_by((dropped.families + dropped.samples) as u64);
    }

    fn write_own(&mut self, wanted: &Selection, format: Format) {
        self.own.restart(format);
        let chosen = || self.standings.iter().filter(|standing| wanted.has(standing.name));
        let mut durations = self.own.family(&DURATION);
        for standing in chosen() {
            durations.sample(standing.name, standing.took.as_secs_f64());
        }
        let mut successes = self.own.family(&SUCCESS);
        for standing in chosen() {
            successes.sample(standing.name, standing.state == State::Fine);
        }
    }
}

impl Task {
    /// Makes ready for a scrape.
    fn prepare(&mut self, round: u64, format: Format, deadline: Instant) {
        self.round = round;
        self.out.restart(format);
        self.result = None;
        self.panicked = false;
        self.collector.answer_by(deadline);
    }
}

impl Standing {
    /// For tests: one that has ended so.
    #[cfg(test)]
    pub(crate) fn ended(name: &'static str, state: State, took: Duration) -> Self {
        Self { state, took, ..Self::new(name, Instant::now()) }
    }

    fn new(name: &'static str, begun: Instant) -> Self {
        Self { name, state: State::default(), took: Duration::ZERO, begun }
    }

    /// Takes down what became of the collector; `None` where it is not back.
    fn note(&mut self, task: Option<&Task>, counts: &Counts) {
        let state = match task {
            Some(task) if task.panicked => State::Panicked,
            Some(Task { result: Some(Ok(())), .. }) => State::Fine,
            Some(Task { result: Some(Err(error)), .. }) => self.failure(error),
            Some(Task { result: None, .. }) | None => State::Late,
        };
        self.took = match task {
            Some(task) if state != State::Late => task.took,
            _ => self.begun.elapsed(),
        };
        match state {
            State::Late => _ = counts.late.get_or_create(&[("collector", self.name)]).inc(),
            State::Panicked => _ = counts.panics.get_or_create(&[("collector", self.name)]).inc(),
            _ => {}
        }
        // What happens at every scrape is worth one line; a change of it is worth the next.
        if state != self.state {
            self.log(&state);
            self.state = state;
        }
    }

    /// The error as a state. Its text is made anew only where it changed, as most hosts lack something at every scrape.
    fn failure(&self, error: &CollectError) -> State {
        if let (State::NoData(_), true) = (&self.state, error.is_no_data()) {
            return self.state.clone();
        }
        if error.is_no_data() {
            State::NoData(error.to_string().into())
        } else {
            State::Failed(error.to_string().into())
        }
    }

    fn log(&self, state: &State) {
        let collector = self.name;
        match state {
            State::NotYetRun => {}
            State::Fine => tracing::debug!(collector, "collector succeeded"),
            State::NoData(why) => {
                tracing::debug!(collector, error = &**why, "collector has no data");
            }
            State::Failed(error) => tracing::warn!(collector, error = &**error, "collector failed"),
            State::Late => {
                tracing::warn!(collector, "collector is late: the scrape was answered without it");
            }
            State::Panicked => tracing::error!(collector, "collector panicked: please report this"),
        }
    }
}

#[cfg(test)]
mod tests;
