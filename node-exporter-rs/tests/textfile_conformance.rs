//! The peer's fifteen textfile cases: series, TYPE, and HELP of what the files say.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, whose helpers are part of it"
)]

#[path = "support/data.rs"]
mod data;

use std::collections::BTreeMap;

use exporter_toolkit::line::{self, Keyword, Line};
use exporter_toolkit::{Exposition, Format};
use node_exporter_rs::collector::{Setup, textfile};
use node_exporter_rs::flags::Flags;

const DIRECTORY: &str = "collector.textfile.directory";
/// The peer's test sets all these times to 1.
const MTIME: &str = "node_textfile_mtime_seconds";

/// Every sample and header as one key and what stands with it. Our own families have help texts of our own.
fn read(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let (key, value) = match Line::parse(line.as_bytes()) {
            Some(Line::Sample(sample)) => {
                let key = String::from_utf8(line::series_key(&sample)).unwrap();
                let value = sample.number().unwrap();
                (
                    key,
                    if sample.name == MTIME.as_bytes() {
                        "time".to_owned()
                    } else {
                        value.to_string()
                    },
                )
            }
            Some(Line::Header(header)) => {
                let family = String::from_utf8_lossy(header.family);
                if header.keyword == Keyword::Help && family.starts_with("node_textfile_") {
                    continue;
                }
                (
                    format!("{:?} {family}", header.keyword),
                    String::from_utf8_lossy(header.text).into_owned(),
                )
            }
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(found.insert(key, value), None, "twice: {line}");
    }
    found
}

fn scrape(directories: &[String]) -> String {
    let mut flags = Flags::default();
    for directory in directories {
        flags.set(DIRECTORY, directory);
    }
    let setup = Setup { flags, ..Setup::default() };
    let mut collector = (textfile::SPEC.build)(&setup).unwrap();
    let mut out = Exposition::new(Format::Text);
    for _ in 0..2 {
        out.restart(Format::Text);
        collector.collect(&mut out).unwrap();
    }
    String::from_utf8(out.text().to_vec()).unwrap()
}

#[test]
fn every_case_of_the_peer_gives_its_expected_text() {
    let Some((_data, _folder)) = data::unpacked() else { return };
    std::env::set_current_dir("collector").unwrap();
    let mut cases = 0;
    for entry in std::fs::read_dir("fixtures/textfile").unwrap() {
        let path = entry.unwrap().path();
        let Some(case) = path.to_str().unwrap().strip_suffix(".out") else { continue };
        let expected = read(&std::fs::read_to_string(&path).unwrap());
        let below = |name: &str| format!("fixtures/textfile/{name}");
        let ways = if case.ends_with("/glob_extra_dimension") {
            let two = ["histogram_extra_dimension", "summary_extra_dimension"].map(below);
            vec![vec![below("*_extra_dimension")], two.to_vec()]
        } else {
            vec![vec![case.to_owned()]]
        };
        for directories in ways {
            assert_eq!(read(&scrape(&directories)), expected, "{case}");
        }
        cases += 1;
    }
    println!("{cases} of 15 cases");
    assert_eq!(cases, 15);
}
