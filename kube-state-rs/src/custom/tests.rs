mod hostile;

use exporter_toolkit::Format;
use serde_json::{Value, json};

use super::*;

/// A configuration of one resource whose metrics are `metrics`, indented by one step.
fn config(metrics: &str) -> Config {
    Config::read(&yaml(metrics), "test").unwrap()
}

fn yaml(metrics: &str) -> String {
    let mut text = "kind: CustomResourceStateMetrics\nspec:\n  resources:\n    - groupVersionKind: {group: sea.example.org, version: v1, kind: Boat}\n".to_owned();
    for line in metrics.lines() {
        text.push_str("      ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn boat() -> Value {
    json!({
        "apiVersion": "sea.example.org/v1", "kind": "Boat",
        "metadata": {
            "name": "erika", "namespace": "north", "creationTimestamp": "2022-06-28T00:00:00Z",
            "labels": {"fleet": "blue"}, "annotations": {"fleet": "red", "home.port": "kiel"},
        },
        "spec": {"sails": 3, "ports": ["kiel", "bergen"], "draft": "250cm"},
        "status": {
            "phase": "Sailing", "speed": 6.5, "load": "28%", "tank": "5Gi",
            "decks": {"lower": {"used": 1, "free": 2}, "upper": {"used": 3, "free": 4}},
            "crew": {"cook": 1, "mate": 2, "note": "all well"},
            "conditions": [
                {"type": "Ready", "status": "True"}, {"type": "Leaking", "status": "False"},
                {"type": "Lost", "status": "Unknown"}, {"type": "Odd"},
            ],
        },
    })
}

/// The samples of `object` less the three labels that all carry, and how many values gave none.
fn samples(config: &Config, object: &Value) -> (Vec<String>, u64) {
    let custom = config.renderer("sea.example.org", "v1", "Boat", |_| true);
    let mut out = Rendered::default();
    custom.render(&serde_json::to_vec(object).unwrap(), &mut out).unwrap();
    assert_eq!(out.families().count(), custom.families().len());
    let usual = "customresource_group=\"sea.example.org\",customresource_kind=\"Boat\",customresource_version=\"v1\"";
    let text = String::from_utf8(out.text().to_vec()).unwrap();
    let bare = |line: &str| {
        assert!(line.contains(usual), "{line}");
        line.replace(&format!(",{usual}"), "").replace(usual, "").replace("{,", "{")
    };
    (text.lines().map(bare).collect(), custom.errors())
}

fn given(metrics: &str) -> Vec<String> {
    samples(&config(metrics), &boat()).0
}

fn refused(text: &str) -> String {
    Config::read(text, "crs.yaml").unwrap_err().to_string()
}

#[test]
fn a_gauge_takes_the_value_that_its_path_leads_to() {
    let metrics = "
labelsFromPath: {name: [metadata, name]}
metrics:
  - {name: speed, each: {type: Gauge, gauge: {path: [status, speed]}}}
  - {name: load, each: {type: gauge, gauge: {path: [status, load]}}}
  - {name: tank, each: {type: GAUGE, gauge: {path: [status, tank]}}}
  - {name: made, each: {type: Gauge, gauge: {path: [metadata, creationTimestamp]}}}
  - {name: ready, each: {type: Gauge, gauge: {path: [status, conditions, '[type=Ready]', status]}}}
";
    let wanted = [
        "kube_customresource_speed{name=\"erika\"} 6.5",
        "kube_customresource_load{name=\"erika\"} 0.28",
        "kube_customresource_tank{name=\"erika\"} 5.36870912e+09",
        "kube_customresource_made{name=\"erika\"} 1.6563744e+09",
        "kube_customresource_ready{name=\"erika\"} 1",
    ];
    assert_eq!(given(metrics), wanted);
}

#[test]
fn an_object_gives_a_sample_for_each_field_with_a_value() {
    let metrics = "
metricNamePrefix: boat
metrics:
  - name: crew
    each: {type: Gauge, gauge: {path: [status, crew], labelFromKey: rank}}
  - name: free
    each:
      type: Gauge
      gauge:
        path: [status, decks]
        labelFromKey: deck
        labelsFromPath: {used: [used]}
        valueFrom: [free]
";
    let wanted = [
        "boat_crew{rank=\"cook\"} 1",
        "boat_crew{rank=\"mate\"} 2",
        "boat_free{deck=\"lower\",used=\"1\"} 2",
        "boat_free{deck=\"upper\",used=\"3\"} 4",
    ];
    let (lines, errors) = samples(&config(metrics), &boat());
    assert_eq!(lines, wanted);
    assert_eq!(errors, 0);
}

#[test]
fn labels_may_stand_beside_the_value() {
    let metrics = "
metricNamePrefix: ''
metrics:
  - name: made
    each:
      type: Gauge
      gauge: {path: [metadata], valueFrom: [creationTimestamp], labelsFromPath: {name: [name]}}
";
    assert_eq!(given(metrics), ["made{name=\"erika\"} 1.6563744e+09"]);
}

#[test]
fn a_list_gives_a_sample_for_each_item_with_a_value() {
    let metrics = "
metricNamePrefix: boat
metrics:
  - name: condition
    each:
      type: Gauge
      gauge: {path: [status, conditions], valueFrom: [status], labelsFromPath: {type: [type]}}
";
    let wanted = [
        "boat_condition{type=\"Leaking\"} 0",
        "boat_condition{type=\"Lost\"} 0",
        "boat_condition{type=\"Ready\"} 1",
    ];
    let (lines, errors) = samples(&config(metrics), &boat());
    assert_eq!(lines, wanted);
    assert_eq!(errors, 0, "a value that is missing in an item is no error");
}

#[test]
fn a_path_that_leads_nowhere_is_an_error_unless_nil_is_zero() {
    let metrics = "
metricNamePrefix: boat
metrics:
  - {name: wrecks, each: {type: Gauge, gauge: {path: [status, wrecks]}}}
  - {name: draft, each: {type: Gauge, gauge: {path: [spec, draft]}}}
  - {name: missing, each: {type: Gauge, gauge: {path: [spec, sails], valueFrom: [count]}}}
  - {name: holes, each: {type: Gauge, gauge: {path: [status, holes], nilIsZero: true}}}
";
    let (lines, errors) = samples(&config(metrics), &boat());
    assert_eq!((lines, errors), (vec!["boat_holes{} 0".to_owned()], 2));
}

#[test]
fn the_zero_of_a_missing_value_never_stands_beside_a_value() {
    let metrics = "
metricNamePrefix: boat
metrics:
  - {name: speed, each: {type: Gauge, gauge: {path: [status], valueFrom: [speed], nilIsZero: true}}}
";
    assert_eq!(given(metrics), ["boat_speed{} 6.5"]);
}

#[test]
fn an_info_gives_what_its_labels_find() {
    let metrics = "
metricNamePrefix: boat
metrics:
  - {name: info, each: {type: Info, info: {labelsFromPath: {sails: [spec, sails]}}}}
  - {name: port_info, each: {type: Info, info: {path: [spec, ports], labelsFromPath: {port: []}}}}
  - {name: crew_info, each: {type: Info, info: {path: [status, crew], labelFromKey: rank}}}
  - {name: deck_info, each: {type: Info, info: {path: [status, decks], labelsFromPath: {used: [used]}}}}
  - {name: none_info, each: {type: Info, info: {path: [status, nothing], labelsFromPath: {a: [a]}}}}
";
    let wanted = [
        "boat_info{sails=\"3\"} 1",
        "boat_port_info{port=\"bergen\"} 1",
        "boat_port_info{port=\"kiel\"} 1",
        "boat_crew_info{rank=\"cook\"} 1",
        "boat_crew_info{rank=\"mate\"} 1",
        "boat_crew_info{rank=\"note\"} 1",
        "boat_deck_info{used=\"1\"} 1",
        "boat_deck_info{used=\"3\"} 1",
    ];
    let (lines, errors) = samples(&config(metrics), &boat());
    assert_eq!(lines, wanted);
    assert_eq!(errors, 0);
}

#[test]
fn a_state_set_gives_a_sample_for_each_state() {
    let metrics = "
metricNamePrefix: boat
metrics:
  - name: phase
    each: {type: StateSet, stateSet: {path: [status, phase], labelName: phase, list: [Moored, Sailing, 3]}}
  - name: mood
    each: {type: StateSet, stateSet: {path: [status, mood], labelName: mood, list: [Good]}}
  - name: speed
    each: {type: StateSet, stateSet: {path: [status], valueFrom: [speed], labelName: speed, list: ['6.5']}}
";
    let wanted = [
        "boat_phase{phase=\"3\"} 0",
        "boat_phase{phase=\"Moored\"} 0",
        "boat_phase{phase=\"Sailing\"} 1",
    ];
    let (lines, errors) = samples(&config(metrics), &boat());
    assert_eq!(lines, wanted);
    assert_eq!(errors, 1, "a number is no state");
}

#[test]
fn labels_of_the_sample_go_before_those_of_the_metric_and_the_resource() {
    let metrics = "
metricNamePrefix: boat
commonLabels: {a: 1.10, b: resource, c: resource, customresource_kind: mine}
labelsFromPath: {d: [metadata, name]}
metrics:
  - name: sails
    commonLabels: {b: metric, d: metric}
    labelsFromPath: {c: [metadata, namespace], '*': [metadata, labels]}
    each: {type: Gauge, gauge: {path: [status, decks], valueFrom: [free], labelsFromPath: {c: [used]}}}
";
    let wanted = [
        "boat_sails{a=\"1.10\",b=\"metric\",c=\"1\",d=\"erika\",fleet=\"blue\"} 2",
        "boat_sails{a=\"1.10\",b=\"metric\",c=\"3\",d=\"erika\",fleet=\"blue\"} 4",
    ];
    assert_eq!(given(metrics), wanted);
}

#[test]
fn metrics_of_one_name_share_a_header() {
    let metrics = "
metrics:
  - {name: deck, help: Rooms., commonLabels: {state: used}, each: {type: Gauge, gauge: {path: [status, decks, lower, used]}}}
  - {name: speed, each: {type: Gauge, gauge: {path: [status, speed]}}}
  - {name: deck, help: Others., commonLabels: {state: free}, each: {type: Gauge, gauge: {path: [status, decks, lower, free]}}}
";
    let config = config(metrics);
    let custom = config.renderer("sea.example.org", "v1", "Boat", |_| true);
    let headers: Vec<_> = custom
        .families()
        .iter()
        .map(|header| (header.name.as_str(), header.help.as_str()))
        .collect();
    assert_eq!(
        headers,
        [("kube_customresource_deck", "Rooms."), ("kube_customresource_speed", "")]
    );
    let wanted = [
        "kube_customresource_deck{state=\"free\"} 2",
        "kube_customresource_deck{state=\"used\"} 1",
        "kube_customresource_speed{} 6.5",
    ];
    assert_eq!(samples(&config, &boat()).0, wanted);
}

#[test]
fn types_are_of_open_metrics_only() {
    let metrics = "
metricNamePrefix: boat
metrics:
  - {name: x_info, each: {type: Info, info: {path: [spec]}}}
  - {name: y, each: {type: StateSet, stateSet: {path: [spec], labelName: y}}}
";
    let custom = config(metrics).renderer("sea.example.org", "v1", "Boat", |_| true);
    let headers = |format| {
        let texts = custom.families().iter().map(|header| header.text(format));
        String::from_utf8(texts.flatten().collect()).unwrap()
    };
    assert!(headers(Format::Text).contains("# TYPE boat_x_info gauge\n"));
    assert!(headers(Format::Text).contains("# TYPE boat_y gauge\n"));
    assert!(headers(Format::OpenMetrics).contains("# TYPE boat_x info\n"));
    assert!(headers(Format::OpenMetrics).contains("# TYPE boat_y stateset\n"));
}

#[test]
fn a_star_means_every_version_and_kind_of_a_group() {
    let text = "
spec:
  resources:
    - groupVersionKind: {group: sea.example.org, version: '*', kind: '*'}
      metrics: [{name: a, each: {type: Gauge, gauge: {path: [a]}}}]
    - groupVersionKind: {group: sea.example.org, version: v1, kind: Boat}
      metrics: [{name: b, each: {type: Gauge, gauge: {path: [b]}}}]
    - groupVersionKind: {group: land.example.org, kind: Cart}
";
    let config = Config::read(text, "test").unwrap();
    assert!(config.matches("sea.example.org", "v2", "Buoy"));
    assert!(config.matches("land.example.org", "v7", "Cart"));
    assert!(!config.matches("land.example.org", "v7", "Boat"));
    assert!(!config.matches("air.example.org", "v1", "Boat"));
    let names = |version, kind, wanted: &str| -> Vec<String> {
        let wants = |header: &Header| header.name.ends_with(wanted);
        let custom = config.renderer("sea.example.org", version, kind, wants);
        custom.families().iter().map(|header| header.name.clone()).collect()
    };
    assert_eq!(names("v1", "Boat", "").len(), 2, "families of all entries that mean it");
    assert_eq!(names("v2", "Boat", ""), ["kube_customresource_a"]);
    assert_eq!(names("v1", "Boat", "_b"), ["kube_customresource_b"]);
    let patterns: Vec<String> = config.patterns().map(ToString::to_string).collect();
    assert_eq!(
        patterns,
        ["sea.example.org/* *", "sea.example.org/v1 Boat", "land.example.org/* Cart"]
    );
}

#[test]
fn the_version_that_is_followed_is_a_label() {
    let text = yaml("metrics: [{name: sails, each: {type: Gauge, gauge: {path: [spec, sails]}}}]")
        .replace("v1", "'*'");
    let custom = Config::read(&text, "test").unwrap();
    let custom = custom.renderer("sea.example.org", "v2", "Boat", |_| true);
    let mut out = Rendered::default();
    custom.render(&serde_json::to_vec(&boat()).unwrap(), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out.text().to_vec()).unwrap(),
        "kube_customresource_sails{customresource_group=\"sea.example.org\",customresource_kind=\"Boat\",customresource_version=\"v2\"} 3\n"
    );
}

#[test]
fn what_is_wrong_is_named_by_line_and_column() {
    for (metrics, wanted) in [
        (
            "metrics: [{name: a, each: {type: Gauge}}]",
            "5:40: a metric of type Gauge needs each.gauge",
        ),
        (
            "metrics: [{name: a, each: {type: Histogram}}]",
            "5:40: no type 'Histogram': Gauge, Info or StateSet",
        ),
        ("metrics: [{name: a}]", "5:17: a metric needs each.type: Gauge, Info or StateSet"),
        ("metrics: [{help: a}]", "5:17: a metric needs a name"),
        (
            "metrics:\n  - name: a-b\n",
            "6:17: 'kube_customresource_a-b' is no name of a metric: [a-zA-Z_:][a-zA-Z0-9_:]*",
        ),
        ("commonLabels:\n  a.b: c", "6:9: 'a.b' is no name of a label: [a-zA-Z_][a-zA-Z0-9_]*"),
        (
            "metrics:\n  - name: a\n    each:\n      type: Gauge\n      gauge:\n        path: [status, '[Ready]']",
            "10:30: '[Ready]' finds nothing: [key=value] would",
        ),
        (
            "metrics: [{name: a, each: {type: StateSet, stateSet: {path: [a]}}}]",
            "5:40: a metric of type StateSet needs each.stateSet.labelName",
        ),
        (
            "metrics: [{name: a, each: {type: Info, info: {labelFromKey: 'a b'}}}]",
            "5:67: 'a b' is no name of a label: [a-zA-Z_][a-zA-Z0-9_]*",
        ),
    ] {
        assert_eq!(refused(&yaml(metrics)), format!("crs.yaml:{wanted}"));
    }
    let group = "spec:\n  resources:\n    - groupVersionKind: {group: '*', kind: Boat}\n";
    assert_eq!(
        refused(group),
        "crs.yaml:3:33: a group has to be named: only version and kind may be '*'"
    );
    assert_eq!(
        refused("spec:\n  resources:\n    - metrics: []\n"),
        "crs.yaml:3:7: a resource needs groupVersionKind.group"
    );
    let shape = refused("spec:\n  resources:\n    - metrics: {a: b}\n");
    assert!(shape.starts_with("crs.yaml:3:16: "), "{shape}");
    assert!(refused("spec: [").starts_with("crs.yaml:1:"));
}

#[test]
fn fields_that_mean_nothing_are_found() {
    let text = yaml(
        "resourcePlural: boats
errorLogV: 1
metrics:
  - name: a
    help: A.
    errorLogV: 2
    each:
      type: Gauge
      value: [count]
      gauge: {path: [a], valueFrom: [b], labelFromKey: c, nilIsZero: false, labelsFromPath: {d: [e]}, labelFromPath: {}}
      info: {path: [a], labelFromKey: c, labelsFromPath: {d: [e]}}
      stateSet: {path: [a], labelName: c, list: [d], valueFrom: [b], labelsFromPath: {d: [e]}}
commonLabel: {a: b}
",
    );
    let unknown = unknown::fields(&text);
    let unknown: Vec<_> =
        unknown.iter().map(|(name, at)| (name.as_str(), at.line(), at.column())).collect();
    assert_eq!(unknown, [("value", 13, 13), ("labelFromPath", 14, 109), ("commonLabel", 17, 7)]);
    assert!(Config::read(&text, "test").is_ok());
}

#[test]
fn numbers_need_no_quotes_in_paths_and_nothing_is_no_resource() {
    let metrics = "metrics: [{name: first, each: {type: Info, info: {labelsFromPath: {port: [spec, ports, 0]}}}}]";
    assert_eq!(given(metrics), ["kube_customresource_first{port=\"kiel\"} 1"]);
    for empty in ["", "kind: CustomResourceStateMetrics\n", "spec:\n  resources: null\n"] {
        assert_eq!(Config::read(empty, "test").unwrap().patterns().count(), 0);
    }
}

#[test]
fn an_object_that_is_none_gives_nothing_and_broken_json_is_an_error() {
    let metrics = "metrics: [{name: a, each: {type: Info, info: {labelsFromPath: {a: [a]}}}}]";
    assert_eq!(samples(&config(metrics), &json!(["a"])), (vec![], 0));
    let custom = config(metrics).renderer("sea.example.org", "v1", "Boat", |_| true);
    assert!(custom.render(b"{\"a\":", &mut Rendered::default()).is_err());
}
