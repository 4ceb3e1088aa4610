//! Any bytes as a body on its way through the proxy: however it is cut and whatever was there before, one answer; each of its
//! lines can be read; a second pass changes nothing.
#![no_main]

use std::sync::{Arc, LazyLock};

use cadvisor_proxy_rs::identity::{
    Container, ContainerFacts, Directory, Facts, Pod, PodFacts, Shared,
};
use cadvisor_proxy_rs::rewrite::{
    Added, Conflict, Counts, Noise, Profile, RewriteOptions, Rewriter, Settings, Subject,
    Timestamps, Workshop,
};
use exporter_toolkit::line::Line;
use fuzz::{choice, chosen, seeds};
use libfuzzer_sys::fuzz_target;

const UID: &str = "11111111-2222-3333-4444-555555555555";

fn options(profile: Profile) -> RewriteOptions {
    RewriteOptions {
        profile,
        relabel_file: None,
        drop: Vec::new(),
        labels: Vec::new(),
        label_conflict: Conflict::Keep,
        old_labels: false,
        timestamps: Timestamps::Keep,
    }
}

fn facts() -> Facts {
    let pod = Pod {
        uid: UID.to_owned(),
        namespace: "shop".to_owned(),
        name: "web-1".to_owned(),
        ip: Some("10.1.2.3".to_owned()),
        node: Some("n\"1".to_owned()),
        labels: [("device".to_owned(), "d".to_owned())].into(),
        ..Pod::default()
    };
    let container = Container {
        id: "a".repeat(64),
        name: "app".to_owned(),
        image: Some("shop:1".to_owned()),
        running: true,
        ..Container::default()
    };
    Facts {
        own: Some(pod.clone()),
        pods: vec![PodFacts { pod, hash: None, lost: false }],
        containers: vec![ContainerFacts { container, pod: Some(UID.to_owned()) }],
    }
}

/// What is tried, and whether a second pass changes nothing: with labels of both ages it makes `pod` of our `pod_name`.
static WORKSHOPS: LazyLock<Vec<(Arc<Workshop>, bool)>> = LazyLock::new(|| {
    let cases = [
        (options(Profile::None), Subject::Cgroups, true),
        (options(Profile::KubePrometheusStack), Subject::Cgroups, true),
        (
            RewriteOptions { label_conflict: Conflict::Rename, ..options(Profile::KubePrometheus) },
            Subject::Cgroups,
            true,
        ),
        (
            RewriteOptions {
                drop: vec![Noise::EmptyLabels, Noise::Pause, Noise::Root],
                label_conflict: Conflict::Overwrite,
                timestamps: Timestamps::Drop,
                ..options(Profile::Minimal)
            },
            Subject::Cgroups,
            true,
        ),
        (
            RewriteOptions {
                old_labels: true,
                labels: vec![Added::Node],
                ..options(Profile::K8sMonitoring)
            },
            Subject::Cgroups,
            false,
        ),
        (options(Profile::Noise), Subject::Own, true),
    ];
    let workshop = |options: &RewriteOptions, subject| {
        let settings = Settings::new(options, subject).expect("settings that can be followed");
        Arc::new(Workshop::new(settings, Arc::new(Shared::fixed(Directory::of(&facts())))))
    };
    cases.iter().map(|(options, subject, stable)| (workshop(options, *subject), *stable)).collect()
});

/// What a body in pieces of so many bytes becomes.
fn rewritten(mut rewriter: Rewriter, body: &[u8], piece: usize) -> (Vec<u8>, Counts) {
    let mut out = Vec::new();
    for piece in body.chunks(piece.max(1)) {
        rewriter.push(piece, &mut out);
    }
    rewriter.finish(&mut out);
    (out, rewriter.counts())
}

/// A rewriter that remembers nothing: the first one holds what there is.
fn fresh(workshop: &Arc<Workshop>) -> Rewriter {
    let _holder = workshop.rewriter();
    workshop.rewriter()
}

fn inputs() -> Vec<Vec<u8>> {
    let id = format!("/kubepods/pod{UID}/{}", "a".repeat(64));
    let body = format!(
        "# HELP container_a some \"help\"\n# TYPE container_a counter\n\
         container_a{{container=\"\",id=\"{id}\",image=\"\",name=\"\",namespace=\"\",pod=\"\"}} 1 1700000000000\n\
         container_a{{container=\"app\",id=\"{id}\",image=\"i\",namespace=\"shop\",pod=\"web-1\"}} 1 1700000000000\n\
         # TYPE container_fs_reads_total counter\n\
         container_fs_reads_total{{container=\"\",device=\"/dev/sda\",id=\"{id}\",image=\"\",name=\"\",namespace=\"\",pod=\"\"}} 1\n\
         container_fs_reads_total{{container=\"app\",device=\"\",id=\"{id}\",image=\"i\",namespace=\"shop\",pod=\"web-1\"}} 1e+03\n\
         container_network_b{{id=\"/\",interface=\"cali1\",pod_name=\"x\"}} NaN\n\
         b_bucket{{le=\"+Inf\"}} 3 # {{trace=\"x\"}} 1\n{{\"c.d\",e=\"f\"}} 1 2\nlast 1\n# EOF\n"
    );
    (0..WORKSHOPS.len()).map(|number| chosen(number, &[&[7], body.as_bytes()].concat())).collect()
}

fuzz_target!(init: seeds(inputs), |input: &[u8]| {
    let Some((number, input)) = choice(input, WORKSHOPS.len()) else { return };
    let Some((piece, body)) = input.split_first() else { return };
    let (workshop, stable) = &WORKSHOPS[number];
    let (out, counts) = rewritten(fresh(workshop), body, body.len());
    for rewriter in [workshop.rewriter(), fresh(workshop)] {
        assert_eq!(rewritten(rewriter, body, usize::from(*piece)), (out.clone(), counts), "in pieces");
    }
    for line in out.split(|byte| *byte == b'\n') {
        assert!(Line::parse(line).is_some(), "{}", String::from_utf8_lossy(line));
    }
    if *stable {
        assert!(rewritten(workshop.rewriter(), &out, out.len()).0 == out, "a second pass");
    }
});
