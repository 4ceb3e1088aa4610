//! `docker`: running containers that carry labels.
//!
//! An event only says that something has changed; what is there is always read as a whole list. So no lost event can
//! leave a container behind, and a list is some milliseconds.

mod container;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::errors::Error;
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use clap::Args;
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Running;
use super::own::AddressOptions;
use crate::target::{Publisher, Subscription, source};
use container::Reader;

/// How long dockerd may take for an answer, in seconds.
const ANSWER: u64 = 30;
/// The whole list is read so often although no event came.
const EVERY: Duration = Duration::from_secs(30);
/// Events that come together are one list.
const GATHER: Duration = Duration::from_millis(50);
/// However many events come, lists are this far apart.
const APART: Duration = Duration::from_millis(250);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// How dockerd is reached, and what its containers' labels are called.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Mode docker")]
pub struct DockerOptions {
    /// Socket of dockerd, as `unix:///PATH`.
    #[arg(long, value_name = "URL", default_value = "unix:///var/run/docker.sock")]
    pub docker: String,
    /// Labels that are meant begin with this and a dot: registrar.port, .service, .path, .scheme, .network, .meta.KEY,
    /// .tags.
    #[arg(long, value_name = "PREFIX", default_value = "registrar")]
    pub label_prefix: String,
    /// Take the address that a container has in its network, also where its port is published on the host.
    #[arg(long)]
    pub container_address: bool,
}

/// Why mode `docker` cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    #[error("--docker '{url}': {problem}")]
    Url { url: String, problem: &'static str },
    #[error("--label-prefix is empty: every container would be meant")]
    Prefix,
}

impl DockerOptions {
    /// Fails where flags are wrong; a dockerd that is away is waited for.
    pub fn start(&self, address: &AddressOptions) -> Result<(Subscription, Running), DockerError> {
        if self.label_prefix.is_empty() {
            return Err(DockerError::Prefix);
        }
        self.check()?;
        let (publisher, subscription) = source(format!("docker {}", self.docker));
        let follower = Follower {
            url: self.docker.clone(),
            prefix: self.label_prefix.clone(),
            container_address: self.container_address,
            address: address.clone(),
            publisher: Arc::new(publisher),
        };
        Ok((subscription, Box::pin(follower.run())))
    }

    /// Checks the URL; whether anybody listens there is seen later.
    fn check(&self) -> Result<(), DockerError> {
        let problem = match self.docker.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => return Ok(()),
            Some(("unix", _)) => "an absolute path is expected behind unix://",
            _ => "unix:///PATH is expected",
        };
        Err(DockerError::Url { url: self.docker.clone(), problem })
    }
}

/// A client that speaks the version of the dockerd that answers.
async fn connect(url: &str) -> Result<Docker, Error> {
    let path = url.strip_prefix("unix://").unwrap_or(url);
    let client = Docker::connect_with_unix(path, ANSWER, API_DEFAULT_VERSION)?;
    client.negotiate_version().await
}

struct Follower {
    url: String,
    prefix: String,
    container_address: bool,
    address: AddressOptions,
    publisher: Arc<Publisher>,
}

impl Follower {
    async fn run(self) {
        let publisher = Arc::clone(&self.publisher);
        tokio::select! {
            () = publisher.closed() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(self) {
        let mut retry = FIRST_RETRY;
        loop {
            let begun = Instant::now();
            let error = self.session().await;
            if begun.elapsed() > LAST_RETRY {
                retry = FIRST_RETRY;
            }
            tracing::warn!(error, retry_in = ?retry, "dockerd is away: containers stay as they were");
            self.publisher.unsynced(error);
            sleep(retry).await;
            retry = (retry * 2).min(LAST_RETRY);
        }
    }

    /// Follows dockerd until something fails; tells what.
    async fn session(&self) -> String {
        let docker = match within(connect(&self.url)).await {
            Ok(docker) => docker,
            Err(error) => return error,
        };
        loop {
            // The events begin before the list, so nothing falls between.
            let since = unix_time();
            if let Err(error) = within(self.list(&docker)).await {
                return error;
            }
            let listed = Instant::now();
            if let Err(error) = wait_for_news(&docker, &since, listed).await {
                return error;
            }
            sleep_until(listed + APART).await;
        }
    }

    async fn list(&self, docker: &Docker) -> Result<(), Error> {
        let options = ListContainersOptionsBuilder::new().build();
        let containers = docker.list_containers(Some(options)).await?;
        let reader = Reader {
            prefix: &self.prefix,
            container_address: self.container_address,
            host: self.address.find().map_err(|error| error.to_string()),
            node: self.address.node(),
        };
        let found = containers.iter().flat_map(|container| reader.targets(container));
        self.publisher.publish_found(found);
        Ok(())
    }
}

/// An answer, or what is wrong, in time.
async fn within<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match timeout(Duration::from_secs(ANSWER), answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("dockerd gave no answer within {ANSWER} s")),
    }
}

/// Returns when something has changed since, or the list is due.
async fn wait_for_news(docker: &Docker, since: &str, listed: Instant) -> Result<(), String> {
    let filters: HashMap<&str, Vec<&str>> = [("type", vec!["container", "network"])].into();
    let options = EventsOptionsBuilder::new().since(since).filters(&filters).build();
    let mut events = pin!(docker.events(Some(options)));
    loop {
        tokio::select! {
            () = sleep_until(listed + EVERY) => return Ok(()),
            event = events.next() => match event {
                None => return Err("the stream of events ended".into()),
                Some(Err(error)) => return Err(error.to_string()),
                Some(Ok(event)) if is_news(event.action.as_deref()) => {
                    sleep(GATHER).await;
                    return Ok(());
                }
                Some(Ok(_)) => {}
            },
        }
    }
}

/// Whether an event changes which containers run, or where.
fn is_news(action: Option<&str>) -> bool {
    const ACTIONS: [&str; 7] =
        ["start", "die", "destroy", "rename", "update", "connect", "disconnect"];
    action.is_some_and(|action| ACTIONS.contains(&action))
}

/// As dockerd takes it: seconds, and nanoseconds behind a dot. Events that a jump of the clock hides are made good by the next
/// list.
#[expect(clippy::disallowed_methods, reason = "events are asked for by dockerd's own clock")]
fn unix_time() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}
