//! The peer's own cases, an object in and its samples out, and its table of families.
//!
//! They run where `$CONFORMANCE_DIR`, or `../shared/conformance` beside the checkout, holds them; elsewhere they say that
//! they are skipped. `CONFORMANCE_ONLY=pods,nodes` looks at some resources only. Of a cron job
//! without a time zone the cases expect UTC: where the machine has another, they want `TZ=UTC`.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, whose helpers are part of it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use exporter_toolkit::line::{Line, series_key};
use kube_state_rs::family::{About, Given, Stability};
use kube_state_rs::rendered::Rendered;
use kube_state_rs::resource::{BuiltIn, RESOURCES, Renderer as _, find};
use kube_state_rs::selection::{Keys, Selection};
use kube_state_rs::shard::Shard;
use serde::Deserialize;

/// A line of `cases/index.jsonl`.
#[derive(Deserialize)]
struct Case {
    id: String,
    resource: String,
    name_filters: Option<Vec<String>>,
    labels_allowlist: Option<Vec<String>>,
    annotations_allowlist: Option<Vec<String>>,
    opt_in: Vec<String>,
}

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance");
    let folder = std::env::var_os("CONFORMANCE_DIR").map_or(beside, PathBuf::from);
    let folder = folder.join("kube-state-metrics");
    if !folder.join("metrics.tsv").is_file() {
        eprintln!("skipped: set CONFORMANCE_DIR to the folder that holds kube-state-metrics/");
        return None;
    }
    Some(folder)
}

fn looked_at(resource: &str) -> bool {
    std::env::var("CONFORMANCE_ONLY")
        .map_or(true, |only| only.split(',').any(|one| one == resource))
}

#[test]
fn every_case_of_the_peer_gives_its_samples() {
    let Some(folder) = data() else { return };
    let index = fs::read_to_string(folder.join("cases/index.jsonl")).unwrap();
    let mut tally: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut report = String::new();
    let cases = index.lines().map(|line| serde_json::from_str::<Case>(line).unwrap());
    for case in cases.filter(|case| looked_at(&case.resource)) {
        let (passed, total) = tally.entry(case.resource.clone()).or_default();
        *total += 1;
        match judge(&folder.join("cases"), &case) {
            Ok(()) => *passed += 1,
            Err(differences) => writeln!(report, "{}:\n{differences}", case.id).unwrap(),
        }
    }
    for (resource, (passed, total)) in &tally {
        println!("{resource:<34} {passed:>3} of {total:>3}");
    }
    assert!(report.is_empty(), "{report}");
}

