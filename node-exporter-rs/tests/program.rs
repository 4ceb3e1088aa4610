//! The program as its users start it: by a chart, by a config file, with labels, to check itself.

#![allow(clippy::unwrap_used, reason = "a test, whose helpers are part of it")]

#[path = "support/program.rs"]
mod program;

use std::process::Command;

use exporter_toolkit::Format;
use exporter_toolkit::golden::check;
use exporter_toolkit::line::Line;
use program::{PROGRAM, Program, run};

const LOCAL: &str = "--web.listen-address=127.0.0.1:0";

#[test]
fn the_helm_charts_arguments_start_it() {
    // charts/prometheus-node-exporter, and what kube-prometheus-stack adds. HOST_IP is an address of either family.
    let list = |listen| {
        [
            "--path.procfs=/host/proc",
            "--path.sysfs=/host/sys",
            "--path.rootfs=/host/root",
            "--path.udev.data=/host/root/run/udev/data",
            listen,
            "--collector.filesystem.mount-points-exclude=^/(dev|proc|sys|var/lib/docker/.+|var/lib/kubelet/.+)($|/)",
            "--collector.filesystem.fs-types-exclude=^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$",
        ]
    };
    let program = Program::start(&list("--web.listen-address=[127.0.0.1]:0"), &[]);
    let text = program.get("/metrics");
    assert!(text.contains("\nnode_exporter_build_info{") && text.contains("\nnode_uname_info{"));
    // The chart's probes.
    assert!(program.get("/").contains("node-exporter-rs"));
    // Nothing is mounted at these paths here, which is worth a warning each.
    for topic in ["procfs", "sysfs", "rootfs"] {
        let warned =
            |line: &str| line.contains("level=WARN") && line.contains(&format!("topic={topic}"));
        assert!(program.log.lines().any(warned), "{topic}: {}", program.log);
    }
}

#[test]
fn kube_prometheus_arguments_start_it() {
    let args = [
        LOCAL,
        "--path.sysfs=/host/sys",
        "--path.rootfs=/host/root",
        "--path.udev.data=/host/root/run/udev/data",
        "--no-collector.wifi",
        "--no-collector.hwmon",
        "--no-collector.btrfs",
        "--collector.filesystem.mount-points-exclude=^/(dev|proc|sys|run/k3s/containerd/.+|var/lib/docker/.+|var/lib/kubelet/pods/.+)($|/)",
        "--collector.netclass.ignored-devices=^(veth.*|[a-f0-9]{15})$",
        "--collector.netdev.device-exclude=^(veth.*|[a-f0-9]{15})$",
    ];
    let text = Program::start(&args, &[]).get("/metrics");
    let success = |name: &str| format!("node_scrape_collector_success{{collector=\"{name}\"}}");
    assert!(text.contains("\nnode_load1 ") && text.contains(&success("netdev")));
    for switched_off in ["wifi", "hwmon", "btrfs"] {
        assert!(!text.contains(&success(switched_off)), "{switched_off}");
    }
}

/// A host on which samples have a label `node` of their own.
const NUMA: &str = "--path.sysfs=fixtures/meminfo_numa/sys";

