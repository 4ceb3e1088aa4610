//! What is right: the objects that kubectl gets, rendered by `kube-state-rs render`.

use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::{Scrape, agent, wait_until};

use crate::resources;
use crate::subject::Subject;
use e2e::cluster::Cluster;

/// How long kube-state-rs may take to come to the truth: longer than it waits between two attempts at most.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a scrape is compared with the same truth before another one is fetched.
const FRESH: Duration = Duration::from_secs(3);

/// What the objects that there are now make.
pub(crate) fn now(cluster: &Cluster, choice: &[String]) -> Result<Scrape> {
    rendered(cluster, &objects(cluster, choice)?, choice)
}

/// The objects of the chosen resources, each in the version that is to be followed.
pub(crate) fn objects(cluster: &Cluster, choice: &[String]) -> Result<Vec<u8>> {
    let names: Vec<String> = resources::ALL
        .iter()
        .filter(|resource| follows(choice, resource.plural))
        .filter_map(|resource| resource.full_name(cluster.is_modern()))
        .collect();
    cluster.kubectl(&["get", &names.join(","), "--all-namespaces", "--output=json"])
}

/// The same of many objects, as the API server sends them: `kubectl get --raw`.
pub(crate) fn raw(cluster: &Cluster, choice: &[String]) -> Result<Scrape> {
    let mut objects = Vec::new();
    for known in resources::ALL.iter().filter(|known| follows(choice, known.plural)) {
        let path = known.path(cluster.is_modern()).context("it is not served")?;
        objects.extend(cluster.kubectl(&["get", "--raw", &path])?);
    }
    rendered(cluster, &objects, choice)
}

fn follows(choice: &[String], resource: &str) -> bool {
    let lists = choice.iter().find_map(|flag| flag.strip_prefix("--resources="));
    lists.is_none_or(|list| list.split(',').any(|name| name == resource))
}

/// What these objects make.
pub(crate) fn rendered(cluster: &Cluster, objects: &[u8], choice: &[String]) -> Result<Scrape> {
    let (file, text) = (cluster.folder().join("objects.json"), cluster.folder().join("text.prom"));
    std::fs::write(&file, objects)?;
    let output = Command::new(agent::kube_state_rs()?)
        .arg("render")
        .arg(format!("--filename={}", file.display()))
        .args(choice)
        .stdout(File::create(&text)?)
        .output()
        .context("kube-state-rs render")?;
    ensure!(output.status.success(), "render: {}", String::from_utf8_lossy(&output.stderr));
    Scrape::parse(&std::fs::read_to_string(&text)?)
}

/// Waits until a scrape equals the truth, and returns it.
pub(crate) fn reached(cluster: &Cluster, subject: &Subject) -> Scrape {
    equal(|| now(cluster, &subject.choice), || subject.scrape())
}

/// Waits until what can be scraped equals what is right.
pub(crate) fn equal(
    truth: impl Fn() -> Result<Scrape>,
    scrape: impl Fn() -> Result<Scrape>,
) -> Scrape {
    wait_until("scrape that tells the truth", PATIENCE, || {
        let (truth, since) = (truth()?, Instant::now());
        loop {
            let scrape = scrape()?;
            let differences = differences(&truth, &scrape);
            if differences.is_empty() {
                return Ok::<_, anyhow::Error>(scrape);
            }
            ensure!(
                since.elapsed() < FRESH,
                "{} differences:\n{}",
                differences.len(),
                differences.into_iter().take(20).collect::<Vec<_>>().join("\n")
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    })
    .unwrap()
}

/// Series that one of the two lacks, or that have another value in the other; families of another type.
pub(crate) fn differences(truth: &Scrape, scrape: &Scrape) -> Vec<String> {
    let mut found = Vec::new();
    for (series, value) in &truth.series {
        match scrape.series.get(series) {
            None => found.push(format!("missing: {series} {value}")),
            Some(other) if other.to_bits() != value.to_bits() => {
                found.push(format!("{series} is {other} instead of {value}"));
            }
            Some(_) => {}
        }
    }
    let more = scrape.series.iter().filter(|(series, _)| !truth.series.contains_key(*series));
    found.extend(more.map(|(series, value)| format!("too much: {series} {value}")));
    let types = truth.types.iter().filter(|(family, kind)| scrape.types.get(*family) != Some(kind));
    found.extend(types.map(|(family, kind)| format!("{family} is no {kind}")));
    found
}
