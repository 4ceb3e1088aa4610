//! What Prometheus and VictoriaMetrics store is what there is, over every way they can ask for it.

use std::time::Duration;

use anyhow::ensure;
use e2e::storage::{Kind, Storage};
use e2e::{Scrape, servers, wait_until};

use crate::subject::Subject;
use crate::truth;
use e2e::cluster::Cluster;

/// A job per way: its name, and what is added to its configuration.
fn config(port: u16, jobs: &[(&str, &str)]) -> String {
    let target = format!("static_configs: [{{targets: ['127.0.0.1:{port}']}}]");
    let job = |(name, more): &(&str, &str)| format!("- job_name: {name}\n  {target}\n{more}");
    let jobs: Vec<String> = jobs.iter().map(job).collect();
    let global = "global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs:\n";
    format!("{global}{}", jobs.concat())
}

/// Every series of the truth is stored, with its value.
fn is_stored_whole(storage: &Storage, job: &str, truth: &Scrape) {
    let of_job = format!("{{job=\"{job}\",__name__=~\"kube_.*\"}}");
    let sum: f64 = truth.series.values().sum();
    wait_until("series", Duration::from_mins(3), || {
        let stored = storage.number(&format!("count({of_job})"))?;
        let due = truth.series.len() as f64;
        ensure!(stored == due, "{job}: {stored} series stored, {due} in the cluster");
        // Floats in another order add up to another sum.
        let stored = storage.number(&format!("sum({of_job})"))?;
        ensure!((stored / sum - 1.0).abs() < 1e-9, "{job}: sum {stored} instead of {sum}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    storage.expect(&format!("up{{job=\"{job}\"}}"), |up| up == 1.0).unwrap();
}

#[test]
fn prometheus_stores_a_thousand_pods_plain_compressed_and_as_openmetrics() {
    let test = "Prometheus 3 scrapes kube-state-rs";
    let Some(program) = servers::need(test, "prometheus") else { return };
    let Some(cluster) = Cluster::modern(test, &[]) else { return };
    let subject = Subject::start(&cluster);
    let truth = truth::reached(&cluster, &subject);
    let classic = "  scrape_protocols: [PrometheusText0.0.4]\n";
    let plain = format!("  enable_compression: false\n{classic}");
    let open = "  scrape_protocols: [OpenMetricsText1.0.0]\n  fallback_scrape_protocol: PrometheusText0.0.4\n";
    let jobs = [("plain", plain.as_str()), ("gzip", classic), ("open", open), ("default", "")];
    let config = config(subject.agent.address.port(), &jobs);
    let storage = Storage::start(Kind::Prometheus, &program, &config).unwrap();
    for (job, _) in jobs {
        is_stored_whole(&storage, job, &truth);
    }
}

#[test]
fn victoria_metrics_stores_a_thousand_pods_plain_and_compressed() {
    let test = "VictoriaMetrics scrapes kube-state-rs";
    let Some(program) = servers::need(test, "victoria-metrics") else { return };
    let Some(cluster) = Cluster::modern(test, &[]) else { return };
    let subject = Subject::start(&cluster);
    let truth = truth::reached(&cluster, &subject);
    let jobs = [("plain", "  disable_compression: true\n"), ("gzip", "")];
    let config = config(subject.agent.address.port(), &jobs);
    let storage = Storage::start(Kind::VictoriaMetrics, &program, &config).unwrap();
    for (job, _) in jobs {
        is_stored_whole(&storage, job, &truth);
    }
}