#[test]
fn labels_are_on_every_sample_and_never_twice() {
    let args = [
        LOCAL,
        NUMA,
        "--collector.meminfo_numa",
        "--label=cluster_name=eu \"1\"",
        "--label-from-env=node=NODE_NAME",
        "--label-from-env=ip=HOST_IP",
    ];
    let program = Program::start(&args, &[("NODE_NAME", "node-7"), ("HOST_IP", "192.0.2.7")]);
    let text = program.get("/metrics");
    assert_eq!(check(&text, Format::Text), []);
    let mut samples = 0;
    for line in text.lines() {
        let Some(Line::Sample(sample)) = Line::parse(line.as_bytes()) else { continue };
        let mut names: Vec<_> = sample.labels.iter().map(|(name, _)| name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{line}");
        assert!(
            line.contains("cluster_name=\"eu \\\"1\\\"\",node=\"node-7\",ip=\"192.0.2.7\"}"),
            "{line}"
        );
        samples += 1;
    }
    assert!(samples > 100, "{samples}");
    assert!(text.contains("node_memory_numa_MemTotal{exported_node=\"0\","), "{text}");
    assert!(text.contains("\nprocess_cpu_seconds_total{cluster_name="));
}

#[test]
fn a_label_without_its_variable_stops_the_start() {
    let mut command = Command::new(PROGRAM);
    command.args([LOCAL, "--label-from-env=node=NODE_NAME"]).env_remove("NODE_NAME");
    let (code, _, error) = run(&mut command);
    assert_eq!(code, Some(2));
    assert!(
        error.contains("--label-from-env=node=NODE_NAME: the environment has no NODE_NAME"),
        "{error}"
    );
}

/// A config file with this text, for as long as it is held.
fn config(text: &str) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, text).unwrap();
    let flag = format!("--config.file={}", file.path().display());
    (file, flag)
}

#[test]
fn a_config_file_stands_in_for_the_command_line() {
    let text = "collector.disable-defaults: true\ncollector.loadavg: true\ncollector.uname: true\n\
                label: [cluster_name=eu1, group=a]\nweb.listen-address: 127.0.0.1:0\n";
    let (_file, flag) = config(text);
    let program = Program::start(&[&flag, "--no-collector.uname"], &[]);
    let text = program.get("/metrics");
    assert!(text.contains("\nnode_load1{cluster_name=\"eu1\",group=\"a\"} "), "{text}");
    assert!(!text.contains("node_uname_info"), "the command line wins");
}

#[test]
fn a_check_of_the_configuration_names_file_and_line_and_starts_nothing() {
    let checked = |text: &str| {
        let (file, flag) = config(text);
        let (code, out, error) = run(Command::new(PROGRAM).args([&flag, "--check-config"]));
        let path = file.path().display().to_string();
        (code, out, error.replace(&path, "FILE"))
    };
    let (code, out, _) = checked("collector.arp.device-include: ^eth\n");
    assert_eq!((code, out.as_str()), (Some(0), "node-exporter-rs: the configuration is good\n"));
    for (text, problem) in [
        (
            "collector.cpu: true\ncollector.cpuu: true\n",
            "FILE:2: collector.cpuu: there is no such flag",
        ),
        ("collector.arp.device-include: (\n", "the value comes from FILE:1"),
        ("web.config.file: /nonexistent/web.yml\n", "/nonexistent/web.yml"),
        (
            "collector.ntp: true\ncollector.ntp.server: 192.0.2.1\n",
            "--collector.ntp.server=192.0.2.1",
        ),
    ] {
        let (code, out, error) = checked(text);
        assert!(code != Some(0) && out.is_empty() && error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn a_check_of_the_host_lists_what_gives_nothing() {
    let args = [
        "check",
        "--collector.disable-defaults",
        "--collector.loadavg",
        "--collector.drbd",
        "--path.udev.data=/nonexistent",
        "--collector.diskstats",
    ];
    let (_, out, _) = run(Command::new(PROGRAM).args(args));
    assert!(out.contains("\n2 of 3 collectors give samples\nno data  drbd "), "{out}");
    assert!(out.contains("advice   udev        /nonexistent is not there"), "{out}");
}

#[test]
fn a_process_namespace_of_its_own_is_named_as_a_problem() {
    let tried = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("skipped: unshare --pid --mount-proc is not allowed here");
        return;
    }
    let check = ["check", "--collector.disable-defaults", "--collector.loadavg"];
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", PROGRAM]).args(check);
    let (code, out, _) = run(&mut command);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("problem  procfs      /proc shows the processes and mounts of a container"),
        "{out}"
    );
    assert!(out.contains("problem  rootfs"), "{out}");
}
