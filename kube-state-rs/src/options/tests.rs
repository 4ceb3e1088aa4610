use std::io::Write as _;

use super::*;

fn given(args: &[&str]) -> Result<Options, String> {
    let args = std::iter::once("kube-state-rs").chain(args.iter().copied());
    parse(args.map(OsString::from)).map_err(|error| error.to_string())
}

#[test]
fn the_users_own_deployment_starts_unchanged() {
    let options = given(&[
        "--port=10241",
        "--telemetry-port=10242",
        "--collectors=pods,nodes",
        "--namespace=shop",
        "--metric-blacklist=kube_pod_labels",
        "--disable-node-non-generic-resource-metrics",
        "--logtostderr",
        "-v=5",
    ])
    .unwrap();
    assert_eq!(options.ports.metrics_address(), ":10241");
    assert_eq!(options.ports.telemetry_address(), ":10242");
    assert_eq!(options.objects.resources, "pods,nodes");
    assert_eq!(options.objects.namespaces, "shop");
    assert_eq!(options.metrics.metric_denylist, "kube_pod_labels");
}

#[test]
fn flags_of_the_peers_logger_are_accepted() {
    for args in [
        &["-v", "2"][..],
        &["-v2"],
        &["--v=4", "--vmodule=a=1", "--stderrthreshold=2", "--skip_headers", "--one_output=true"],
        &["--logtostderr=false", "--log_dir=/tmp", "--add_dir_header", "-alsologtostderr"],
        &["--auto-gomemlimit", "--auto-gomemlimit-ratio=0.8", "--server-read-timeout=30s"],
        &["-port=80", "-enable-gzip-encoding"],
    ] {
        assert!(given(args).is_ok(), "{args:?}: {:?}", given(args).err());
    }
}

#[test]
fn addresses_are_written_as_the_server_reads_them() {
    let metrics = |host: &str| given(&["--host", host]).unwrap().ports.metrics_address();
    assert_eq!(metrics("::"), ":8080");
    assert_eq!(metrics("0.0.0.0"), "0.0.0.0:8080");
    assert_eq!(metrics("::1"), "[::1]:8080");
}

#[test]
fn an_unknown_flag_is_an_error_that_names_it() {
    let error = given(&["--resuorces=pods"]).unwrap_err();
    assert!(error.contains("--resuorces") && error.contains("--resources"), "{error}");
}

fn overlaid(yaml: &str, args: &[&str]) -> Result<Options, ConfigError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(yaml.as_bytes()).unwrap();
    let config = format!("--config={}", file.path().display());
    given(&[&[config.as_str()], args].concat()).unwrap().with_config().map(|(options, _)| options)
}

#[test]
fn the_files_values_replace_those_of_the_flags() {
    let yaml = "resources:\n  pods: {}\n  nodes: {}\nport: 1234\nnamespaces: [a, b]\n\
                labels_allow_list:\n  pods: [app, 'x-*']\nmetric_denylist: kube_a,kube_b\nunknown: 1\n";
    let options =
        overlaid(yaml, &["--resources=jobs", "--port=1", "--shard=2", "--total-shards=3"]).unwrap();
    assert_eq!(options.objects.resources, "nodes,pods");
    assert_eq!((options.ports.port, options.shards.shard), (1234, 2));
    assert_eq!(options.objects.namespaces, "a,b");
    assert_eq!(options.metrics.metric_labels_allowlist, "pods=[app,x-*]");
    assert_eq!(options.metrics.metric_denylist, "kube_a,kube_b");
}

#[test]
fn a_broken_file_is_an_error_that_names_file_and_line() {
    let error = overlaid("port: 80\nresources: [pods\n", &[]).unwrap_err().to_string();
    assert!(error.contains("--config") && error.contains("line"), "{error}");
    let missing = given(&["--config=/nonexistent/c.yaml"]).unwrap().with_config().unwrap_err();
    assert!(missing.to_string().contains("/nonexistent/c.yaml"), "{missing}");
    let tolerated = given(&["--config=/nonexistent/c.yaml", "--continue-without-config"]).unwrap();
    assert!(tolerated.with_config().is_ok());
}
