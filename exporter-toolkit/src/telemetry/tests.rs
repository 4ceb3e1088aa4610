use prometheus_client::metrics::counter::Counter as OwnCounter;
use prometheus_client::metrics::family::Family as OwnFamily;
use prometheus_client::metrics::gauge::Gauge as OwnGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use super::*;
use crate::{Format, Merger};

/// One scrape under way, one refused, and two errors of different causes.
fn stats() -> Arc<Stats> {
    let stats = Arc::new(Stats::default());
    stats.scraped(400);
    stats.in_flight.up();
    stats.encoding_errors.one();
    stats
}

fn telemetry() -> Telemetry {
    Telemetry::new(Build::new("demo", "1.2.3"))
}

fn written(telemetry: &Telemetry, format: Format) -> String {
    let mut out = Exposition::new(format);
    telemetry.write(&mut out);
    String::from_utf8(out.text().to_vec()).unwrap()
}

fn with_registry(format: Format, fill: impl FnOnce(&mut Registry)) -> String {
    let mut telemetry = telemetry().with_exporter_metrics(false);
    fill(telemetry.registry_mut());
    let text = written(&telemetry, format);
    let lines = text.split_inclusive('\n').filter(|line| !line.contains("demo_build_info"));
    lines.collect()
}

fn three_kinds(registry: &mut Registry) {
    let seen: OwnFamily<[(&'static str, String); 1], OwnCounter> = OwnFamily::default();
    seen.get_or_create(&[("what", "a\"\\\n".to_owned())]).inc_by(1_000_000);
    registry.register("demo_seen", "Things seen.", seen);
    let size: OwnGauge = OwnGauge::default();
    size.set(-3);
    registry.register_with_unit("demo_size", "Size", Unit::Bytes, size);
    let took = Histogram::new([0.5, 1.0]);
    took.observe(0.7);
    registry.register("demo_took_seconds", "Time taken", took);
}

#[test]
fn own_counters_are_written_in_the_text_format() {
    let text = with_registry(Format::Text, three_kinds);
    assert_eq!(
        text,
        "# HELP demo_seen_total Things seen.\n# TYPE demo_seen_total counter\n\
         demo_seen_total{what=\"a\\\"\\\\\\n\"} 1e+06\n\
         # HELP demo_size_bytes Size.\n# TYPE demo_size_bytes gauge\ndemo_size_bytes -3\n\
         # HELP demo_took_seconds Time taken.\n# TYPE demo_took_seconds histogram\n\
         demo_took_seconds_sum 0.7\ndemo_took_seconds_count 1\n\
         demo_took_seconds_bucket{le=\"0.5\"} 0\ndemo_took_seconds_bucket{le=\"1.0\"} 1\n\
         demo_took_seconds_bucket{le=\"+Inf\"} 1\n"
    );
}

#[test]
fn own_counters_are_written_as_open_metrics() {
    let text = with_registry(Format::OpenMetrics, three_kinds);
    assert!(text.contains("# TYPE demo_seen counter\ndemo_seen_total{"), "{text}");
    assert!(text.contains("# TYPE demo_took_seconds histogram\n"), "{text}");
    assert!(!text.contains("# EOF"), "{text}");
}

#[test]
fn an_info_is_a_gauge_and_a_family_without_samples_leaves_no_trace() {
    let text = with_registry(Format::Text, |registry| {
        registry.register("demo_os", "The system", Info::new([("name", "linux")]));
        let empty: OwnFamily<[(&'static str, String); 1], OwnCounter> = OwnFamily::default();
        registry.register("demo_empty", "Nothing", empty);
    });
    assert_eq!(
        text,
        "# HELP demo_os_info The system.\n# TYPE demo_os_info gauge\ndemo_os_info{name=\"linux\"} 1\n"
    );
}

#[test]
fn the_build_has_the_peers_labels() {
    let text = written(&telemetry().with_exporter_metrics(false), Format::Text);
    let sample = text.lines().last().unwrap();
    let names: Vec<_> = sample.split("=\"").filter_map(|s| s.rsplit(['{', ',']).next()).collect();
    let expected = ["branch", "goarch", "goos", "goversion", "revision", "tags", "version"];
    assert_eq!(names.get(..7).unwrap(), expected);
    assert!(sample.contains("goversion=\"rustc1.") && sample.ends_with("version=\"1.2.3\"} 1"));
}

#[test]
fn the_http_server_is_shown_with_all_expected_codes() {
    let text = written(&telemetry().with_http(stats()), Format::Text);
    for part in [
        "requests_total{code=\"200\"} 0\npromhttp_metric_handler_requests_total{code=\"400\"} 1\n\
         promhttp_metric_handler_requests_total{code=\"500\"} 0\n",
        "promhttp_metric_handler_requests_in_flight 1\n",
        "promhttp_metric_handler_errors_total{cause=\"encoding\"} 1\n\
         promhttp_metric_handler_errors_total{cause=\"gathering\"} 0\n",
        "demo_log_lost_lines_total ",
        "process_open_fds ",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn without_exporter_metrics_only_the_build_and_the_agents_own_stay() {
    let telemetry = telemetry().with_http(stats()).with_exporter_metrics(false);
    let text = written(&telemetry, Format::Text);
    assert!(text.lines().all(|line| line.contains("demo_build_info")), "{text}");
}

#[test]
fn all_of_it_is_a_sound_exposition() {
    for format in [Format::Text, Format::OpenMetrics] {
        let mut telemetry = telemetry().with_http(stats());
        three_kinds(telemetry.registry_mut());
        let mut out = Exposition::new(format);
        telemetry.write(&mut out);
        let mut text = Vec::new();
        Merger::default().merge(&[&out], format, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(crate::golden::check(&text, format), [], "{text}");
    }
}
