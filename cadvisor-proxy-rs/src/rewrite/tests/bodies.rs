//! Whole bodies: cut anywhere, twice, and against counts that are made in another way.

use clap::Parser;
use exporter_toolkit::files::Files;
use exporter_toolkit::line::{Line, series_key};
use proptest::prelude::*;

use crate::identity::{Container, ContainerFacts, Facts, Pod, PodFacts};
use crate::rewrite::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    options: RewriteOptions,
}

pub(in crate::rewrite) fn options(flags: &[&str]) -> RewriteOptions {
    Command::parse_from(std::iter::once(&"proxy").chain(flags)).options
}

pub(super) fn workshop(flags: &[&str], facts: Facts) -> Arc<Workshop> {
    let settings = Settings::new(&options(flags), Subject::Cgroups).unwrap();
    Arc::new(Workshop::new(settings, Arc::new(Shared::fixed(Directory::of(&facts)))))
}

/// What comes of a body in pieces.
pub(super) fn rewritten(workshop: &Arc<Workshop>, pieces: &[&[u8]]) -> (String, Counts) {
    let (mut rewriter, mut out) = (workshop.rewriter(), Vec::new());
    for piece in pieces {
        rewriter.push(piece, &mut out);
    }
    rewriter.finish(&mut out);
    (String::from_utf8(out).unwrap(), rewriter.counts())
}

pub(super) fn directory() -> Facts {
    let uid = "11111111-2222-3333-4444-555555555555";
    let pod = Pod {
        uid: uid.to_owned(),
        namespace: "shop".to_owned(),
        name: "web-1".to_owned(),
        ip: Some("10.1.2.3".to_owned()),
        node: Some("n1".to_owned()),
        owner: Some(("ReplicaSet".to_owned(), "web".to_owned())),
        ..Pod::default()
    };
    let container = Container {
        id: "a".repeat(64),
        name: "app".to_owned(),
        runtime_name: Some("k8s_app".to_owned()),
        image: Some("shop:1".to_owned()),
        running: true,
        ..Container::default()
    };
    let container = ContainerFacts { container, pod: Some(uid.to_owned()) };
    Facts {
        pods: vec![PodFacts { pod, hash: None, lost: false }],
        containers: vec![container],
        own: None,
    }
}

const BODY: &str = r#"# HELP container_a some "help" {with="braces"}
# TYPE container_a counter
container_a{container="",id="/kubepods/pod11111111-2222-3333-4444-555555555555/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",pod=""} 1 1700000000000
container_a{id="/",x="}{,\"\\"} 2
# TYPE container_tasks_state gauge
container_tasks_state{id="/"} 0
# TYPE container_network_b counter
container_network_b{interface="cali1",id="/system.slice",pod="web-1",namespace="shop"} NaN
broken{ 1
b_bucket{le="+Inf"} 3 # {trace="x}"} 1
last{pod_name="old",namespace="shop",pod="web-1"} 1"#;

proptest! {
    #[test]
    fn a_body_that_is_cut_anywhere_gives_one_answer(mut cuts in proptest::collection::vec(0..BODY.len(), 0..12), profile in 0..6_usize) {
        let flag = ["none", "noise", "kube-prometheus", "kube-prometheus-stack", "minimal", "k8s-monitoring"][profile];
        let workshop = workshop(&[&format!("--profile={flag}"), "--label-conflict=rename"], directory());
        let whole = rewritten(&workshop, &[BODY.as_bytes()]);
        cuts.sort_unstable();
        cuts.push(BODY.len());
        let mut from = 0;
        let pieces: Vec<&[u8]> = cuts.iter().map(|to| {
            let piece = &BODY.as_bytes()[from..*to];
            from = *to;
            piece
        }).collect();
        prop_assert_eq!(&rewritten(&workshop, &pieces), &whole);
        let again = rewritten(&workshop, &[whole.0.as_bytes()]);
        prop_assert_eq!(again.0, whole.0);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, lines in "([a-z_]{0,4}[{]?[a-z]{0,2}=?\"?[\\\\a-z]?\"?[}]? ?[0-9]?\n?){0,6}") {
        let workshop = workshop(&["--profile=minimal", "--drop=empty-labels,slices,pause"], directory());
        for text in [&bytes[..], lines.as_bytes()] {
            let (mut rewriter, mut out) = (workshop.rewriter(), Vec::new());
            rewriter.push(text, &mut out);
            rewriter.finish(&mut out);
            for line in out.split(|byte| *byte == b'\n') {
                prop_assert!(Line::parse(line).is_some(), "{:?}", String::from_utf8_lossy(line));
            }
        }
    }
}

/// Series and values of a body, less the labels that are ours.
fn series(text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let ours = |line: &str| match field(line, "pod") {
        "" => line.to_owned(),
        pod => line.replacen(&format!(",pod_name=\"{pod}\""), "", 1),
    };
    let mut all: Vec<_> = text
        .lines()
        .map(ours)
        .filter_map(|line| match Line::parse(line.as_bytes()) {
            Some(Line::Sample(sample)) => Some((series_key(&sample), sample.value.to_vec())),
            _ => None,
        })
        .collect();
    all.sort();
    all
}

fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = [format!("{{{name}=\""), format!(",{name}=\"")];
    let after = start.iter().find_map(|start| line.split_once(start.as_str()));
    after.and_then(|(_, after)| after.split_once('"')).map_or("", |(value, _)| value)
}

