//! Whatever an object holds, what it gives can be scraped.

use std::collections::HashSet;

use exporter_toolkit::line::{Line, series_key};
use proptest::prelude::*;

use super::*;

/// Rules that look everywhere.
const METRICS: &str = "
commonLabels: {a: common}
labelsFromPath: {'*': [a], 'b_*': [b], c: [], 'd.e': [b, -1]}
metrics:
  - {name: g, each: {type: Gauge, gauge: {path: [a], nilIsZero: true, labelFromKey: key, labelsFromPath: {'*': [], b: [b]}}}}
  - {name: g, each: {type: Gauge, gauge: {path: [], valueFrom: [a]}}}
  - {name: g, each: {type: Gauge, gauge: {path: [b, '[a=1]']}}}
  - {name: i, each: {type: Info, info: {path: [a], labelFromKey: a, labelsFromPath: {'*': [], a: []}}}}
  - {name: s, each: {type: StateSet, stateSet: {path: [a], labelName: a, list: [a, b, a], labelsFromPath: {b: [b]}}}}
";

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof!["[ab01]", "(True|no|5Gi|7%|NaN)", "\\PC{0,3}[\\\\\"\n]?"].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof!["[ab]", "[a-c]\\.[0-9]", "\\PC{0,3}", Just("__name__".to_owned())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_line_is_a_sample_and_no_series_repeats(object in value()) {
        let custom = config(METRICS).renderer("sea.example.org", "v1", "Boat", |_| true);
        let mut out = Rendered::default();
        custom.render(&serde_json::to_vec(&object).unwrap(), &mut out).unwrap();
        prop_assert_eq!(out.families().count(), 3);
        let mut series = HashSet::new();
        for line in out.text().split_inclusive(|&byte| byte == b'\n') {
            let Some(Line::Sample(sample)) = Line::parse(line.trim_ascii_end()) else {
                return Err(TestCaseError::fail(String::from_utf8_lossy(line).into_owned()));
            };
            prop_assert!(series.insert(series_key(&sample)), "{}", String::from_utf8_lossy(line));
        }
    }
}
