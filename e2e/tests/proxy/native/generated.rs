//! A generated node, whose every number is known: what the kernel of no machine at hand shows, cgroup v2 above all.

use e2e::cgroups::machine::{CORES, CPUS, RAM, SOCKETS};
use e2e::cgroups::{Container, Driver, Facts, Node, Shape, Version};

use super::look::{Look, family, is, label};
use crate::subject::proxy;

/// What a family must say of a container; nothing where there must be no such series.
type Truth = fn(&Facts, Version) -> Option<f64>;

/// A family, its labels beside those of every series, and what is true.
type Row = (&'static str, &'static [(&'static str, &'static str)], Truth);

fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

/// 0 stands for no limit.
fn limit(of: Option<u64>) -> f64 {
    of.unwrap_or(0) as f64
}

/// What is only counted where there is a quota.
fn limited(facts: &Facts, number: u64) -> Option<f64> {
    facts.quota.map(|_| number as f64)
}

/// Shares from 1 to 10,000 and back, as every reader of v2 does.
fn shares(facts: &Facts, version: Version) -> f64 {
    let number = match version {
        Version::V1 => facts.shares,
        Version::V2 => 2 + (facts.weight() - 1) * 262_142 / 9_999,
    };
    number as f64
}

fn pressure(version: Version, microseconds: u64) -> Option<f64> {
    (version == Version::V2).then_some(seconds(microseconds))
}

const FAULTS: &[(&str, &str)] = &[("failure_type", "pgfault"), ("scope", "hierarchy")];
const MAJOR: &[(&str, &str)] = &[("failure_type", "pgmajfault"), ("scope", "container")];
const SDA: &[(&str, &str)] = &[("device", "/dev/sda")];
const SDB: &[(&str, &str)] = &[("device", "/dev/sdb")];

const ROWS: &[Row] = &[
    ("container_cpu_usage_seconds_total", &[("cpu", "total")], |f, _| Some(seconds(f.usage()))),
    ("container_cpu_user_seconds_total", &[], |f, _| Some(seconds(f.user))),
    ("container_cpu_system_seconds_total", &[], |f, _| Some(seconds(f.system))),
    ("container_cpu_cfs_periods_total", &[], |f, _| limited(f, f.periods)),
    ("container_cpu_cfs_throttled_periods_total", &[], |f, _| limited(f, f.throttled_periods)),
    ("container_cpu_cfs_throttled_seconds_total", &[], |f, _| {
        f.quota.map(|_| seconds(f.throttled))
    }),
    ("container_spec_cpu_quota", &[], |f, _| f.quota.map(|quota| quota as f64)),
    ("container_spec_cpu_period", &[], |_, _| Some(100_000.0)),
    ("container_spec_cpu_shares", &[], |f, v| Some(shares(f, v))),
    ("container_spec_memory_limit_bytes", &[], |f, _| Some(limit(f.memory_limit))),
    ("container_spec_memory_reservation_limit_bytes", &[], |f, _| Some(f.reservation as f64)),
    ("container_memory_usage_bytes", &[], |f, _| Some(f.memory as f64)),
    ("container_memory_max_usage_bytes", &[], |f, _| Some(f.peak as f64)),
    ("container_memory_working_set_bytes", &[], |f, _| Some((f.memory - f.inactive_file) as f64)),
    ("container_memory_rss", &[], |f, _| Some(f.anonymous as f64)),
    ("container_memory_cache", &[], |f, _| Some(f.file as f64)),
    ("container_memory_mapped_file", &[], |f, _| Some(f.mapped as f64)),
    ("container_memory_swap", &[], |f, _| Some(f.swap as f64)),
    ("container_memory_kernel_usage", &[], |f, _| Some(f.kernel as f64)),
    ("container_memory_total_active_file_bytes", &[], |f, _| Some(f.active_file as f64)),
    ("container_memory_total_inactive_file_bytes", &[], |f, _| Some(f.inactive_file as f64)),
    ("container_memory_failcnt", &[], |f, _| Some(f.failures as f64)),
    ("container_memory_failures_total", FAULTS, |f, _| Some(f.page_faults as f64)),
    ("container_memory_failures_total", MAJOR, |f, _| Some(f.major_faults as f64)),
    ("container_oom_events_total", &[], |f, _| Some(f.oom_kills as f64)),
    ("container_fs_reads_bytes_total", SDA, |f, _| Some(f.devices[0].read_bytes as f64)),
    ("container_fs_writes_bytes_total", SDA, |f, _| Some(f.devices[0].write_bytes as f64)),
    ("container_fs_reads_total", SDA, |f, _| Some(f.devices[0].reads as f64)),
    ("container_fs_writes_total", SDB, |f, _| Some(f.devices[1].writes as f64)),
    ("container_threads", &[], |f, _| Some(f.threads as f64)),
    ("container_threads_max", &[], |f, _| Some(limit(f.threads_limit))),
    ("container_ulimits_soft", &[("ulimit", "max_open_files")], |f, _| {
        Some(f.open_files_limit as f64)
    }),
    ("container_pressure_cpu_waiting_seconds_total", &[], |f, v| pressure(v, f.pressure[0].some)),
    ("container_pressure_cpu_stalled_seconds_total", &[], |f, v| pressure(v, f.pressure[0].full)),
    ("container_pressure_memory_waiting_seconds_total", &[], |f, v| {
        pressure(v, f.pressure[1].some)
    }),
    ("container_pressure_io_stalled_seconds_total", &[], |f, v| pressure(v, f.pressure[2].full)),
];

