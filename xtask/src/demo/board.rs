//! What is known of the targets: the registrar's list, and for each target a thread of its own that scrapes it, so that one
//! that hangs delays no other.

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use e2e::Scrape;
use e2e::http::Request;
use serde_json::Value;

use super::parts::Parts;
use super::says;

/// Between two scrapes of a target, and two looks at a list.
const EVERY: Duration = Duration::from_secs(2);
/// A target that has not answered by then is down.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many targets are scraped; the page says how many are not.
const MOST: usize = 100;
/// Scrapes that a target's picture shows.
const HISTORY: usize = 30;

/// A place in the registrar's list.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Key {
    pub(crate) service: String,
    pub(crate) host_port: String,
    scheme: String,
    path: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As Prometheus would put them on each series.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) origin: String,
    pub(crate) last: Option<Last>,
    /// The last scrapes' durations in seconds; `None` for one that failed.
    pub(crate) history: VecDeque<Option<f64>>,
    /// What Prometheus says of it, where there is one.
    pub(crate) prometheus: Option<String>,
}

/// The last scrape.
#[derive(Clone, Debug)]
pub(crate) struct Last {
    pub(crate) at: Instant,
    pub(crate) took: Duration,
    pub(crate) outcome: Result<Answer, String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) series: usize,
    pub(crate) bytes: usize,
    /// What a person may want to know of it.
    pub(crate) says: String,
    /// The scrape itself where the report needs it.
    pub(crate) scrape: Arc<Scrape>,
}

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) targets: BTreeMap<Key, Target>,
    /// Targets beyond the limit.
    pub(crate) left_out: usize,
    /// Why the list is an old one.
    pub(crate) problem: Option<String>,
    pub(crate) with_prometheus: bool,
    /// The registrar has answered once.
    pub(crate) listed: bool,
}

pub(crate) struct Board {
    shared: Arc<Shared>,
}

struct Shared {
    registrar: SocketAddr,
    prometheus: Option<SocketAddr>,
    origins: BTreeMap<String, String>,
    view: Mutex<View>,
    open: AtomicBool,
}

impl Key {
    pub(crate) fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.host_port, self.path)
    }
}

impl Target {
    fn new(origin: String, labels: BTreeMap<String, String>) -> Self {
        Self { labels, origin, last: None, history: VecDeque::new(), prometheus: None }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.outcome.is_ok())
    }

    pub(crate) fn is_down(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.outcome.is_err())
    }
}

impl Board {
    pub(crate) fn start(parts: &Parts) -> Result<Self> {
        let shared = Arc::new(Shared {
            registrar: parts.registrar_address().context("there is no registrar")?,
            prometheus: parts.prometheus_address(),
            origins: parts.origins(),
            view: Mutex::new(View {
                with_prometheus: parts.prometheus_address().is_some(),
                ..View::default()
            }),
            open: AtomicBool::new(true),
        });
        let follower = Arc::clone(&shared);
        std::thread::Builder::new().name("list".to_owned()).spawn(move || follower.follow())?;
        Ok(Self { shared })
    }

    pub(crate) fn view(&self) -> View {
        self.shared.view().clone()
    }

    /// Whether all that is to be had has been asked, and Prometheus too.
    pub(crate) fn is_settled(&self) -> bool {
        let view = self.shared.view();
        let asked = |target: &Target| {
            let by_prometheus = target.prometheus.as_deref().is_some_and(|says| says == "up");
            target.is_down() || (target.is_up() && (by_prometheus || !view.with_prometheus))
        };
        let own = self.shared.origins.keys();
        let mut known = own.map(|own| view.targets.keys().any(|key| key.host_port == *own));
        view.listed && known.all(|known| known) && view.targets.values().all(asked)
    }

    /// What should be up and is not.
    pub(crate) fn wrong(&self, expected: impl Iterator<Item = String>) -> Vec<String> {
        let view = self.shared.view();
        let problem = |host_port: String| {
            let Some((key, target)) =
                view.targets.iter().find(|(key, _)| key.host_port == host_port)
            else {
                return Some(format!("{host_port} is not in the registrar's list"));
            };
            let name = &key.service;
            match (&target.last, &target.prometheus) {
                (Some(Last { outcome: Err(error), .. }), _) => Some(format!("{name}: {error}")),
                (None, _) => Some(format!("{name} has not been asked")),
                (Some(_), Some(says)) if says != "up" => {
                    Some(format!("{name}: Prometheus says: {says}"))
                }
                (Some(_), None) if view.with_prometheus => {
                    Some(format!("{name}: Prometheus does not know it"))
                }
                _ => None,
            }
        };
        expected.filter_map(problem).collect()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.shared.open.store(false, Ordering::Relaxed);
    }
}

impl Shared {
    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the list, and starts a thread for each new target.
    fn follow(self: &Arc<Self>) {
        while self.open.load(Ordering::Relaxed) {
            match self.listed() {
                Ok(mut listed) => {
                    let left_out = listed.split_off(listed.len().min(MOST)).len();
                    self.take(listed, left_out);
                }
                // The old list stays: a registrar that is away takes no target along.
                Err(error) => self.view().problem = Some(format!("{error:#}")),
            }
            if let Some(prometheus) = self.prometheus {
                let said = said(prometheus);
                for (key, target) in &mut self.view().targets {
                    let url = key.url();
                    target.prometheus = match &said {
                        Ok(said) => said.get(&url).cloned(),
                        Err(_) => Some("Prometheus does not answer".to_owned()),
                    };
                }
            }
            std::thread::sleep(EVERY / 2);
        }
    }

