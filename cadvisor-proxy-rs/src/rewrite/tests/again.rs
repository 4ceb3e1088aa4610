//! What is remembered changes no answer.

use proptest::prelude::*;

use super::bodies::{directory, rewritten, workshop};
use crate::rewrite::*;

const UID: &str = "11111111-2222-3333-4444-555555555555";
const FLAGS: &[&[&str]] = &[
    &[],
    &["--profile=noise", "--labels=namespace,node,owner"],
    &["--profile=kube-prometheus", "--timestamps=drop"],
    &["--profile=kube-prometheus-stack", "--label-conflict=rename"],
    &["--profile=minimal", "--label-conflict=overwrite"],
    &["--profile=k8s-monitoring", "--k8s-1.15-labels"],
    &["--drop=empty-labels,pause,dead,pod-cgroups"],
    &["--drop=empty-labels,no-pod,root", "--k8s-1.15-labels", "--timestamps=drop"],
];

/// One label set: a container's labels with a family's own between them, sometimes written in another way.
fn label_set() -> impl Strategy<Value = String> {
    let id = prop_oneof![
        Just("/".to_owned()),
        Just("/system.slice".to_owned()),
        Just(format!("/kubepods/pod{UID}")),
        Just(format!("/kubepods/pod{UID}/{}", "a".repeat(64))),
        Just(format!("/kubepods/podeeeeeeee-2222-3333-4444-555555555555/{}", "b".repeat(64))),
        Just(String::new()),
    ];
    let filled = |text: &'static str| prop_oneof![Just(""), Just(text)];
    let block = (id, filled("app"), filled("web-1"), filled("i\\\"\\\\pause"), 0..6_u8);
    let own = proptest::sample::select(vec![
        "",
        "cpu=\"total\",",
        "device=\"/dev/sda\",",
        "device=\"\",",
        "scope=\"hierarchy\",",
        "interface=\"cali1\",",
        "interface=\"eth0\",state=\"x\\n\",",
        "node=\"0\",",
        "pod_name=\"other\",",
        "exported_pod_name=\"a\",",
        "x = \"y\",",
        "\"u.v\"=\"w\",",
    ]);
    (block, own, 0..4_usize).prop_map(|((id, container, pod, image, form), own, at)| {
        let mut labels = [
            format!("container=\"{container}\","),
            format!("id=\"{id}\","),
            format!("image=\"{image}\",namespace=\"shop\","),
            format!("pod=\"{pod}\","),
        ];
        labels[at].insert_str(0, own);
        let all = labels.concat();
        match form {
            0 => all,
            1 => format!("le=\"1\",{all}le=\"2\""),
            2 => own.trim_end_matches(',').to_owned(),
            _ => all.trim_end_matches(',').to_owned(),
        }
    })
}

fn line() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(vec![
        "container_a",
        "container_fs_reads_total",
        "container_memory_failures_total",
        "container_network_receive_bytes_total",
        "container_spec_x",
        "container_tasks_state",
    ]);
    let numbers = proptest::sample::select(vec![
        " 1 1700000000000",
        " 1 1700000000000",
        " 2.5e+03",
        " NaN 1",
        " x",
        "  1",
        " 1 2 # {a=\"b\"} 1",
        " 1 2 3",
    ]);
    (name, label_set(), numbers).prop_map(|(name, set, rest)| format!("{name}{{{set}}}{rest}\n"))
}

/// Each line as if nothing had been before it.
fn one_by_one(flags: &[&str], lines: &[&String]) -> (String, Counts) {
    let (mut text, mut counts) = (String::new(), Counts::default());
    for line in lines {
        let (out, one) = rewritten(&workshop(flags, directory()), &[line.as_bytes()]);
        text.push_str(&out);
        counts.add(&one);
    }
    (text, counts)
}

proptest! {
    #[test]
    fn labels_that_come_again_get_the_answer_they_got_alone(
        lines in proptest::collection::vec(line(), 1..8),
        order in proptest::collection::vec(0..8_usize, 1..40),
        flags in proptest::sample::select(FLAGS),
    ) {
        let body: Vec<&String> = order.iter().map(|at| &lines[at % lines.len()]).collect();
        let text = body.iter().map(|line| line.as_str()).collect::<String>();
        let expected = one_by_one(flags, &body);
        let workshop = workshop(flags, directory());
        for _ in 0..2 {
            let met = rewritten(&workshop, &[text.as_bytes()]);
            prop_assert_eq!(&met, &expected, "{:?}\n{}", flags, text);
        }
    }
}

#[test]
fn an_identity_that_changes_is_seen_by_the_next_body() {
    let id = "a".repeat(64);
    let body =
        format!("a{{id=\"/kubepods/pod{UID}/{id}\"}} 1\nb{{id=\"/kubepods/pod{UID}/{id}\"}} 1\n");
    let workshop = workshop(&[], directory());
    let first = rewritten(&workshop, &[body.as_bytes()]).0;
    assert_eq!(first.matches("pod_ip=\"10.1.2.3\"").count(), 2, "{first}");
    assert_eq!(rewritten(&workshop, &[body.as_bytes()]).0, first);
    let mut facts = directory();
    facts.pods[0].pod.ip = Some("10.9.9.9".to_owned());
    let changed = Directory { generation: 7, ..Directory::of(&facts) };
    // A body that is being read keeps the answer it began with.
    let (mut rewriter, mut out) = (workshop.rewriter(), Vec::new());
    let (one, other) = body.as_bytes().split_at(body.len() / 2);
    rewriter.push(one, &mut out);
    workshop.shared.store(changed);
    rewriter.push(other, &mut out);
    drop(rewriter);
    assert_eq!(String::from_utf8(out).unwrap(), first);
    let second = rewritten(&workshop, &[body.as_bytes()]).0;
    assert_eq!(second, first.replace("10.1.2.3", "10.9.9.9"));
}

#[test]
fn endless_new_labels_take_no_memory() {
    let workshop = workshop(&[], directory());
    let mut rewriter = workshop.rewriter();
    let mut out = Vec::new();
    for number in 0..20_000 {
        out.clear();
        let line = format!("a{{id=\"/{number}{}\"}} 1\n", "x".repeat(2_000));
        rewriter.push(line.as_bytes(), &mut out);
        assert_eq!(out, line.as_bytes());
    }
    assert!(rewriter.memory.blocks.bytes() < 5 << 20, "{}", rewriter.memory.blocks.bytes());
}
