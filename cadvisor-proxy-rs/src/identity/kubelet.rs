//! Identity from the kubelet's `/pods`: asked when something is unknown, and now and then.

mod options;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use exporter_toolkit::client::{Client, Target};
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::pause::Pause;
use super::podlist::{self, ApiPod, Defaults};
use super::{Facts, PodFacts, Reporter};

pub use options::KubeletOptions;

/// The kubelet answers from memory.
const ANSWER: Duration = Duration::from_secs(10);
/// 250 pods are some 3 MB.
const LIMIT: usize = 32 << 20;
/// Of what the kubelet says to a refusal.
const SHOWN: usize = 300;
/// Without a question.
const RESYNC: Duration = Duration::from_mins(1);
/// A kubelet that has just started knows its static pods before the API server has told it the others: what is missing
/// for so long is gone.
const DOUBT: Duration = Duration::from_secs(10);

/// A kubelet and the path of its pods, `/pods` or that of the API server's node proxy.
#[derive(Clone, Debug)]
pub struct Kubelet {
    pub(super) client: Client,
    pub(super) path: String,
}

impl Kubelet {
    /// The kubelet that a client asks, by the address up to its paths.
    pub fn of(client: Client) -> Self {
        let path = format!("{}/pods", client.target().path().trim_end_matches('/'));
        Self { client, path }
    }
}

/// The token of the pod's own account, where there is one and it would go to one who proves who they are.
pub fn pod_token(target: &Target) -> Option<PathBuf> {
    let file = Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token");
    (!target.is_plain() && file.exists()).then(|| file.to_owned())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodList {
    items: Option<Vec<ApiPod>>,
}

pub(super) struct Source {
    kubelet: Kubelet,
    headers: HeaderMap,
    defaults: Defaults,
    reporter: Reporter,
    known: Facts,
    /// Pods that the last list missed, by uid, and since when.
    missed: HashMap<String, Instant>,
}

impl Source {
    pub(super) fn new(
        kubelet: Kubelet,
        user_agent: &str,
        defaults: Defaults,
        reporter: Reporter,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Ok(agent) = HeaderValue::from_str(user_agent) {
            headers.insert(USER_AGENT, agent);
        }
        let (known, missed) = (Facts::default(), HashMap::new());
        Self { kubelet, headers, defaults, reporter, known, missed }
    }

    /// Asks for ever, through all restarts of the kubelet.
    pub(super) async fn run(mut self) {
        let mut pause = Pause::new(Duration::from_millis(500), Duration::from_secs(4));
        loop {
            match self.ask().await {
                Ok(pods) => {
                    pause.reset();
                    self.tell(pods);
                    let next = if self.missed.is_empty() { RESYNC } else { DOUBT };
                    tokio::select! {
                        () = self.reporter.asked() => {}
                        () = sleep(next) => {}
                    }
                }
                Err(problem) => {
                    self.reporter.fails(&problem);
                    sleep(pause.next()).await;
                }
            }
        }
    }

    async fn ask(&self) -> Result<PodList, String> {
        let Kubelet { client, path } = &self.kubelet;
        let deadline = Instant::now() + ANSWER;
        let answer = client.get(path, self.headers.clone(), deadline).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.into_body().collect(LIMIT).await.map_err(|error| error.to_string())?;
        if status != StatusCode::OK {
            return Err(refused(&client.target().to_string(), path, status, &body));
        }
        serde_json::from_slice(&body)
            .map_err(|error| format!("{}{path}: no list of pods: {error}", client.target()))
    }

    fn tell(&mut self, pods: PodList) {
        let mut facts = podlist::facts(pods.items.unwrap_or_default(), &self.defaults);
        self.keep_missed(&mut facts, Instant::now());
        self.known = facts.clone();
        self.reporter.tell(facts);
        exporter_toolkit::memory::trim();
    }

    /// Adds to a list what was known before and is missing for a short while only.
    fn keep_missed(&mut self, facts: &mut Facts, now: Instant) {
        let has = |facts: &Facts, uid: &str| facts.pods.iter().any(|pod| pod.pod.uid == uid);
        self.missed.retain(|uid, _| !has(facts, uid));
        let mut kept: Vec<PodFacts> = Vec::new();
        for pod in self.known.pods.iter().filter(|pod| !has(facts, &pod.pod.uid)) {
            let since = *self.missed.entry(pod.pod.uid.clone()).or_insert(now);
            if now.duration_since(since) < DOUBT {
                kept.push(pod.clone());
            } else {
                self.missed.remove(&pod.pod.uid);
            }
        }
        let of_kept =
            |uid: &Option<String>| kept.iter().any(|pod| Some(&pod.pod.uid) == uid.as_ref());
        let containers = self.known.containers.iter().filter(|container| of_kept(&container.pod));
        facts.containers.extend(containers.cloned());
        facts.pods.extend(kept);
    }
}

/// A refusal in the kubelet's own words, and what would help.
fn refused(address: &str, path: &str, status: StatusCode, body: &[u8]) -> String {
    let said = String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(body));
    let help = match status {
        StatusCode::UNAUTHORIZED => "; its token or certificate is wrong or has expired",
        StatusCode::FORBIDDEN => {
            "; a ClusterRole with the verb get on nodes/proxy is needed, or on nodes/pods since Kubernetes 1.33"
        }
        StatusCode::NOT_FOUND => "; is this the kubelet's port?",
        _ => "",
    };
    format!("{address}{path}: {status}: {}{help}", said.trim())
}

#[cfg(test)]
mod tests {
    use exporter_toolkit::client::ClientSettings;

    use super::*;
    use crate::identity::{Hub, Pod};

    fn list(uids: &[&str]) -> PodList {
        let pod = |uid: &&str| format!(r#"{{"metadata":{{"name":"{uid}","uid":"{uid}"}}}}"#);
        let items: Vec<String> = uids.iter().map(pod).collect();
        serde_json::from_str(&format!(r#"{{"items":[{}]}}"#, items.join(","))).unwrap()
    }

    fn uids(source: &Source) -> Vec<&str> {
        source.known.pods.iter().map(|PodFacts { pod: Pod { uid, .. }, .. }| uid.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_kubelet_that_has_just_started_does_not_empty_the_node() {
        let client =
            Client::new("http://127.0.0.1:9".parse().unwrap(), ClientSettings::default()).unwrap();
        let kubelet = Kubelet { client, path: "/pods".to_owned() };
        let reporter = Hub::default().add_source("kubelet");
        let mut source = Source::new(kubelet, "test/1", Defaults::default(), reporter);
        source.tell(list(&["a", "b"]));
        source.tell(list(&["a"]));
        assert_eq!(uids(&source), ["a", "b"]);
        sleep(DOUBT / 2).await;
        source.tell(list(&["a", "b"]));
        sleep(DOUBT / 2).await;
        source.tell(list(&["a"]));
        assert_eq!(uids(&source), ["a", "b"]);
        sleep(DOUBT).await;
        source.tell(list(&["a"]));
        assert_eq!(uids(&source), ["a"]);
        assert!(source.missed.is_empty());
    }

    #[test]
    fn a_refusal_says_which_right_is_missing() {
        let said = b"Forbidden (user=x, verb=get, resource=nodes, subresource=proxy)";
        let text = refused("https://n1:10250", "/pods", StatusCode::FORBIDDEN, said);
        assert!(text.contains("user=x") && text.contains("nodes/pods"), "{text}");
    }
}
