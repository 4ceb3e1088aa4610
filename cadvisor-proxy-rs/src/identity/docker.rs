//! Identity from docker: a list of its containers, made again whenever an event says that one came or went.
//!
//! Where the address of a pod is not docker's own affair (its network comes from a plugin, so docker runs the sandbox
//! with no network), it is read from the sandbox's process under `--path.procfs`.

mod summary;

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptions, ListContainersOptions};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::netns::{Network, Processes};
use super::pause::Pause;
use super::{ContainerLabels, Facts, PodLabels, Reporter};
use summary::{Inside, Summary};

/// For a list or an inspection; dockerd takes seconds when its disk is busy.
const ANSWER: Duration = Duration::from_secs(20);
/// Events that follow each other closely make one list.
const GATHER: Duration = Duration::from_millis(100);
/// Between two lists.
const PACE: Duration = Duration::from_millis(400);
/// A list without an event, in case one was lost.
const RESYNC: Duration = Duration::from_mins(1);
/// A network plugin gives a sandbox its address some time after its start.
const ADDRESS: Duration = Duration::from_secs(2);
/// A sandbox that has no address after so many looks is looked at with each list only.
const LOOKS: u32 = 30;

/// How docker is reached, and what is wanted of it.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) socket: PathBuf,
    pub(super) procfs: PathBuf,
    /// What pods in the host's network have as address.
    pub(super) host_ip: Option<String>,
    pub(super) node: Option<String>,
    pub(super) labels: PodLabels,
    pub(super) container_labels: ContainerLabels,
    /// A container of docker compose is named by its service.
    pub(super) compose_service: bool,
}

/// What is known of a running sandbox's process.
#[derive(Debug)]
struct Sandbox {
    /// Its process, where `--path.procfs` shows it.
    pid: Option<u32>,
    /// Docker knows its address.
    told: bool,
    network: Option<Network>,
    looks: u32,
}

pub(super) struct Source {
    settings: Settings,
    processes: Processes,
    sandboxes: HashMap<String, Sandbox>,
    reporter: Reporter,
    last: Vec<Summary>,
    /// By sandbox: what its pod's series had while it ran, for those that cAdvisor serves after its end.
    addresses: HashMap<String, String>,
    /// A list came since the last failure.
    listed: bool,
}

impl Source {
    pub(super) fn new(settings: Settings, reporter: Reporter) -> Self {
        let processes = Processes::new(&settings.procfs);
        let addresses = HashMap::new();
        Self {
            settings,
            processes,
            sandboxes: HashMap::new(),
            reporter,
            last: Vec::new(),
            addresses,
            listed: false,
        }
    }

    /// Follows docker for ever, through all its restarts.
    pub(super) async fn run(mut self) {
        let mut pause = Pause::new(Duration::from_millis(200), Duration::from_millis(1500));
        loop {
            let problem = match self.connect().await {
                Ok(docker) => self.follow(&docker).await,
                Err(problem) => problem,
            };
            if std::mem::take(&mut self.listed) {
                pause.reset();
            }
            self.reporter.fails(&problem);
            self.verify();
            sleep(pause.next()).await;
        }
    }

    async fn connect(&self) -> Result<Docker, String> {
        let socket = self.settings.socket.display().to_string();
        let docker = Docker::connect_with_unix(&socket, ANSWER.as_secs(), API_DEFAULT_VERSION);
        let docker = docker.map_err(|error| told(&socket, &error))?;
        let negotiated = timeout(ANSWER, docker.negotiate_version()).await;
        negotiated.map_err(|_| late(&socket))?.map_err(|error| told(&socket, &error))
    }

    /// Lists, and lists again; returns why no more.
    async fn follow(&mut self, docker: &Docker) -> String {
        let mut events = pin!(events(docker));
        loop {
            if let Err(problem) = self.refresh(docker).await {
                return problem;
            }
            let listed = Instant::now();
            let next = if self.is_incomplete() { ADDRESS } else { RESYNC };
            tokio::select! {
                event = events.next() => {
                    if let Some(problem) = self.heed(event) {
                        return problem;
                    }
                    sleep(GATHER).await;
                    // What comes meanwhile stays in the connection's buffer, and that is small.
                    while let Ok(event) = timeout(Duration::ZERO, events.next()).await {
                        if let Some(problem) = self.heed(event) {
                            return problem;
                        }
                    }
                    sleep_until(listed + PACE).await;
                }
                () = self.reporter.asked() => sleep_until(listed + PACE).await,
                () = sleep_until(listed + next) => {}
            }
        }
    }

    /// What has ended is told at once: its address may be another pod's in a moment.
    fn heed(
        &mut self,
        event: Option<Result<EventMessage, bollard::errors::Error>>,
    ) -> Option<String> {
        match event {
            Some(Ok(event)) => {
                let id = event.actor.and_then(|actor| actor.id).unwrap_or_default();
                self.sandboxes.remove(&id);
                if event.action.as_deref() == Some("die") {
                    self.end(|summary| summary.id == id);
                }
                None
            }
            Some(Err(error)) => Some(told("docker's events", &error)),
            None => Some("docker closed the stream of events".to_owned()),
        }
    }

