use super::*;
use crate::collector::Setup;
use crate::collector::testing::{collect, tree};
use exporter_toolkit::Format;

#[test]
fn time_never_goes_back_and_a_cpu_that_is_gone_is_forgotten() {
    let folder = tree(&[]);
    let path = folder.path().join("proc");
    std::fs::create_dir(&path).unwrap();
    let setup = Setup { host: Host::below(folder.path()), ..Setup::default() };
    let mut collector = (SPEC.build)(&setup).unwrap();
    let mut idle = |text: &str| {
        std::fs::write(path.join("stat"), text).unwrap();
        let mut out = Exposition::new(Format::Text);
        collector.collect(&mut out).unwrap();
        let text = String::from_utf8(out.text().to_vec()).unwrap();
        text.lines()
            .filter(|line| line.contains("\"idle\""))
            .map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        idle("cpu  0\ncpu0 1 1 1 500 0 0 0 0 0 0\ncpu1 1 1 1 700 0 0 0 0 0 0\n"),
        ["5", "7"]
    );
    assert_eq!(idle("cpu0 1 1 1 499 0 0 0 0 0 0\ncpu1 1 1 1 701 0 0 0 0 0 0\n"), ["5", "7.01"]);
    assert_eq!(idle("cpu0 1 1 1 501 0 0 0 0 0 0\n"), ["5.01"]);
    // It comes back with a counter that began anew.
    assert_eq!(idle("cpu0 1 1 1 502 0 0 0 0 0 0\ncpu1 1 1 1 1 0 0 0 0 0 0\n"), ["5.02", "0.01"]);
}

#[test]
fn a_malformed_line_costs_no_fact_of_sysfs() {
    let folder =
        tree(&[("proc/stat", "cpu0 idle\n"), ("sys/devices/system/cpu/isolated", "2-3\n")]);
    let (samples, result) = collect(&SPEC, folder.path(), &[]);
    assert_eq!(samples, ["node_cpu_isolated{cpu=\"2\"} 1", "node_cpu_isolated{cpu=\"3\"} 1"]);
    assert!(result.unwrap_err().to_string().contains("CPU and its times expected: \"cpu0 idle\""));
}

#[test]
fn a_pattern_switches_the_cpu_info_on() {
    let folder = tree(&[
        ("proc/stat", "cpu  1\n"),
        ("proc/cpuinfo", "processor : 0\ncpu MHz : 1000.5\nflags : aes avx aes\nbugs : mds\n"),
    ]);
    let flags = [("collector.cpu.info.flags-include", "^a"), ("collector.cpufreq", "false")];
    let (samples, result) = collect(&SPEC, folder.path(), &flags);
    assert!(result.is_ok());
    assert!(samples[0].starts_with("node_cpu_info{package=\"\",core=\"\",cpu=\"0\""));
    assert_eq!(
        samples[1..],
        ["node_cpu_flag_info{flag=\"aes\"} 1", "node_cpu_flag_info{flag=\"avx\"} 1"]
    );
}

#[test]
fn a_cpu_that_is_switched_off_is_0_where_all_can_be() {
    let folder = tree(&[
        ("proc/stat", "cpu  1\n"),
        ("sys/devices/system/cpu/cpu0/online", "1\n"),
        ("sys/devices/system/cpu/cpu1/online", "0\n"),
        ("sys/devices/system/cpu/online", "0\n"),
    ]);
    let (samples, _) = collect(&SPEC, folder.path(), &[]);
    assert_eq!(samples, ["node_cpu_online{cpu=\"0\"} 1", "node_cpu_online{cpu=\"1\"} 0"]);
}

#[test]
fn all_cpus_together_are_a_series_a_mode() {
    let folder = tree(&[(
        "proc/stat",
        "cpu  3 0 4 1200 0 0 0 0 1 0\ncpu0 1 0 2 500 0 0 0 0 1 0\ncpu2 2 0 2 700 0 0 0 0 0 0\nintr 5\n",
    )]);
    let aggregate = ("collector.cpu.aggregate", "true");
    let (samples, result) = collect(&SPEC, folder.path(), &[aggregate]);
    assert!(result.is_ok());
    assert_eq!(samples.len(), 11);
    assert_eq!(samples[3], "node_cpu_seconds_total{mode=\"idle\"} 12");
    assert_eq!(samples[8], "node_cpu_guest_seconds_total{mode=\"user\"} 0.01");
    assert_eq!(samples[10], "node_cpu_count 2");
    let (samples, _) =
        collect(&SPEC, folder.path(), &[aggregate, ("collector.cpu.guest", "false")]);
    assert_eq!(samples.len(), 9);
}
