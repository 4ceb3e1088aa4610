use proptest::prelude::*;

use super::*;
use crate::source::kubernetes::SHIPPED;

fn environment(name: &str) -> Option<String> {
    (name == "APISERVER_VIP").then(|| "10.0.0.100".to_owned())
}

fn wrong(text: &str) -> String {
    Rules::parse("rules.yaml", text, &environment).unwrap_err().to_string()
}

#[test]
fn the_shipped_rules_are_good_ones() {
    let rules = Rules::parse("rules.yaml", SHIPPED, &environment).unwrap();
    let services: Vec<&str> = rules.0.iter().map(|rule| rule.service.as_str()).collect();
    assert_eq!(
        services,
        [
            "node-exporter",
            "cadvisor-proxy",
            "kubelet",
            "kube-scheduler",
            "kube-controller-manager",
            "etcd",
            "etcd-events",
            "kube-apiserver",
            "kube-state",
            "app",
        ]
    );
    assert_eq!(rules.0[7].targets, [Ok("10.0.0.100:6443".to_owned())]);
}

#[test]
fn a_wrong_rule_is_told_with_its_line_its_number_and_its_field() {
    for (text, expected) in [
        (
            "- {service: a, source: node, port: 1}\n\n- {service: b, source: node, port: 70000}\n",
            "line 3: rule 2 (b): port: 70000 is not one of 1 to 65535",
        ),
        ("- {service: a, source: node}\n", "line 1: rule 1 (a): port: needed with source: node"),
        (
            "- {service: a b, source: pod}\n",
            "line 1: rule 1 (a b): service: letters, digits, '-', '_' and '.' expected, at most 128",
        ),
        (
            "- {service: a, source: pod, scheme: ftp}\n",
            "line 1: rule 1 (a): scheme: 'ftp' is neither http nor https",
        ),
        (
            "- {service: a, source: pod, meta: {a.b: x}}\n",
            "line 1: rule 1 (a): meta.a.b: Consul takes no such key, but 'a_b'",
        ),
        (
            "- {service: a, source: pod, when: {equals: x}}\n",
            "line 1: rule 1 (a): when: one of annotation and label is needed",
        ),
        (
            "- {service: a, source: node, port: 1, targets: [b]}\n",
            "line 1: rule 1 (a): targets: means nothing with source: node",
        ),
        (
            "- {service: a, source: pod, path: \"@path\"}\n",
            "line 1: rule 1 (a): path: '@path' is not one of @namespace, @name, @node, @ip, \
             @label:KEY, @annotation:KEY, @DOMAIN/ANNOTATION",
        ),
        (
            "- {service: a, source: pod, selector: [\"a b\"]}\n",
            "line 1: rule 1 (a): selector 'a b': 'a b' is no label key",
        ),
        ("# nothing\n", "0 rules, 1 to 1000 expected"),
    ] {
        assert_eq!(wrong(text), expected);
    }
}

#[test]
fn what_yaml_itself_finds_wrong_is_told_with_its_line() {
    for (text, line) in [
        ("- {service: a, source: node, port: 1}\n- {service: b, sauce: node}\n", "line 2"),
        ("- {service: a, source: cloud}\n", "line 1"),
        ("- service: a\n  source: pod\n  when: 7\n", "line 3"),
        ("- {service: a, source: pod\n", "line 1"),
    ] {
        assert!(wrong(text).starts_with(line), "{}", wrong(text));
    }
}

#[test]
fn a_variable_that_is_not_set_holds_back_its_target_alone() {
    let text = "- {service: a, source: fixed, targets: ['${NONE}:1', '10.0.0.1:2', '${X']}\n";
    let rules = Rules::parse("rules.yaml", text, &environment).unwrap();
    assert_eq!(
        rules.0[0].targets,
        [
            Err("'${NONE}:1': the environment variable NONE is not set".to_owned()),
            Ok("10.0.0.1:2".to_owned()),
            Err("'${X': '${' without '}'".to_owned()),
        ]
    );
}

#[test]
fn conditions_look_at_annotations_and_labels() {
    let labels: Pairs = [("tier".to_owned(), "web".to_owned())].into();
    let annotations: Pairs = [("prometheus.io/scrape".to_owned(), "true".to_owned())].into();
    let facts = Facts {
        namespace: "shop",
        name: "web-1",
        node: "w1",
        ip: "10.0.0.1",
        labels: &labels,
        annotations: &annotations,
    };
    for (fields, expected) in [
        ("when: {annotation: prometheus.io/scrape, equals: true}", true),
        ("when: {annotation: prometheus.io/scrape, equals: 'false'}", false),
        ("when: {annotation: prometheus.io/scrape, unless: ['false', 'no']}", true),
        ("when: {annotation: absent}", false),
        ("when: {annotation: absent, unless: 'true'}", true),
        ("when: [{label: tier, equals: [web, db]}, {annotation: prometheus.io/scrape}]", true),
        ("when: [{label: tier, equals: db}, {annotation: prometheus.io/scrape}]", false),
        ("namespace: [shop, till]", true),
        ("namespace: till", false),
        ("selector: [tier=db, tier=web]", true),
    ] {
        let text = format!("- {{service: a, source: pod, {fields}}}");
        let rules = Rules::parse("rules.yaml", &text, &environment).unwrap();
        assert_eq!(rules.0[0].takes(&facts), expected, "{fields}");
    }
}

proptest! {
    #[test]
    fn no_rules_file_panics(text in "(- |\\{|\\}|service: |source: |node|pod|fixed|port: |[@a-z0-9$:, \\n]|when: ){0,40}") {
        drop(Rules::parse("rules.yaml", &text, &environment));
    }

    #[test]
    fn no_field_panics(field in "port|path|scheme|selector|meta|labels|tags|when|namespace", value in "\\PC{0,30}") {
        let value = value.replace('\'', "''");
        let text = format!("- {{service: a, source: pod, {field}: '{value}'}}");
        drop(Rules::parse("rules.yaml", &text, &environment));
    }
}
