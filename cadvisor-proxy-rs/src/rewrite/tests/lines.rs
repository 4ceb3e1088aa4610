//! One thing at a time.

use super::bodies::{directory, options, rewritten, workshop};
use crate::rewrite::*;

const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const UID: &str = "11111111-2222-3333-4444-555555555555";

fn cgroup() -> String {
    format!("/kubepods/burstable/pod{UID}/{ID}")
}

/// What one body becomes with flags.
fn with(flags: &[&str], body: &str) -> String {
    let body = body.replace("ID", &cgroup()).replace("UP", &format!("/kubepods/pod{UID}"));
    rewritten(&workshop(flags, directory()), &[body.as_bytes()]).0
}

#[test]
fn pod_ip_and_pod_name_are_added() {
    let out = with(&[], "a{id=\"ID\",pod=\"web-1\"} 1 2\nb{id=\"/\"} 1\n");
    let expected = format!(
        "a{{id=\"{}\",pod=\"web-1\",pod_ip=\"10.1.2.3\",pod_name=\"web-1\"}} 1 2\nb{{id=\"/\"}} 1\n",
        cgroup()
    );
    assert_eq!(out, expected);
}

#[test]
fn ends_of_lines_as_elsewhere_are_left_out_however_many_there_are() {
    let body = "# HELP a A.\r\r\r\na 1\r\nb 2\r\r\n\r\r\n";
    assert_eq!(with(&[], body), "# HELP a A.\na 1\nb 2\n");
    assert_eq!(with(&[], "a{ b=\"\"  ,  }  0 2\n"), "a{b=\"\"} 0 2\n");
}

#[test]
fn a_label_that_is_there_twice_costs_its_line_alone() {
    let body = "a{id=\"ID\",x=\"1\",y=\"2\"} 1\na{id=\"ID\",x=\"1\",x=\"2\"} 1\na{id=\"ID\",pod=\"\",pod=\"\"} 1\n\
                a{id=\"ID\",x=\"1\",y=\"3\"} 1\n";
    let out = with(&[], body);
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.contains("y=\"2\"") && out.contains("y=\"3\""), "{out}");
}

#[test]
fn series_without_an_id_are_known_by_namespace_and_pod() {
    let out = with(&[], "a{namespace=\"shop\",pod=\"web-1\",} 1\n");
    assert_eq!(
        out,
        "a{namespace=\"shop\",pod=\"web-1\",pod_ip=\"10.1.2.3\",pod_name=\"web-1\"} 1\n"
    );
    let unknown = with(&[], "a{namespace=\"other\",pod=\"web-1\"} 1\n");
    assert_eq!(unknown, "a{namespace=\"other\",pod=\"web-1\",pod_name=\"web-1\"} 1\n");
}

#[test]
fn lost_labels_are_filled_in() {
    let line = "a{container=\"\",id=\"ID\",image=\"\",name=\"\",namespace=\"\",pod=\"\"} 1\n";
    let out = with(&[], line);
    for part in [
        "container=\"app\"",
        "image=\"shop:1\"",
        "name=\"k8s_app\"",
        "namespace=\"shop\"",
        "pod=\"web-1\"",
    ] {
        assert!(out.contains(part), "{out}");
    }
    let pod_level = with(&[], "a{container=\"\",id=\"UP\",pod=\"\"} 1\n");
    assert!(
        pod_level.contains("container=\"\"") && pod_level.contains("pod=\"web-1\""),
        "{pod_level}"
    );
}

