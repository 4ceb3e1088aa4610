//! The collectors behind the HTTP server: one scrape after another, each under its own deadline.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use exporter_toolkit::Exposition;
use exporter_toolkit::name::LabelName;
use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::{Answer, Cell, Landing, Refusal, Scrape, Source};

use crate::scrape::{Scraper, Selection, Standing, State};

/// What is served.
pub struct Agent {
    turn: tokio::sync::Mutex<Turn>,
    telemetry: Telemetry,
    /// Where the metrics are, for the landing page.
    path: String,
    /// The standings and the time of the last scrape, for the landing page, which never waits for a scrape.
    last: Mutex<Last>,
}

/// What a scrape needs alone.
struct Turn {
    scraper: Scraper,
    telemetry: Exposition,
}

#[derive(Default)]
struct Last {
    standings: Vec<Standing>,
    at: Option<Instant>,
    size: usize,
}

impl Agent {
    /// What is told of the agent itself gets `labels`, as what the scraper tells has them.
    pub fn new(
        scraper: Scraper,
        telemetry: Telemetry,
        labels: &[(LabelName, String)],
        path: &str,
    ) -> Self {
        let mut own = Exposition::default();
        own.set_constant_labels(labels);
        let last = Last { standings: scraper.standings().to_vec(), ..Last::default() };
        let turn = Turn { scraper, telemetry: own };
        Self {
            turn: tokio::sync::Mutex::new(turn),
            telemetry,
            path: path.to_owned(),
            last: Mutex::new(last),
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enabled(&self, name: &str) -> bool {
        self.last().standings.iter().any(|standing| standing.name == name)
    }
}

impl Source for Agent {
    async fn scrape(&self, request: Scrape) -> Result<Answer, Refusal> {
        let wanted = Selection::from_query(&request.query, |name| self.enabled(name))
            .map_err(|refused| Refusal::bad_request(refused.to_string()))?;
        let (format, deadline) = (request.format, request.deadline);
        let turn = tokio::time::timeout_at(deadline.into(), self.turn.lock());
        let Ok(mut turn) = turn.await else {
            return Err(Refusal::unavailable("Earlier scrapes took until this one's deadline."));
        };
        let Turn { scraper, telemetry } = &mut *turn;
        telemetry.restart(format);
        self.telemetry.write(telemetry);
        // A little more than the last answer, so that this one seldom grows its memory.
        let size = self.last().size;
        let mut text = Vec::with_capacity(size + size / 16);
        scraper.scrape(&wanted, format, deadline, telemetry, &mut text).await;
        let mut last = self.last();
        last.standings.clone_from_slice(scraper.standings());
        last.at = Some(Instant::now());
        last.size = text.len();
        Ok(Answer::whole(format, text))
    }

    fn landing(&self, page: &mut Landing) {
        page.name("node-exporter-rs")
            .description("Host metrics from /proc and /sys.")
            .version(crate::options::BUILD)
            .link(&self.path, "Metrics", "what Prometheus scrapes")
            .link("/healthz", "Health", "whether the process answers")
            .link("/readyz", "Readiness", "whether the data is complete");
        let last = self.last();
        match last.at {
            None => page.fact("Last scrape", "none yet"),
            Some(at) => page
                .fact("Last scrape", format!("{} s ago", at.elapsed().as_secs()))
                .fact("Last answer", format!("{} bytes", last.size)),
        };
        let table = page.table("Collectors", &["Collector", "State", "Took", "Why"]);
        for standing in &last.standings {
            let (state, why) = describe(&standing.state);
            let took = format!("{:.1} ms", standing.took.as_secs_f64() * 1e3);
            table.row([Cell::plain(standing.name), state, Cell::plain(took), Cell::plain(why)]);
        }
    }
}

fn describe(state: &State) -> (Cell, &str) {
    match state {
        State::NotYetRun => (Cell::faint("not yet run"), ""),
        State::Fine => (Cell::good("ok"), ""),
        State::NoData(why) => (Cell::faint("no data"), why),
        State::Failed(why) => (Cell::bad("failed"), why),
        State::Late => (Cell::bad("late"), "not ended by the scrape's deadline"),
        State::Panicked => (Cell::bad("panicked"), "a programming error: see the log"),
    }
}
