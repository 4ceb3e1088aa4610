//! Every flag of the peer is taken, with its meaning where it is not given.

#![allow(clippy::unwrap_used, reason = "a test, whose helpers are part of it")]

use std::ffi::OsString;

use node_exporter_rs::collector::{self, COLLECTORS};
use node_exporter_rs::options;

const FLAGS: &str = include_str!("support/flags-1.12.tsv");

/// Name, kind and default of each flag.
fn flags() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    FLAGS.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap();
        (next(), next(), next())
    })
}

fn accepted(args: &[String]) {
    let program = OsString::from("node-exporter-rs");
    let args = args.iter().map(OsString::from);
    if let Err(error) = options::parse(std::iter::once(program).chain(args)) {
        panic!("{error}");
    }
}

/// A value for flags that have none by default.
fn example(name: &str) -> &'static str {
    match name {
        "collector.perf.cpus" => "0-1",
        "collector.perf.tracepoint" => "sched:sched_process_exec",
        "collector.sysctl.include" => "kernel.threads-max",
        "web.listen-address" => "[::1]:9100",
        _ => "x",
    }
}

#[test]
fn every_flag_of_the_peer_is_taken_in_each_of_its_forms() {
    for (name, kind, default) in flags() {
        let value = if default.is_empty() { example(name) } else { default };
        match kind {
            "switch" => {
                for form in ["--{}", "--no-{}", "--{}=true", "--{}=false"] {
                    accepted(&[form.replace("{}", name)]);
                }
            }
            "value" => {
                accepted(&[format!("--{name}={value}")]);
                accepted(&[format!("--{name}"), value.to_owned()]);
            }
            "list" => accepted(&[format!("--{name}={value}"), format!("--{name}={value}")]),
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn collectors_and_their_flags_default_to_what_the_peers_do() {
    let mut compared = 0;
    for (name, kind, default) in flags() {
        let spec =
            COLLECTORS.iter().find(|spec| Some(spec.name) == name.strip_prefix("collector."));
        let flag = collector::flags().find(|flag| flag.name() == name);
        match (spec, flag) {
            (Some(spec), _) => assert_eq!(spec.enabled.to_string(), default, "{name}"),
            (None, Some(flag)) => {
                assert_eq!(flag.default(), default, "{name}");
                assert_eq!(flag.switch(), kind == "switch", "{name}");
                assert_eq!(flag.repeats(), kind == "list", "{name}");
            }
            (None, None) => {
                let of_all =
                    name == "collector.disable-defaults" || !name.starts_with("collector.");
                assert!(of_all, "{name}: no collector has it");
                continue;
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 167);
    assert_eq!(COLLECTORS.iter().filter(|spec| spec.enabled).count(), 49);
}