#[test]
fn a_label_is_never_there_twice() {
    let line = "a{id=\"ID\",pod_name=\"mine\",exported_pod_name=\"old\"} 1\n";
    for (how, parts) in [
        ("keep", &["pod_name=\"mine\"", "exported_pod_name=\"old\""][..]),
        ("overwrite", &["pod_name=\"web-1\"", "exported_pod_name=\"old\""]),
        (
            "rename",
            &[
                "pod_name=\"web-1\"",
                "exported_pod_name=\"old\"",
                "exported_exported_pod_name=\"mine\"",
            ],
        ),
    ] {
        let flag = format!("--label-conflict={how}");
        let out = with(&[&flag], line);
        for part in parts {
            assert_eq!(out.matches(&format!(",{part}")).count(), 1, "{how}: {part}: {out}");
        }
        assert_eq!(with(&[&flag], &out), out, "{how}");
    }
    assert!(with(&[], "a{id=\"ID\",pod_name=\"\"} 1\n").contains("pod_name=\"web-1\""));
}

#[test]
fn names_of_both_ages_are_there_on_request() {
    let out = with(
        &["--k8s-1.15-labels"],
        "a{container_name=\"c\",pod_name=\"p\"} 1\nb{container=\"c\",pod=\"p\"} 1\n",
    );
    assert_eq!(
        out,
        "a{container_name=\"c\",pod_name=\"p\",pod=\"p\",container=\"c\"} 1\n\
         b{container=\"c\",pod=\"p\",pod_name=\"p\",container_name=\"c\"} 1\n"
    );
}

#[test]
fn headers_go_with_their_family() {
    let body = "# HELP container_tasks_state x\n# TYPE container_tasks_state gauge\ncontainer_tasks_state 1\n\
                # HELP b x\n# TYPE b histogram\n# other\nb_bucket{le=\"1\"} 1\nb_sum 1\nb_count 1\n# TYPE none gauge\n";
    let out = with(&["--profile=kube-prometheus"], body);
    assert_eq!(out, "# HELP b x\n# TYPE b histogram\nb_bucket{le=\"1\"} 1\nb_sum 1\nb_count 1\n");
}

#[test]
fn a_header_that_comes_again_goes_out_once() {
    let body = "# TYPE a gauge\n# TYPE a counter\na 1\n# TYPE b gauge\n# TYPE a gauge\n# HELP a x\na 2\nb 1\n# TYPE a gauge\na 3\n";
    let out = with(&[], body);
    assert_eq!(out, "# TYPE a gauge\na 1\n# HELP a x\na 2\nb 1\na 3\n");
    assert_eq!(with(&[], &out), out);
}

#[test]
fn open_metrics_keeps_exemplars_and_its_end() {
    let body = "a_total{id=\"ID\"} 1 2 # {trace=\"}\"} 1 3\n# EOF\nb 1\n";
    let out = with(&["--timestamps=drop"], body);
    assert!(out.ends_with("pod_name=\"web-1\"} 1 # {trace=\"}\"} 1 3\n# EOF\n"), "{out}");
}

#[test]
fn lines_that_are_none_or_too_long_are_left_out_and_counted() {
    let long = format!("a{{b=\"{}\"}} 1\nc 1\nd{{ 1\ne 1", "x".repeat(LINE_LIMIT));
    let (out, counts) = rewritten(&workshop(&[], directory()), &[long.as_bytes()]);
    assert_eq!(out, "c 1\ne 1\n");
    assert_eq!((counts.too_long, counts.malformed, counts.series), (1, 1, 2));
}

#[test]
fn an_endless_line_takes_no_memory() {
    let workshop = workshop(&[], directory());
    let mut rewriter = workshop.rewriter();
    let mut out = Vec::new();
    for _ in 0..200 {
        rewriter.push(&vec![b'x'; 64 * 1024], &mut out);
        assert!(rewriter.memory.partial.capacity() <= 4 * LINE_LIMIT);
    }
    rewriter.push(b"\na 1\n", &mut out);
    assert_eq!((out.as_slice(), rewriter.counts().too_long), (&b"a 1\n"[..], 1));
}

