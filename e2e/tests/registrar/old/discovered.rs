//! From Node objects by Consul, files and HTTP to series: what the user's queries answer on scrapers that know nothing else.

use e2e::cluster::Cluster;
use e2e::storage::{Kind, Storage};
use e2e::{free_port, servers};

use crate::consul::{self, Consul};
use crate::scene::{Nodes, exporter, instances, ip, registrar};

const SCRAPE: &str = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n";

/// Everything that the scraper knows is Consul's address, the service and the group.
/// `more` is what only one of the scrapers understands.
fn by_consul(consul: &Consul, more: &str) -> String {
    format!(
        "{SCRAPE}- job_name: node-exporter
  consul_sd_configs: [{{server: '{}', services: [node-exporter], tags: ['group=g0']{more}}}]
  relabel_configs:
  - {{source_labels: [__meta_consul_service_metadata_cluster_name], target_label: cluster_name}}
  - {{source_labels: [__meta_consul_service_metadata_group], target_label: group}}
  - {{source_labels: [__meta_consul_service_metadata_node], target_label: node}}
  - {{source_labels: [__meta_consul_service_address], target_label: ip}}
",
        consul.address
    )
}

/// The user's query about the nodes that are up.
const BUSY: &str = r#"1 - avg(irate(node_cpu_seconds_total{mode="idle",ip=~"127.0.77.1|127.0.77.2",cluster_name=~"e2e-.*"}[2m]))"#;

fn answers(storage: &Storage) {
    storage.expect(BUSY, |busy| (-0.2..=1.0).contains(&busy)).unwrap();
    storage
        .expect(r#"count(count by (ip, cluster_name, group, node) (node_cpu_seconds_total{group="g0",node!=""}))"#, |n| n == 2.0)
        .unwrap();
    // A node that is down is to be seen as down.
    storage.expect(&format!(r#"up{{ip="{}"}}"#, ip(3)), |up| up == 0.0).unwrap();
}

#[test]
fn the_users_queries_answer_on_scrapers_that_know_consul_files_or_http_alone() {
    let test = "consul-registrar kubernetes, Consul, Prometheus and VictoriaMetrics";
    let Some(cluster) = Cluster::old(test) else { return };
    let Some(consul) = consul::start(test) else { return };
    let port = free_port().unwrap();
    let _exporters = [exporter(&ip(1), port), exporter(&ip(2), port), exporter(&ip(4), port)];
    let nodes = Nodes::new(&cluster, "discovered");
    for number in [1, 2, 3] {
        nodes.add(number);
    }
    let file = cluster.folder().join("targets.json");
    let mut flags = nodes.flags(cluster.folder(), port);
    flags.push(format!("--consul={}", consul.url()));
    flags.extend(["--sink=consul".to_owned(), format!("--sink=file={}", file.display())]);
    let registrar = registrar("kubernetes", "e2e-discovered", &flags);
    consul.expect("node-exporter", "e2e-discovered", &instances(&[1, 2, 3], port)).unwrap();

    let mut storages = Vec::new();
    let mut start = |kind, program: &str, config: &str| {
        if let Some(program) = servers::need(test, program) {
            storages.push(Storage::start(kind, &program, config).unwrap());
        }
    };
    start(Kind::Prometheus, "prometheus-consul", &by_consul(&consul, ", refresh_interval: 1s"));
    start(Kind::VictoriaMetrics, "victoria-metrics", &by_consul(&consul, ""));
    let files = format!(
        "{SCRAPE}- job_name: file\n  file_sd_configs: [{{files: ['{}'], refresh_interval: 1s}}]\n",
        file.display()
    );
    start(Kind::Prometheus, "prometheus", &files);
    let http = format!(
        "{SCRAPE}- job_name: http\n  http_sd_configs: [{{url: '{}', refresh_interval: 1s}}]\n",
        registrar.url("/targets?service=node-exporter&group=g0")
    );
    start(Kind::Prometheus, "prometheus", &http);
    storages.iter().for_each(answers);

    nodes.add(4);
    nodes.remove(2);
    consul.expect("node-exporter", "e2e-discovered", &instances(&[1, 3, 4], port)).unwrap();
    for storage in &storages {
        storage.expect(&format!(r#"up{{ip="{}"}}"#, ip(4)), |up| up == 1.0).unwrap();
        storage
            .expect(&format!(r#"count(up{{ip="{}"}}) or vector(0)"#, ip(2)), |n| n == 0.0)
            .unwrap();
        storage.expect(&format!(r#"up{{ip="{}"}}"#, ip(3)), |up| up == 0.0).unwrap();
    }
}