    fn end(&mut self, ended: impl Fn(&Summary) -> bool) {
        let mut changed = false;
        for summary in self.last.iter_mut().filter(|summary| summary.running && ended(summary)) {
            summary.running = false;
            changed = true;
        }
        if changed {
            let facts = self.facts();
            self.reporter.correct(facts);
        }
    }

    async fn refresh(&mut self, docker: &Docker) -> Result<(), String> {
        let options = ListContainersOptions { all: true, ..ListContainersOptions::default() };
        let list = timeout(ANSWER, docker.list_containers(Some(options))).await;
        let list = list.map_err(|_| late("docker"))?;
        let list = list.map_err(|error| told("docker's containers", &error))?;
        self.listed = true;
        self.last = list.into_iter().filter_map(Summary::of).collect();
        self.look_inside(docker).await;
        let facts = self.facts();
        self.remember(&facts);
        self.reporter.tell(facts);
        Ok(())
    }

    /// The processes of sandboxes, and the networks of those whose address docker does not know.
    async fn look_inside(&mut self, docker: &Docker) {
        let wanted = |summary: &&Summary| summary.is_sandbox() && summary.running;
        let told = |summary: &Summary| summary.ip.is_some() || summary.host_network;
        let wanted: Vec<(String, bool)> =
            self.last.iter().filter(wanted).map(|s| (s.id.clone(), told(s))).collect();
        self.sandboxes.retain(|id, _| wanted.iter().any(|(wanted, _)| wanted == id));
        for (id, told) in wanted {
            if !self.sandboxes.contains_key(&id) {
                let pid = self.pid(docker, &id).await;
                self.sandboxes.insert(id.clone(), Sandbox { pid, told, network: None, looks: 0 });
            }
            let Some(sandbox) = self.sandboxes.get_mut(&id) else { continue };
            sandbox.told = told;
            if let (true, Some(pid)) = (sandbox.is_open(), sandbox.pid) {
                sandbox.network = self.processes.network(pid);
                sandbox.looks += 1;
            }
        }
    }

    fn remember(&mut self, facts: &Facts) {
        self.addresses.retain(|id, _| self.last.iter().any(|summary| summary.id == *id));
        for sandbox in self.last.iter().filter(|summary| summary.is_sandbox() && summary.running) {
            let uid = sandbox.pod_uid();
            let pod = facts.pods.iter().find(|pod| Some(&pod.pod.uid) == uid.as_ref());
            if let Some(ip) = pod.and_then(|pod| pod.pod.ip.as_ref()) {
                self.addresses.insert(sandbox.id.clone(), ip.clone());
            }
        }
    }

    async fn pid(&self, docker: &Docker, id: &str) -> Option<u32> {
        let inspected = timeout(ANSWER, docker.inspect_container(id, None)).await.ok()?.ok()?;
        let pid = u32::try_from(inspected.state?.pid?).ok().filter(|pid| *pid > 0)?;
        self.processes.is_of(pid, id).then_some(pid)
    }

    fn is_incomplete(&self) -> bool {
        self.sandboxes.values().any(|sandbox| sandbox.is_open() && sandbox.looks < LOOKS)
    }

    /// While docker is away: a sandbox whose process has ended has lost its address.
    fn verify(&mut self) {
        let sandboxes = std::mem::take(&mut self.sandboxes);
        let processes = self.processes.clone();
        self.end(|summary| {
            let pid = sandboxes.get(&summary.id).and_then(|sandbox| sandbox.pid);
            pid.is_some_and(|pid| !processes.is_of(pid, &summary.id))
        });
        self.sandboxes = sandboxes;
    }

    fn facts(&self) -> Facts {
        let inside = |id: &str| {
            let sandbox = self.sandboxes.get(id)?;
            Some(match sandbox.network.as_ref() {
                Some(Network::Host) => Inside::Host,
                Some(Network::Own(address)) => Inside::Own(address.to_string()),
                // It is found soon, and may differ from what was.
                _ if sandbox.is_open() && sandbox.looks < LOOKS => Inside::Awaited,
                _ => return None,
            })
        };
        summary::facts(&self.last, &self.settings, &inside, &self.addresses)
    }
}

impl Sandbox {
    /// Its address is still looked for.
    fn is_open(&self) -> bool {
        let found = matches!(self.network, Some(Network::Own(_) | Network::Host));
        !found && !self.told && self.pid.is_some()
    }
}

/// Containers that start and end, from now on; docker replays what came since.
fn events(docker: &Docker) -> impl Stream<Item = Result<EventMessage, bollard::errors::Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let kinds = words(&["start", "die", "destroy", "rename"]);
    let filters =
        HashMap::from([("type".to_owned(), words(&["container"])), ("event".to_owned(), kinds)]);
    let since = Some(now.as_secs().to_string());
    docker.events(Some(EventsOptions { since, filters: Some(filters), ..EventsOptions::default() }))
}

fn late(what: &str) -> String {
    format!("{what}: no answer within {} s", ANSWER.as_secs())
}

fn told(what: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    if text.contains("ermission denied") {
        text.push_str("; run as root or as a member of the socket's group");
    }
    text
}