/// What a profile drops, told anew with the means of a shell.
fn drops(profile: &str, line: &str) -> bool {
    let name = line.split(['{', ' ']).next().unwrap();
    let rest = name.strip_prefix("container_").unwrap_or("-");
    let starts = |list: &[&str]| list.iter().any(|start| rest.starts_with(start));
    match profile {
        "kube-prometheus" => {
            let unowned = field(line, "pod").is_empty() && field(line, "namespace").is_empty();
            let odd = rest.starts_with("spec_")
                || [
                    "file_descriptors",
                    "sockets",
                    "threads_max",
                    "threads",
                    "start_time_seconds",
                    "last_seen",
                ]
                .contains(&rest);
            [
                "network_tcp_usage_total",
                "network_udp_usage_total",
                "tasks_state",
                "cpu_load_average_10s",
            ]
            .contains(&rest)
                || odd && unowned
                || rest == "blkio_device_usage_total" && !field(line, "container").is_empty()
        }
        "kube-prometheus-stack" => {
            let fs = [
                "io_current",
                "io_time_seconds_total",
                "io_time_weighted_seconds_total",
                "reads_merged_total",
                "sector_reads_total",
                "sector_writes_total",
                "writes_merged_total",
            ];
            let interface = field(line, "interface");
            starts(&["spec"])
                || [
                    "file_descriptors",
                    "tasks_state",
                    "threads_max",
                    "memory_mapped_file",
                    "memory_swap",
                ]
                .contains(&rest)
                || [
                    "cfs_throttled_seconds_total",
                    "load_average_10s",
                    "system_seconds_total",
                    "user_seconds_total",
                ]
                .iter()
                .any(|end| rest == format!("cpu_{end}"))
                || fs.iter().any(|end| rest == format!("fs_{end}"))
                || rest == "memory_failures_total" && field(line, "scope") == "hierarchy"
                || starts(&["network_"])
                    && ["cali", "cilium", "cni", "lxc", "nodelocaldns", "tunl"]
                        .iter()
                        .any(|start| interface.starts_with(start))
                || !field(line, "id").is_empty() && field(line, "pod").is_empty()
        }
        _ => false,
    }
}

/// The recorded bodies, where there are any on this machine.
pub(super) fn samples() -> Vec<String> {
    let Some(folder) = std::env::var_os("CONFORMANCE_DIR") else { return Vec::new() };
    let folder = std::path::Path::new(&folder).join("cadvisor");
    let files = std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    let files = files.filter(|file| file.path().extension().is_some_and(|end| end == "prom"));
    files.map(|file| Files::default().text(&file.path()).unwrap()).collect()
}

#[test]
fn profiles_drop_what_an_independent_count_says_and_keep_every_other_value() {
    for body in samples().iter().map(String::as_str).chain([BODY]) {
        for profile in ["none", "kube-prometheus", "kube-prometheus-stack"] {
            let workshop = workshop(&[&format!("--profile={profile}")], Facts::default());
            let (out, counts) = rewritten(&workshop, &[body.as_bytes()]);
            let kept: Vec<&str> = body
                .lines()
                .filter(|line| !line.starts_with('#') && !drops(profile, line))
                .collect();
            assert_eq!(series(&out), series(&kept.join("\n")), "{profile}");
            assert_eq!(
                counts.series - counts.dropped_profile,
                series(&out).len() as u64,
                "{profile}"
            );
            assert_eq!(rewritten(&workshop, &[out.as_bytes()]).0, out, "{profile}");
        }
    }
}

#[test]
fn every_profile_gives_a_body_whose_headers_have_samples() {
    for body in samples().iter().map(String::as_str).chain([BODY]) {
        for profile in ["noise", "minimal", "k8s-monitoring"] {
            let workshop = workshop(&[&format!("--profile={profile}")], Facts::default());
            let (out, _) = rewritten(&workshop, &[body.as_bytes()]);
            let all = series(body);
            assert!(series(&out).iter().all(|one| all.binary_search(one).is_ok()), "{profile}");
            let mut lines = out.lines().peekable();
            while let Some(line) = lines.next() {
                assert!(!line.starts_with('#') || lines.peek().is_some(), "{profile}: {line}");
            }
        }
    }
}