/// Families of a pod's network, in the order of a row of `/proc/net/dev`.
const NETWORK: [&str; 4] =
    ["bytes_total", "packets_total", "errors_total", "packets_dropped_total"];

fn agrees(
    wrong: &mut Vec<String>,
    look: &Look,
    id: &str,
    row: (&str, &[(&str, &str)]),
    truth: Option<f64>,
) {
    let (name, labels) = row;
    let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("id", id)]).collect();
    let said = look.value(name, &labels);
    let equal = match (said, truth) {
        (Some(said), Some(truth)) => (said - truth).abs() <= 1e-9 * truth.abs(),
        (said, truth) => said == truth,
    };
    if !equal {
        wrong.push(format!("{name} of {id}: {said:?}, true is {truth:?}"));
    }
}

fn network(wrong: &mut Vec<String>, look: &Look, container: &Container) {
    let Container { path, pause, facts, .. } = container;
    for (way, numbers) in [("receive", facts.network.received), ("transmit", facts.network.sent)] {
        for (name, number) in NETWORK.into_iter().zip(numbers) {
            let name = format!("container_network_{way}_{name}");
            let truth = pause.then_some(number as f64);
            agrees(wrong, look, path, (&name, &[("interface", "eth0")]), truth);
        }
    }
}

fn check(shape: Shape) {
    let node = Node::generate(shape).unwrap();
    let (agent, _own) = proxy(&[
        "--source=cgroup".to_owned(),
        "--identity=none".to_owned(),
        format!("--path.cgroup={}", node.cgroups().display()),
        format!("--path.procfs={}", node.proc().display()),
        format!("--path.sysfs={}", node.sys().display()),
        format!("--path.rootfs={}", node.root().display()),
    ]);
    let look = Look::take(|| agent.text("/metrics")).unwrap();
    let mut wrong = Vec::new();
    for container in &node.containers {
        for (name, labels, truth) in ROWS {
            let truth = truth(&container.facts, shape.version);
            agrees(&mut wrong, &look, &container.path, (name, labels), truth);
        }
        agrees(
            &mut wrong,
            &look,
            &container.path,
            ("container_processes", &[]),
            Some(container.pids.len() as f64),
        );
        network(&mut wrong, &look, container);
    }
    for (name, number) in [
        ("machine_cpu_cores", CPUS),
        ("machine_cpu_physical_cores", CORES),
        ("machine_cpu_sockets", SOCKETS),
        ("machine_memory_bytes", RAM),
    ] {
        let said = look.value(name, &[]);
        assert!(said.is_some_and(|said| is(said, number)), "{name} {said:?}, not {number}");
    }
    assert!(wrong.is_empty(), "{shape:?}: {wrong:#?}");
    let known = |key: &String| {
        let of = |name: &str| ROWS.iter().any(|(row, ..)| *row == name);
        of(family(key)) && label(key, "id").is_none()
    };
    assert!(!look.series.keys().any(known), "a series of no cgroup");
}

#[test]
fn a_generated_node_of_either_version_and_driver_is_told_to_the_last_number() {
    for version in [Version::V2, Version::V1] {
        for driver in [Driver::Systemd, Driver::Cgroupfs] {
            check(Shape { version, driver, containers: 8 });
        }
    }
}
