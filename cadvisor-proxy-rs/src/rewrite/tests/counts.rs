//! Every profile on recorded bodies, against counts of their lines that are made with regular expressions alone.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

use super::bodies::{rewritten, samples, workshop};
use crate::identity::{Container, ContainerFacts, Facts};
use crate::rewrite::*;

thread_local! {
    static REGEXES: RefCell<HashMap<String, Regex>> = RefCell::default();
}

/// Compiled once; a copy shares it.
fn regex(text: &str) -> Regex {
    let compiled = |text: &str| Regex::new(text).unwrap();
    REGEXES
        .with_borrow_mut(|all| all.entry(text.to_owned()).or_insert_with(|| compiled(text)).clone())
}

/// What a line is about, as a person reads it.
struct Seen<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
}

impl<'a> Seen<'a> {
    fn all(body: &'a str) -> Vec<Self> {
        let pair = regex(r#"[{,]([a-z_A-Z0-9]+)="((?:[^"\\]|\\.)*)""#);
        let samples = body.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let seen = |line: &'a str| {
            let pairs = pair.captures_iter(line).map(|found| found.extract::<2>().1);
            let name = line.split(['{', ' ']).next().unwrap();
            Self { name, labels: pairs.map(|[name, value]| (name, value)).collect() }
        };
        samples.map(seen).collect()
    }

    /// The value of a label, empty where there is none.
    fn label(&self, name: &str) -> &'a str {
        self.labels.iter().find(|label| label.0 == name).map_or("", |label| label.1)
    }

    fn is(&self, name: &str) -> bool {
        regex(&format!("^(?:{name})$")).is_match(self.name)
    }

    fn container_id(&self) -> Option<&'a str> {
        let digits = regex("[0-9a-f]{64}");
        digits.find_iter(self.label("id")).last().map(|found| found.as_str())
    }

    fn has_pod_in_id(&self) -> bool {
        regex("pod[0-9a-f]{8}[-_0-9a-f]{24,}").is_match(self.label("id"))
    }

    fn is_slice(&self) -> bool {
        let id = self.label("id");
        !id.is_empty() && id != "/" && self.container_id().is_none() && !self.has_pod_in_id()
    }
}

const DASHBOARDS: &str = "container_cpu_cfs_(throttled_)?periods_total|container_cpu_usage_seconds_total\
    |container_fs_(reads|writes)(_bytes)?_total|container_memory_(cache|rss|swap|usage_bytes|working_set_bytes)\
    |container_network_(receive|transmit)_(bytes|packets|packets_dropped)_total|machine_memory_bytes";

/// Whether a profile's own rules drop a line.
fn drops(profile: &str, seen: &Seen<'_>) -> bool {
    let empty = |label| seen.label(label).is_empty();
    let like =
        |label, pattern: &str| regex(&format!("^(?:{pattern})$")).is_match(seen.label(label));
    match profile {
        "none" => false,
        "noise" => seen.is("container_(tasks_state|cpu_load_(d_)?average_10s)"),
        "kube-prometheus" => {
            seen.is("container_(network_(tc|ud)p_usage_total|tasks_state|cpu_load_average_10s)")
                || empty("pod")
                    && empty("namespace")
                    && seen.is("container_(spec_.*|file_descriptors|sockets|threads(_max)?|start_time_seconds|last_seen)")
                || seen.is("container_blkio_device_usage_total") && !empty("container")
        }
        "kube-prometheus-stack" => {
            seen.is("container_cpu_(cfs_throttled_seconds_total|load_average_10s|(system|user)_seconds_total)")
                || seen.is("container_fs_(io_current|io_time(_weighted)?_seconds_total|(reads|writes)_merged_total|sector_(reads|writes)_total)")
                || seen.is("container_memory_(mapped_file|swap)|container_(file_descriptors|tasks_state|threads_max)|container_spec.*")
                || seen.is("container_memory_failures_total") && seen.label("scope") == "hierarchy"
                || seen.is("container_network_.*") && like("interface", "(cali|cilium|cni|lxc|nodelocaldns|tunl).*")
                || !empty("id") && empty("pod")
        }
        "minimal" => {
            !seen.is(DASHBOARDS)
                || seen.is("container_.*") && !empty("id") && empty("pod")
                || seen.is("container_(cpu|fs|memory)_.*") && !empty("pod") && empty("container")
        }
        "k8s-monitoring" => {
            let fs = "(/dev/)?(mmcblk.p.+|nvme.+|rbd.+|sd.+|vd.+|xvd.+|dasd.+)";
            let net = "en[ospx][0-9].*|wlan[0-9].*|eth[0-9].*";
            !seen.is(DASHBOARDS)
                || seen.is("container_(cpu|fs|memory|pressure)_.*") && empty("container")
                || seen.is("container_(cpu|fs|memory|pressure|network)_.*") && empty("image")
                || seen.is("container_fs_.*") && !like("device", fs)
                || seen.is("container_network_.*") && !like("interface", net)
        }
        other => panic!("{other}"),
    }
}

/// Every container of a body, as docker would tell it: with an address, in no pod.
fn containers(body: &str) -> Facts {
    let digits = regex("[0-9a-f]{64}");
    let mut ids: Vec<&str> = digits.find_iter(body).map(|found| found.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let container = |id: &&str| ContainerFacts {
        container: Container {
            id: (*id).to_owned(),
            name: "one".to_owned(),
            ip: Some("10.0.0.1".to_owned()),
            running: true,
            ..Container::default()
        },
        pod: None,
    };
    Facts { containers: ids.iter().map(container).collect(), ..Facts::default() }
}

/// The counts that a body must give; `known` says whether its containers are.
fn expected(profile: &str, known: bool, all: &[Seen<'_>]) -> Counts {
    let mut counts = Counts::default();
    for seen in all {
        counts.series += 1;
        if profile == "noise" && !drops(profile, seen) && seen.is_slice() {
            counts.dropped_noise += 1;
        } else if drops(profile, seen) {
            counts.dropped_profile += 1;
        } else {
            let named = !seen.label("namespace").is_empty() && !seen.label("pod").is_empty();
            let by_id = !seen.label("id").is_empty();
            let is_known = known && seen.container_id().is_some();
            // Nobody told of its pod.
            let all_known = is_known && !seen.has_pod_in_id();
            let told = !seen.label("pod").is_empty() && (by_id || named);
            let in_something = seen.container_id().is_some() || seen.has_pod_in_id();
            counts.labelled += u64::from(is_known || told);
            counts.unknown += u64::from(!all_known && (in_something || !by_id && named));
        }
    }
    counts
}

#[test]
fn all_profiles_count_what_regular_expressions_count() {
    for body in samples() {
        let seen = Seen::all(&body);
        for (known, facts) in [(false, Facts::default()), (true, containers(&body))] {
            for profile in [
                "none",
                "noise",
                "kube-prometheus",
                "kube-prometheus-stack",
                "minimal",
                "k8s-monitoring",
            ] {
                let workshop = workshop(&[&format!("--profile={profile}")], facts.clone());
                let expected = expected(profile, known, &seen);
                let (_, counts) = rewritten(&workshop, &[body.as_bytes()]);
                let (bytes_in, bytes_out) = (counts.bytes_in, counts.bytes_out);
                let repaired = counts.repaired;
                let wanted = Counts { bytes_in, bytes_out, repaired, ..expected };
                assert_eq!(counts, wanted, "{profile}, containers known: {known}");
            }
        }
    }
}
