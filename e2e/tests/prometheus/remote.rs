//! What Prometheus scrapes is written on to another storage, as manifests/prometheus/remote-write.yaml says.

use e2e::storage::{Kind, Storage};
use e2e::{Agent, agent, servers};

use crate::scene::{OFTEN, ours};

#[test]
fn samples_of_a_shard_arrive_in_victoria_metrics_with_the_shards_name() {
    let test = "remote_write to VictoriaMetrics";
    let Some(prometheus) = servers::need(test, "prometheus") else { return };
    let Some(program) = servers::need(test, "victoria-metrics") else { return };
    let all = Storage::start(Kind::VictoriaMetrics, &program, "scrape_configs: []\n").unwrap();
    let node = Agent::start(
        &agent::node_exporter_rs().unwrap(),
        &["--collector.disable-defaults", "--collector.uname"],
    );
    let node = node.unwrap();
    let remote = ours(
        "remote-write.yaml",
        &[
            ("http://victoria-metrics.example:8428", &all.url()),
            ("batch_send_deadline: 5s", "batch_send_deadline: 1s"),
        ],
    );
    let config = format!(
        "{}\nscrape_configs:\n- job_name: node-exporter\n  static_configs: [{{targets: ['{}'], labels: {{cluster_name: c}}}}]\n{remote}",
        OFTEN.1, node.address
    );
    let _shard = Storage::start(Kind::Prometheus, &prometheus, &config).unwrap();
    let arrived = "count(node_uname_info{cluster_name=\"c\",replica=\"a\",job=\"node-exporter\"})";
    all.expect(arrived, |count| count == 1.0).unwrap();
    all.expect("max(up{replica=\"a\"})", |up| up == 1.0).unwrap();
}