fn judge(cases: &Path, case: &Case) -> Result<(), String> {
    let read = |end: &str| fs::read_to_string(cases.join(format!("{}{end}", case.id))).unwrap();
    let object: serde_json::Value = serde_saphyr::from_str(&read(".yaml")).unwrap();
    let ours = rendered(case, &serde_json::to_vec(&object).unwrap())?;
    let full: BTreeSet<String> = read(".full.txt").lines().filter_map(series).collect();
    let mut problems = String::new();
    differences(&ours.lines().filter_map(series).collect(), &full, &mut problems);
    let kept = |line: &&str| {
        case.name_filters.as_ref().is_none_or(|filters| {
            filters.iter().any(|filter| {
                line.contains(filter.as_str())
                    || fancy_regex::Regex::new(filter)
                        .is_ok_and(|filter| filter.is_match(line).unwrap())
            })
        })
    };
    let wanted = read(".txt").lines().filter_map(series).collect();
    let given = ours.lines().filter(kept).filter_map(series).collect();
    differences(&given, &wanted, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn rendered(case: &Case, json: &[u8]) -> Result<String, String> {
    let resource = find(&case.resource).ok_or("no such resource")?;
    // The peer's test of these sets its allowlists beside the case, where the index did not see them.
    let lost = matches!(case.id.as_str(), "endpoints/03" | "endpoints/04");
    let keys = |given: &Option<Vec<String>>| match given {
        None if lost => Some(Keys::new(&["app"])),
        given => given.as_ref().map(|keys| Keys::new(keys)),
    };
    let selection = Selection {
        labels: keys(&case.labels_allowlist),
        annotations: keys(&case.annotations_allowlist),
    };
    let renderer = BuiltIn::new(resource, selection, |about| match about.given {
        Given::Always => true,
        Given::OptIn => case.opt_in.iter().any(|name| name == about.name),
        Given::Compat => false,
    });
    let mut out = Rendered::default();
    renderer.render(json, &mut out).map_err(|error| error.to_string())?;
    assert_eq!(out.families().count(), renderer.families().len());
    Ok(String::from_utf8(out.text().to_vec()).unwrap())
}

/// A sample line with its labels sorted and its value as a float.
fn series(line: &str) -> Option<String> {
    let Some(Line::Sample(sample)) = Line::parse(line.as_bytes()) else { return None };
    let value: f64 = std::str::from_utf8(sample.value).unwrap().parse().unwrap();
    Some(format!("{} {value}", String::from_utf8(series_key(&sample)).unwrap()))
}

fn differences(ours: &BTreeSet<String>, theirs: &BTreeSet<String>, out: &mut String) {
    for line in theirs.difference(ours) {
        writeln!(out, "  missing: {line}").unwrap();
    }
    for line in ours.difference(theirs) {
        writeln!(out, "  surplus: {line}").unwrap();
    }
}

#[test]
fn an_object_is_held_by_the_shard_that_the_peer_gives_it_to() {
    let Some(folder) = data() else { return };
    let vectors = fs::read_to_string(folder.join("cases/sharding.tsv")).unwrap();
    let vectors: Vec<&str> = vectors.lines().skip(1).collect();
    assert_eq!(vectors.len(), 100);
    for vector in vectors {
        let [uid, total, shard] = vector.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let (total, shard): (u32, u32) = (total.parse().unwrap(), shard.parse().unwrap());
        let holders: Vec<u32> = (0..total).filter(|&n| Shard::new(n, total).holds(uid)).collect();
        assert_eq!(holders, [shard], "{vector}");
    }
}

#[test]
fn the_tables_hold_the_peers_families() {
    let Some(folder) = data() else { return };
    let table = fs::read_to_string(folder.join("metrics.tsv")).unwrap();
    let theirs: BTreeMap<&str, Vec<&str>> = table
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|row| looked_at(row[0]))
        .map(|row| (row[2], row))
        .collect();
    let mut problems = String::new();
    let mut ours = BTreeSet::new();
    for resource in RESOURCES.iter().filter(|resource| looked_at(resource.plural())) {
        let families = resource.families();
        for about in families.iter().filter(|about| about.given != Given::Compat) {
            let Some(row) = theirs.get(about.name) else {
                writeln!(problems, "{} is not the peer's", about.name).unwrap();
                continue;
            };
            ours.insert(about.name);
            check_row(resource.plural(), resource.default(), &resource.key().labels(), about, row)
                .unwrap_or_else(|problem| writeln!(problems, "{}: {problem}", about.name).unwrap());
        }
    }
    for name in theirs.keys().filter(|name| !ours.contains(**name)) {
        writeln!(problems, "{name} is missing").unwrap();
    }
    assert!(problems.is_empty(), "{problems}");
}

fn check_row(
    plural: &str,
    default: bool,
    key: &[&str],
    about: &About,
    row: &[&str],
) -> Result<(), String> {
    let same = |what: &str, ours: &str, theirs: &str| {
        if ours == theirs { Ok(()) } else { Err(format!("{what} is {ours}, the peer's {theirs}")) }
    };
    same("the resource", plural, row[0])?;
    same("the type", about.kind.word(), row[3])?;
    let mut ours: Vec<&str> = key.iter().chain(about.labels).copied().collect();
    let mut theirs: Vec<&str> = row[4].split(',').map(|name| name.trim_end_matches('?')).collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    // Families with labels of the object declare none; a few have some fixed ones too, which the cases prove.
    if row[5].is_empty() {
        same("the label set", &ours.join(","), &theirs.join(","))?;
    }
    let stability = match (about.stability, about.deprecated) {
        (Stability::Stable, None) => "STABLE".to_owned(),
        (Stability::Stable, Some(since)) => format!("STABLE;deprecated {since}"),
        (Stability::Alpha, _) => "ALPHA".to_owned(),
    };
    same("the stability", &stability, row[6])?;
    let given = match row[7] {
        "opt-in-metric" => Given::OptIn,
        _ => Given::Always,
    };
    same("when it is given", &format!("{:?}", about.given), &format!("{given:?}"))?;
    same("being on by default", &default.to_string(), &(!row[7].starts_with("no ")).to_string())
}
