//! Any bytes as lines of an exposition: a sample that was read can be written and read again.
#![no_main]

use exporter_toolkit::line::{Line, series_key, unescape};
use fuzz::{files, fixtures, seeds};
use libfuzzer_sys::fuzz_target;

fn inputs() -> Vec<Vec<u8>> {
    let tree = fixtures("node-exporter-rs");
    let texts = files(&tree).into_iter().filter(|path| path.ends_with("expected.prom"));
    texts.filter_map(|path| std::fs::read(tree.join(path)).ok()).collect()
}

fuzz_target!(init: seeds(inputs), |input: &[u8]| {
    for line in input.split(|byte| *byte == b'\n') {
        let Some(Line::Sample(sample)) = Line::parse(line) else { continue };
        let mut count = 0;
        for (_, value) in sample.labels.iter() {
            assert!(unescape(value).len() <= value.len());
            count += 1;
        }
        assert!(count <= line.len());
        let key = series_key(&sample);
        let Some(Line::Sample(again)) = Line::parse(line) else { panic!("read once only") };
        assert_eq!(series_key(&again), key);
    }
});
