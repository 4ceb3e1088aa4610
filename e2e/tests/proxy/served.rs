//! What is served of a real kubelet while pods start, die and restart and the kubelet is away, and what Prometheus makes
//! of it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::cluster::Cluster;
use e2e::storage::{Kind, Storage};
use e2e::{Agent, Scrape, servers, wait_until};

use crate::subject::{label, proxy};
use crate::truth;

const PODS: &str = include_str!("objects/pods.yaml");
const PATH: &str = "/metrics/cadvisor";
const PATIENCE: Duration = Duration::from_mins(5);

/// Pairs of a pod's name and address.
type Pairs = BTreeSet<(String, String)>;

/// All that was ever right, and all that was ever said.
#[derive(Default)]
struct Account {
    right: Pairs,
    said: Pairs,
}

impl Account {
    fn truth(&mut self, cluster: &Cluster, space: &str) -> Result<Pairs> {
        let now = truth::now(cluster, space)?;
        let now: Pairs = now.into_iter().map(|((name, _), ip)| (name, ip)).collect();
        self.right.extend(now.iter().cloned());
        Ok(now)
    }

    /// What the series of a namespace's pods say; a pod's name is never missing, nor another's.
    fn said(&mut self, scrape: &Scrape, space: &str) -> Pairs {
        let ours = scrape.series.keys().filter(|key| label(key, "namespace") == Some(space));
        let mut now = Pairs::new();
        for key in ours {
            let Some(pod) = label(key, "pod") else { continue };
            assert_eq!(label(key, "pod_name"), Some(pod), "{key}");
            now.extend(label(key, "pod_ip").map(|ip| (pod.to_owned(), ip.to_owned())));
        }
        self.said.extend(now.iter().cloned());
        now
    }

    /// Waits until four pods have addresses and every one of their series says the right one.
    fn agree(&mut self, cluster: &Cluster, space: &str, proxy: &Agent) {
        wait_until("series with kubectl's addresses", PATIENCE, || {
            let shown = self.truth(cluster, space)?;
            let scrape = proxy.scrape(PATH)?;
            let said = self.said(&scrape, space);
            ensure!(shown.len() == 4 && said.is_superset(&shown), "{said:?}, kubectl: {shown:?}");
            let now: BTreeSet<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
            let pods = scrape.series.keys().filter(|key| label(key, "namespace") == Some(space));
            let of_now = |key: &&String| label(key, "pod").is_some_and(|pod| now.contains(pod));
            let bare: Vec<_> =
                pods.filter(of_now).filter(|key| label(key, "pod_ip").is_none()).collect();
            ensure!(bare.is_empty(), "without an address: {bare:?}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    }
}

/// docker as the source of identity.
fn flags(cluster: &Cluster) -> Vec<String> {
    let mut flags = cluster.kubelet();
    flags.extend(["--identity=docker".to_owned(), truth::host_ip(cluster)]);
    flags
}

/// Prometheus stores all series, and warns of none.
fn is_stored(proxy: &Agent, space: &str) {
    let test = "Prometheus 3 scrapes cadvisor-proxy-rs";
    let Some(program) = servers::need(test, "prometheus") else { return };
    let port = proxy.address.port();
    let config = format!(
        "global: {{scrape_interval: 2s, scrape_timeout: 2s}}\nscrape_configs:\n- job_name: proxy\n  \
         metrics_path: {PATH}\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    );
    let storage = Storage::start(Kind::Prometheus, &program, &config).unwrap();
    storage.expect("up", |up| up > 0.0).unwrap();
    let pods =
        format!("count(count by (pod_ip, pod_name) ({{namespace=\"{space}\",pod_ip!=\"\"}}))");
    storage.expect(&pods, |count| count >= 4.0).unwrap();
    let bare = format!("absent({{namespace=\"{space}\",pod!=\"\",pod_name=\"\"}})");
    storage.expect(&bare, |none| none > 0.0).unwrap();
    let lost = "scrape_samples_scraped - scrape_samples_post_metric_relabeling";
    storage.expect(lost, |lost| lost == 0.0).unwrap();
    let log = storage.log();
    let warned: Vec<&str> =
        log.lines().filter(|line| line.contains("level=WARN") && line.contains("scrape")).collect();
    assert!(warned.is_empty(), "{warned:?}");
}

#[test]
fn every_series_of_a_pod_has_the_address_that_kubectl_shows_and_never_another() {
    let Some(cluster) = Cluster::old("the kubelet's metrics through cadvisor-proxy-rs") else {
        return;
    };
    let (space, mut account) = (cluster.space("served"), Account::default());
    let space = &space.name;
    let (proxy, _own) = proxy(&flags(&cluster));
    cluster.apply(&PODS.replace("SPACE", space));
    account.agree(&cluster, space, &proxy);
    is_stored(&proxy, space);
    // Two pods die, and others take their place.
    let delete = ["delete", "pod", "--namespace", space, "--selector=app=web", "--wait=true"];
    cluster.kubectl(&delete).unwrap();
    account.agree(&cluster, space, &proxy);
    // A kubelet that is away is an answer that says so, and nothing that looks like metrics.
    cluster.stop("kubelet");
    let response = proxy.request(PATH).send().unwrap();
    assert_eq!(response.status, 502, "{:?}", response.text());
    assert!(response.text().unwrap().contains("cannot connect"));
    cluster.up();
    account.agree(&cluster, space, &proxy);
    let wrong: Vec<_> = account.said.difference(&account.right).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