    fn listed(&self) -> Result<Vec<(Key, BTreeMap<String, String>)>> {
        let answer = json(self.registrar, "/targets")?;
        let groups = answer.as_array().context("no list")?;
        groups.iter().map(entry).collect()
    }

    fn take(self: &Arc<Self>, listed: Vec<(Key, BTreeMap<String, String>)>, left_out: usize) {
        let mut view = self.view();
        let mut before = std::mem::take(&mut view.targets);
        for (key, labels) in listed {
            let target = before.remove(&key).map(|old| Target { labels: labels.clone(), ..old });
            let target = target.unwrap_or_else(|| {
                let (shared, of) = (Arc::clone(self), key.clone());
                // A machine without threads shows the target as never asked.
                _ = std::thread::Builder::new()
                    .name("target".to_owned())
                    .spawn(move || shared.watch(&of));
                Target::new(self.origin(&key), labels)
            });
            view.targets.insert(key, target);
        }
        (view.left_out, view.problem, view.listed) = (left_out, None, true);
    }

    fn origin(&self, key: &Key) -> String {
        let own = self.origins.get(&key.host_port).cloned();
        own.unwrap_or_else(|| "a container's labels".to_owned())
    }

    /// Scrapes a target for as long as it is listed.
    fn watch(&self, key: &Key) {
        while self.open.load(Ordering::Relaxed) {
            let start = Instant::now();
            // The errors of our own client name their cause themselves.
            let outcome = ask(key).map_err(|error| error.to_string());
            let took = start.elapsed();
            {
                let mut view = self.view();
                let Some(target) = view.targets.get_mut(key) else { return };
                if target.history.len() == HISTORY {
                    target.history.pop_front();
                }
                target.history.push_back(outcome.as_ref().ok().map(|_| took.as_secs_f64()));
                target.last = Some(Last { at: Instant::now(), took, outcome });
            }
            std::thread::sleep(EVERY);
        }
    }
}

/// An entry of `http_sd`: where to scrape, and the labels that stay on the series.
fn entry(group: &Value) -> Result<(Key, BTreeMap<String, String>)> {
    let mut labels: BTreeMap<String, String> = serde_json::from_value(group["labels"].clone())?;
    let host_port = group["targets"][0].as_str().context("a group without a target")?.to_owned();
    let mut taken = |name: &str, default: &str| {
        labels.remove(name).filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
    };
    let key = Key {
        service: taken("job", "?"),
        host_port,
        scheme: taken("__scheme__", "http"),
        path: taken("__metrics_path__", "/metrics"),
    };
    labels.retain(|name, _| !name.starts_with("__"));
    Ok((key, labels))
}

fn ask(key: &Key) -> Result<Answer> {
    ensure!(key.scheme == "http", "this page scrapes http alone");
    let address =
        key.host_port.to_socket_addrs().context("no such name")?.next().context("no address")?;
    let response = Request::new(address, &key.path)
        .timeout(PATIENCE)
        .header("X-Prometheus-Scrape-Timeout-Seconds", &PATIENCE.as_secs().to_string())
        .send()?;
    let text = response.text()?;
    if response.status != 200 {
        bail!("{} {}", response.status, text.lines().next().unwrap_or_default());
    }
    let scrape = Scrape::parse(&text)?;
    let says = says::of(&key.service, &scrape);
    Ok(Answer { series: scrape.series.len(), bytes: text.len(), says, scrape: Arc::new(scrape) })
}

/// What Prometheus says of each target, by its URL.
fn said(prometheus: SocketAddr) -> Result<BTreeMap<String, String>> {
    let answer = json(prometheus, "/api/v1/targets?state=active")?;
    let targets = answer["data"]["activeTargets"].as_array().context("no targets")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(targets.iter().map(|one| (text(&one["scrapeUrl"]), text(&one["health"]))).collect())
}

fn json(address: SocketAddr, path: &str) -> Result<Value> {
    let response = Request::new(address, path).timeout(PATIENCE).send()?;
    let text = response.text()?;
    ensure!(response.status == 200, "{path}: {} {}", response.status, text.trim());
    serde_json::from_str(&text).with_context(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_http_sd_is_a_place_and_the_labels_that_stay() {
        let group = serde_json::json!({
            "targets": ["127.0.0.1:9100"],
            "labels": {"job": "node", "ip": "127.0.0.1", "__metrics_path__": "/m", "__scheme__": "http", "__meta_x": "y"},
        });
        let (key, labels) = entry(&group).unwrap();
        assert_eq!((key.service.as_str(), key.url().as_str()), ("node", "http://127.0.0.1:9100/m"));
        assert_eq!(labels.into_iter().collect::<Vec<_>>(), [("ip".into(), "127.0.0.1".into())]);
        assert!(entry(&serde_json::json!({"targets": [], "labels": {}})).is_err());
    }
}
