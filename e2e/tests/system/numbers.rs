//! The user's queries, against what the kernel, kubectl and docker say themselves.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use e2e::docker::docker;
use e2e::storage::{Asked, value};
use e2e::wait_until;
use serde_json::Value;

use crate::found::both;
use crate::stage::{APPS, CLUSTER, NODE, PATIENCE, SPACE, Stage};

/// The kernel's clock ticks, which it counts CPU time in.
const TICKS: f64 = 100.0;

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Idle seconds of each CPU, from `/proc/stat`.
fn idle() -> BTreeMap<String, f64> {
    let text = read_to_string("/proc/stat").unwrap();
    let cpus = text.lines().filter_map(|line| line.strip_prefix("cpu"));
    let cpus = cpus.filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    cpus.map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        (words[0].to_owned(), words[4].parse::<f64>().unwrap() / TICKS)
    })
    .collect()
}

/// Notes `/proc/stat` and the time, ten times a second.
struct Recorder {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(f64, BTreeMap<String, f64>)>>,
}

impl Recorder {
    fn start() -> Self {
        let ends = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&ends);
        let thread = spawn(move || {
            let mut notes = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                notes.push((now(), idle()));
                sleep(Duration::from_millis(100));
            }
            notes
        });
        Self { ends, thread }
    }

    fn finish(self) -> Vec<(f64, BTreeMap<String, f64>)> {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Times and values of a range.
fn samples(series: &Value) -> Vec<(f64, f64)> {
    let values = series["values"].as_array().unwrap().iter();
    values
        .map(|pair| (pair[0].as_f64().unwrap(), pair[1].as_str().unwrap().parse().unwrap()))
        .collect()
}

/// The query as the user has it, its value computed again from the stored samples; and each of those samples is what
/// `/proc/stat` had when it was scraped.
pub(crate) fn the_users_query_is_what_proc_stat_says(stage: &Stage) {
    let chosen = format!(
        r#"node_cpu_seconds_total{{mode="idle",ip=~"{}",cluster_name=~"{CLUSTER}"}}"#,
        stage.ip
    );
    let recorder = Recorder::start();
    let start = now();
    let asked = both(stage);
    for (_, asked) in asked {
        asked
            .expect(&format!("min(count_over_time({chosen}[10s]))"), |count| count >= 3.0)
            .unwrap();
    }
    // Three scrapes of each that the recorder has seen.
    sleep(Duration::from_secs(8));
    let time = now();
    let answers = asked.map(|(how, asked)| {
        let raw = asked.series_at(&format!("{chosen}[30s]"), time).unwrap();
        let busy = asked.series_at(&format!("1 - avg(irate({chosen}[2m]))"), time).unwrap();
        (how, raw, value(&busy[0]).unwrap())
    });
    sleep(Duration::from_secs(3));
    let notes = recorder.finish();
    for (how, raw, busy) in answers {
        let rates: Vec<f64> = raw.iter().map(|series| rate(series, &notes, start)).collect();
        assert_eq!(rates.len(), idle().len(), "{how}: CPUs");
        let computed = 1.0 - rates.iter().sum::<f64>() / rates.len() as f64;
        assert!((busy - computed).abs() < 1e-9, "{how}: {busy}, and {computed} of the samples");
        println!("{how}: {:.1} % of {} CPUs used", 100.0 * busy, rates.len());
    }
}

/// What `irate` makes of a CPU's samples, each of which lies between what was noted before and after its scrape.
fn rate(series: &Value, notes: &[(f64, BTreeMap<String, f64>)], start: f64) -> f64 {
    let cpu = series["metric"]["cpu"].as_str().unwrap();
    let samples = samples(series);
    let mut checked = 0;
    for &(time, idle) in samples.iter().filter(|(time, _)| *time > start + 0.2) {
        let before = notes.iter().rev().find(|(noted, _)| *noted <= time).unwrap().1[cpu];
        // A scrape lasts two seconds at most.
        let after = notes.iter().find(|(noted, _)| *noted >= time + 2.0).unwrap().1[cpu];
        // The kernel's idle time may step back by a few ticks.
        let slack = 10.0 / TICKS;
        assert!(before - slack <= idle && idle <= after + slack, "{before} {idle} {after}");
        checked += 1;
    }
    assert!(checked >= 3, "{checked} samples of CPU {cpu}");
    let [.., (first, before), (last, after)] = samples.as_slice() else { panic!("{samples:?}") };
    (after - before) / (last - first)
}

/// Waits until a query's value and what is true at that time are within a part of each other.
fn agree(how: &str, asked: Asked, query: &str, part: f64, truth: impl Fn() -> Result<f64>) {
    wait_until(&format!("{query} {how}"), PATIENCE, || {
        let (said, is) = (asked.number(query)?, truth()?);
        ensure!((said - is).abs() <= part * is.abs(), "{said} instead of {is}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
}

/// Bytes of a line of `/proc/meminfo`.
fn meminfo(name: &str) -> Result<f64> {
    let text = read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
    let kib = line.trim_matches([':', ' ']).strip_suffix(" kB").context("no kB")?;
    Ok(kib.trim().parse::<f64>()? * 1024.0)
}

/// Bytes of the root file system, by `df`.
fn root(column: &str) -> Result<f64> {
    let output = Command::new("df").args([&format!("--output={column}"), "-B1", "/"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().nth(1).context("no line")?.trim().parse()?)
}

pub(crate) fn memory_and_disk_are_what_the_host_says(stage: &Stage) {
    let of = format!(r#"ip=~"{}",cluster_name=~"{CLUSTER}""#, stage.ip);
    for (how, asked) in both(stage) {
        let total = format!("node_memory_MemTotal_bytes{{{of}}}");
        agree(how, asked, &total, 0.0, || meminfo("MemTotal"));
        let used = format!(
            "1 - node_memory_MemAvailable_bytes{{{of}}} / node_memory_MemTotal_bytes{{{of}}}"
        );
        agree(
            how,
            asked,
            &used,
            0.05,
            || Ok(1.0 - meminfo("MemAvailable")? / meminfo("MemTotal")?),
        );
        let size = format!(r#"node_filesystem_size_bytes{{{of},mountpoint="/"}}"#);
        agree(how, asked, &size, 0.0, || root("size"));
        let free = format!(
            r#"node_filesystem_avail_bytes{{{of},mountpoint="/"}} / node_filesystem_size_bytes"#
        );
        agree(how, asked, &free, 0.01, || Ok(root("avail")? / root("size")?));
        // A counter that only grows is right between two looks at its source.
        let written = format!("sum(node_disk_written_bytes_total{{{of}}})");
        let before = sectors_written();
        sleep(Duration::from_secs(5));
        let said = asked.number(&written).unwrap();
        let after = sectors_written();
        let (least, most) = (before * 512.0, after * 512.0);
        assert!(least <= said && said <= most, "{how}: {written}: {least} {said} {most}");
    }
}

/// Of the devices that the exporter tells of: neither RAM disks, loops nor partitions.
fn sectors_written() -> f64 {
    let text = read_to_string("/proc/diskstats").unwrap();
    let lines = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let disks = lines.filter(|words| {
        let device = std::path::Path::new("/sys/block").join(words[2]);
        let is_disk = device.exists();
        is_disk && !["ram", "loop", "fd", "z"].iter().any(|start| words[2].starts_with(start))
    });
    disks.map(|words| words[9].parse::<f64>().unwrap()).sum()
}

/// A quantity as Kubernetes writes it.
fn quantity(text: &str) -> Result<f64> {
    let units = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("m", 0.001),
        ("k", 1e3),
        ("M", 1e6),
    ];
    for (unit, factor) in units {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    Ok(text.parse()?)
}

/// What the containers of a namespace ask for.
fn requested(stage: &Stage, space: &str, resource: &str) -> Result<f64> {
    let mut sum = 0.0;
    for pod in stage.pods(space, "")? {
        for container in pod["spec"]["containers"].as_array().context("no containers")? {
            if let Some(text) = container["resources"]["requests"][resource].as_str() {
                sum += quantity(text)?;
            }
        }
    }
    Ok(sum)
}

pub(crate) fn pods_and_requests_are_what_kubectl_says(stage: &Stage) {
    for (how, asked) in both(stage) {
        for space in [SPACE, APPS] {
            let of = format!(r#"node=~"{NODE}",cluster_name=~"{CLUSTER}",namespace="{space}""#);
            let count = || Ok(stage.pods(space, "")?.len() as f64);
            agree(how, asked, &format!("count(kube_pod_info{{{of}}})"), 0.0, count);
            let running = format!(
                r#"sum(kube_pod_status_phase{{cluster_name=~"{CLUSTER}",namespace="{space}",phase="Running"}})"#
            );
            agree(how, asked, &running, 0.0, count);
            for resource in ["cpu", "memory"] {
                let query = format!(
                    r#"sum(kube_pod_container_resource_requests{{{of},resource="{resource}"}})"#
                );
                agree(how, asked, &query, 1e-9, || requested(stage, space, resource));
            }
        }
        // The share of the node that is asked for, as a dashboard shows it.
        let share = format!(
            r#"sum(kube_pod_container_resource_requests{{resource="memory",namespace=~"{SPACE}|{APPS}"}}) / on () kube_node_status_allocatable{{resource="memory",node="{NODE}"}}"#
        );
        agree(how, asked, &share, 1e-9, || {
            let node = stage.cluster.get(&format!("/api/v1/nodes/{NODE}"))?;
            let all = node["status"]["allocatable"]["memory"].as_str().context("no memory")?;
            Ok((requested(stage, SPACE, "memory")? + requested(stage, APPS, "memory")?)
                / quantity(all)?)
        });
    }
}

/// What docker says of a container of a pod.
struct Container {
    id: String,
    pod: String,
    name: String,
    limit: f64,
}

fn containers() -> Vec<Container> {
    let mut found = Vec::new();
    for space in [SPACE, APPS] {
        let label = format!("--filter=label=io.kubernetes.pod.namespace={space}");
        let running = "--filter=label=io.kubernetes.docker.type=container";
        for id in docker(&["ps", "--quiet", "--no-trunc", &label, running]).split_whitespace() {
            let text = docker(&["inspect", "--format={{json .}}", id]);
            let inspected: Value = serde_json::from_str(&text).unwrap();
            let label =
                |name: &str| inspected["Config"]["Labels"][name].as_str().unwrap().to_owned();
            found.push(Container {
                id: id.to_owned(),
                pod: label("io.kubernetes.pod.name"),
                name: label("io.kubernetes.container.name"),
                limit: inspected["HostConfig"]["Memory"].as_f64().unwrap(),
            });
        }
    }
    found
}

/// CPU seconds of a container, by `docker stats`' own source: the API's one-shot answer.
fn cpu_used(id: &str) -> Result<f64> {
    let url = format!("http://docker/containers/{id}/stats?stream=false&one-shot=true");
    let args = ["--silent", "--unix-socket", "/var/run/docker.sock", &url];
    let output = Command::new("curl").args(args).output()?;
    let stats: Value = serde_json::from_slice(&output.stdout)?;
    Ok(stats["cpu_stats"]["cpu_usage"]["total_usage"].as_f64().context("no usage")? / 1e9)
}

pub(crate) fn containers_are_what_docker_says(stage: &Stage) {
    let containers = containers();
    assert!(containers.len() >= 8, "{} containers", containers.len());
    let before: Vec<f64> = containers.iter().map(|of| cpu_used(&of.id).unwrap()).collect();
    for (how, asked) in both(stage) {
        for (container, before) in containers.iter().zip(&before) {
            let Container { id, pod, name, limit } = container;
            let of = format!(r#"pod_name="{pod}",container="{name}",cluster_name=~"{CLUSTER}""#);
            if *limit > 0.0 {
                let query =
                    format!(r#"kube_pod_container_resource_limits{{{of},resource="memory"}}"#);
                agree(how, asked, &query, 0.0, || Ok(*limit));
                let share = format!(
                    r#"sum(container_memory_working_set_bytes{{{of}}}) / sum(kube_pod_container_resource_limits{{{of},resource="memory"}})"#
                );
                asked.expect(&share, |share| share > 0.0 && share <= 1.0).unwrap();
            }
            // It was counted after `before`, and before now.
            let query = format!("sum(container_cpu_usage_seconds_total{{{of}}})");
            wait_until(&format!("{query} {how}"), PATIENCE, || {
                let (said, now) = (asked.number(&query)?, cpu_used(id)?);
                ensure!(*before <= said && said <= now, "{before} {said} {now}");
                Ok::<_, anyhow::Error>(())
            })
            .unwrap();
        }
    }
}
