//! What the scrapers store is what node-exporter-rs exposes, over every way they can ask for it.

use std::time::Duration;

use anyhow::ensure;
use e2e::storage::{Kind, Storage};
use e2e::{Agent, Scrape, servers, wait_until};

use crate::targets::{PASSWORD, Secured, USER, plain};

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

/// A job per way: name, what is added to its configuration.
fn config(jobs: &[(&str, u16, String)]) -> String {
    let mut text =
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for (name, port, more) in jobs {
        text += &format!(
            "- job_name: {name}\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n{more}"
        );
    }
    text
}

fn tls(secured: &Secured) -> String {
    format!(
        "  scheme: https\n  basic_auth: {{username: {USER}, password: {PASSWORD}}}\n  tls_config: {{ca_file: {}}}\n",
        secured.certificate().display()
    )
}

/// What must be true of a job whatever way it scrapes: every series of the host is stored, and nothing that was scraped
/// is lost. `reports` is the number of series that the scraper adds for each target.
fn is_stored_whole(storage: &Storage, job: &str, node: &Agent, reports: f64) {
    storage.expect(&format!("up{{job=\"{job}\"}}"), |up| up == 1.0).unwrap();
    let host =
        format!("count({{job=\"{job}\",__name__=~\"node_.*\",__name__!~\"node_exporter_.*\"}})");
    wait_until("count of series", Duration::from_mins(2), || {
        let exposed = node.scrape("/metrics")?.about_the_host().count() as f64;
        let stored = storage.number(&host)?;
        ensure!(stored == exposed, "{job}: {exposed} series exposed, {stored} stored");
        let all = storage.number(&format!("count({{job=\"{job}\"}})"))?;
        let scraped = storage.number(&format!("scrape_samples_scraped{{job=\"{job}\"}}"))?;
        ensure!(all == scraped + reports, "{job}: {scraped} samples scraped, {all} series stored");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    let now = node.scrape("/metrics").unwrap();
    let still = "node_memory_MemTotal_bytes";
    storage.expect(&format!("{still}{{job=\"{job}\"}}"), |v| Some(v) == now.one(still)).unwrap();
    storage.expect(&format!("node_load1{{job=\"{job}\"}}"), f64::is_finite).unwrap();
    storage.expect(&format!("count(node_uname_info{{job=\"{job}\"}})"), |n| n == 1.0).unwrap();
}

#[test]
fn prometheus_stores_what_is_exposed_plain_compressed_over_tls_and_as_openmetrics() {
    let test = "Prometheus 3 scrapes node-exporter-rs";
    let Some(program) = servers::need(test, "prometheus") else { return };
    let (node, secured) = (plain(), Secured::start());
    let port = node.address.port();
    let classic = "  scrape_protocols: [PrometheusText0.0.4]\n";
    let open = "  scrape_protocols: [OpenMetricsText1.0.0]\n  fallback_scrape_protocol: PrometheusText0.0.4\n";
    let jobs = [
        ("plain", port, format!("  enable_compression: false\n{classic}")),
        ("gzip", port, classic.to_owned()),
        ("openmetrics", port, open.to_owned()),
        ("default", port, String::new()),
        ("tls", secured.port, tls(&secured)),
    ];
    let storage = Storage::start(Kind::Prometheus, &program, &config(&jobs)).unwrap();
    for (job, ..) in &jobs {
        // up, scrape_duration_seconds, scrape_samples_scraped, _post_metric_relabeling, scrape_series_added.
        is_stored_whole(&storage, job, &node, 5.0);
    }
    let answer = storage.get("/api/v1/targets/metadata?metric=node_cpu_seconds_total").unwrap();
    for target in answer["data"].as_array().unwrap() {
        assert_eq!(target["type"], "counter", "{target}");
    }
}

#[test]
fn prometheus_without_the_password_is_turned_away() {
    let test = "Prometheus 3 without a password";
    let Some(program) = servers::need(test, "prometheus") else { return };
    let secured = Secured::start();
    let wrong = tls(&secured).replace(PASSWORD, "wrong");
    let storage =
        Storage::start(Kind::Prometheus, &program, &config(&[("tls", secured.port, wrong)]))
            .unwrap();
    storage.expect("up", |up| up == 0.0).unwrap();
    let targets = storage.get("/api/v1/targets").unwrap();
    let error = targets["data"]["activeTargets"][0]["lastError"].as_str().unwrap().to_owned();
    assert!(error.contains("401"), "{error}");
}

#[test]
fn victoria_metrics_stores_what_is_exposed_plain_compressed_and_over_tls() {
    let test = "VictoriaMetrics scrapes node-exporter-rs";
    let Some(program) = servers::need(test, "victoria-metrics") else { return };
    let (node, secured) = (plain(), Secured::start());
    let port = node.address.port();
    let jobs = [
        ("plain", port, "  disable_compression: true\n".to_owned()),
        ("gzip", port, String::new()),
        ("tls", secured.port, tls(&secured)),
    ];
    let storage = Storage::start(Kind::VictoriaMetrics, &program, &config(&jobs)).unwrap();
    for (job, ..) in &jobs {
        let count = storage
            .expect(&format!("count({{__name__=~\"up|scrape_.*\",job=\"{job}\"}})"), |n| n > 5.0)
            .unwrap();
        is_stored_whole(&storage, job, &node, count);
    }
}

#[test]
fn prometheus_2_24_finds_it_by_file_sd_and_stores_what_is_exposed() {
    let test = "Prometheus 2.24 (Debian 11) scrapes node-exporter-rs";
    let Some(program) = servers::need(test, "prometheus-consul") else { return };
    let node = plain();
    let config = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n\
                  - job_name: old\n  file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]\n";
    let storage = Storage::start(Kind::Prometheus, &program, config).unwrap();
    // Written after the start: it is the discovery that finds it.
    let targets =
        format!("[{{\"targets\": [\"{}\"], \"labels\": {{\"group\": \"e2e\"}}}}]", node.address);
    std::fs::write(storage.folder().join("targets.json"), targets).unwrap();
    is_stored_whole(&storage, "old", &node, 5.0);
    storage.expect("count(up{group=\"e2e\"})", |n| n == 1.0).unwrap();
}

#[test]
fn the_same_samples_come_plain_compressed_and_as_openmetrics() {
    let node = plain();
    let request = || node.request("/metrics");
    let plain = request().send().unwrap();
    let packed = request().header("Accept-Encoding", "gzip").send().unwrap();
    let refused = request().header("Accept-Encoding", "gzip;q=0").send().unwrap();
    let open = request().header("Accept", OPEN_METRICS).send().unwrap();
    assert!(packed.is_gzip() && !plain.is_gzip() && !refused.is_gzip() && !open.is_gzip());
    assert!(packed.body.len() * 3 < plain.body.len(), "{}", packed.body.len());
    let kind = open.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    assert!(open.text().unwrap().ends_with("# EOF\n"));
    let names = |response: &e2e::http::Response| -> Vec<String> {
        let scrape = Scrape::parse(&response.text().unwrap()).unwrap();
        scrape.about_the_host().map(str::to_owned).collect()
    };
    assert_eq!(names(&plain), names(&packed));
    assert_eq!(names(&plain), names(&refused));
    assert_eq!(names(&plain), names(&open));
}