#[test]
fn noise_goes_by_its_kind() {
    let slice = "a{id=\"/system.slice/x.service\",pod=\"\"} 1\n";
    let pause = format!("a{{container=\"POD\",id=\"{}\",pod=\"web-1\"}} 1\n", cgroup());
    for (flag, line, stays) in [
        ("slices", slice, false),
        ("slices", "a{id=\"/\"} 1\n", true),
        ("root", "a{id=\"/\"} 1\n", false),
        ("no-pod", slice, false),
        ("pod-cgroups", "a{id=\"UP\",pod=\"web-1\"} 1\n", false),
        ("pod-cgroups", "a{id=\"ID\",pod=\"web-1\"} 1\n", true),
        ("pause", pause.as_str(), false),
        ("pause", "a{container=\"app\",id=\"ID\",pod=\"web-1\"} 1\n", true),
        ("dead", "a{id=\"ID\"} 1\n", true),
        ("host-network", "container_network_x{id=\"ID\"} 1\n", true),
        ("slices", "process_cpu 1\n", true),
    ] {
        let out = with(&[&format!("--drop={flag}")], line);
        assert_eq!(!out.is_empty(), stays, "{flag}: {line}");
    }
    let mut ended = directory();
    ended.pods.iter_mut().for_each(|pod| {
        pod.pod.ended = true;
        pod.pod.host_network = true;
    });
    let body = format!("container_network_x{{id=\"{}\"}} 1\n", cgroup());
    for flag in ["--drop=dead", "--drop=host-network"] {
        assert_eq!(rewritten(&workshop(&[flag], ended.clone()), &[body.as_bytes()]).0, "");
    }
    assert_eq!(
        with(&["--drop=empty-labels"], "a{b=\"\",c=\"d\"} 1\ne{f=\"\"} 1\n"),
        "a{c=\"d\"} 1\ne 1\n"
    );
}

#[test]
fn labels_are_added_on_request() {
    let mut facts = directory();
    facts.pods[0].pod.labels.insert("label_tier".to_owned(), "a\"b".to_owned());
    let body = format!("a{{id=\"{}\"}} 1\n", cgroup());
    let flags = ["--labels=namespace,container,node,pod-uid,owner"];
    let (out, _) = rewritten(&workshop(&flags, facts), &[body.as_bytes()]);
    for part in [
        "namespace=\"shop\"",
        "container=\"app\"",
        "node=\"n1\"",
        "owner_kind=\"ReplicaSet\"",
        "owner_name=\"web\"",
        "label_tier=\"a\\\"b\"",
        UID,
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn every_series_is_our_pods_beside_an_app() {
    let settings = Settings::new(&options(&[]), Subject::Own).unwrap();
    let mut facts = directory();
    facts.own = Some(facts.pods[0].pod.clone());
    let shared = Shared::fixed(Directory::of(&facts));
    let workshop = Arc::new(Workshop::new(settings, Arc::new(shared)));
    let (out, _) = rewritten(&workshop, &[b"a 1\nb{pod=\"x\",namespace=\"y\"} 2\n{\"c.d\"} 3\n"]);
    assert_eq!(
        out,
        "a{pod_ip=\"10.1.2.3\",pod_name=\"web-1\"} 1\n\
         b{pod=\"x\",namespace=\"y\",pod_ip=\"10.1.2.3\",pod_name=\"web-1\"} 2\n\
         {\"c.d\",pod_ip=\"10.1.2.3\",pod_name=\"web-1\"} 3\n"
    );
}

#[test]
fn own_rules_see_the_added_labels() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    let rules = "- {source_labels: [pod_name], regex: web-.*, action: keep}\n\
                 - {source_labels: [__name__], regex: 'a(.*)', target_label: __name__, replacement: 'b$1'}\n\
                 - {regex: id, action: labeldrop}\n";
    std::fs::write(&file, rules).unwrap();
    let flag = format!("--relabel-file={}", file.display());
    let out = with(&[&flag], "# TYPE a gauge\na{id=\"ID\"} 1\na{id=\"/\"} 1\n");
    assert_eq!(out, "b{pod_ip=\"10.1.2.3\",pod_name=\"web-1\"} 1\n");
}
