use std::path::Path;

use super::*;

/// The labels after the rules, as `name=value` with blanks between; `None` where the series is dropped.
fn applied(rules: &str, series: &[(&str, &str)]) -> Option<String> {
    let rules = file::parse(Path::new("rules.yml"), rules).unwrap();
    let label = |(name, value): &(&str, &str)| Label {
        name: name.as_bytes().to_vec().into(),
        value: escaped(value.as_bytes()).into(),
    };
    let mut labels: Vec<_> = series.iter().map(label).collect();
    let kept = rules.apply(u64::MAX, &mut labels, &mut Vec::new());
    let text = |label: &Label<'_>| {
        format!(
            "{}={}",
            String::from_utf8_lossy(&label.name),
            String::from_utf8_lossy(&label.value)
        )
    };
    kept.then(|| labels.iter().map(text).collect::<Vec<_>>().join(" "))
}

const SERIES: &[(&str, &str)] = &[("__name__", "a_total"), ("pod", "web-1"), ("zone", "B")];

#[test]
fn each_action_does_what_prometheus_does() {
    for (rule, expected) in [
        (
            "{source_labels: [__name__], regex: a_.*, action: keep}",
            Some("__name__=a_total pod=web-1 zone=B"),
        ),
        ("{source_labels: [__name__], regex: a_, action: keep}", None),
        ("{source_labels: [__name__, pod], regex: 'a_total;web-.', action: drop}", None),
        ("{source_labels: [none], regex: '', action: drop}", None),
        (
            "{source_labels: [pod], regex: '(.+)-(.)', target_label: app, replacement: '${1}_$2'}",
            Some("__name__=a_total pod=web-1 zone=B app=web_1"),
        ),
        ("{target_label: zone, replacement: ''}", Some("__name__=a_total pod=web-1")),
        ("{regex: 'po.', action: labeldrop}", Some("__name__=a_total zone=B")),
        ("{regex: '__name__|zone', action: labelkeep}", Some("__name__=a_total zone=B")),
        (
            "{regex: '(z.*)', action: labelmap, replacement: 'my_$1'}",
            Some("__name__=a_total pod=web-1 zone=B my_zone=B"),
        ),
        (
            "{source_labels: [zone], target_label: zone, action: lowercase}",
            Some("__name__=a_total pod=web-1 zone=b"),
        ),
        (
            "{source_labels: [pod], target_label: pod, action: uppercase}",
            Some("__name__=a_total pod=WEB-1 zone=B"),
        ),
        ("{source_labels: [pod], target_label: zone, action: keepequal}", None),
        ("{source_labels: [zone], target_label: zone, action: dropequal}", None),
        (
            "{source_labels: [none], target_label: shard, modulus: 10, action: hashmod}",
            Some("__name__=a_total pod=web-1 zone=B shard=8"),
        ),
        ("{source_labels: [pod], target_label: __name__}", Some("__name__=web-1 pod=web-1 zone=B")),
        ("{source_labels: [pod], target_label: 'x-y'}", Some("__name__=a_total pod=web-1 zone=B")),
    ] {
        assert_eq!(applied(&format!("[{rule}]"), SERIES).as_deref(), expected, "{rule}");
    }
}

#[test]
fn rules_see_values_without_their_escapes_and_write_them_with() {
    let rule = r#"[{source_labels: [a], regex: 'x"(.)', target_label: b, replacement: '$1\'}]"#;
    assert_eq!(applied(rule, &[("a", "x\"\n")]).as_deref(), Some(r#"a=x\"\n b=\n\\"#));
}

#[test]
fn a_wrong_rule_is_named_by_its_number() {
    for (text, problem) in [
        ("[{action: keep}, {action: kepp}]", "rule 2: unknown action 'kepp'"),
        ("[{regex: '('}]", "rule 1: regex '('"),
        ("[{action: hashmod, target_label: a}]", "needs modulus"),
        ("[{source_labels: [a]}]", "needs target_label"),
        (
            "metric_relabel_configs: [{action: keep}, {action: drop, target_label: ''}, {action: x}]",
            "rule 3",
        ),
        ("a: [", "rules.yml"),
    ] {
        let error = file::parse(Path::new("rules.yml"), text).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains("--relabel-file"), "{error}");
    }
}

#[test]
fn the_name_decides_where_it_can() {
    for (text, name, decided) in [
        ("[{source_labels: [b], regex: c, action: drop}]", "a", ByName::Left(1)),
        ("[{source_labels: [__name__], regex: a.*, action: keep}]", "a", ByName::Left(0)),
        ("[{source_labels: [__name__], regex: a.*, action: keep}]", "b", ByName::Drop),
        // Behind a rule about labels the name is the same still.
        (
            "[{source_labels: [b], regex: c, action: drop}, {source_labels: [__name__], regex: a, action: drop}]",
            "a",
            ByName::Drop,
        ),
        (
            "[{regex: id, action: labeldrop}, {source_labels: [__name__], regex: a, action: drop}]",
            "b",
            ByName::Left(1),
        ),
        // Behind one that gives names it is not.
        (
            "[{source_labels: [b], target_label: __name__}, {source_labels: [__name__], regex: a, action: drop}]",
            "a",
            ByName::Left(3),
        ),
    ] {
        let rules = file::parse(Path::new("r"), text).unwrap();
        assert_eq!(rules.by_name(name.as_bytes()), decided, "{text}");
    }
}

#[test]
fn rules_beyond_the_sixty_fourth_are_applied() {
    let mut text = "- {source_labels: [__name__], regex: x, action: drop}\n".repeat(70);
    text.push_str("- {source_labels: [pod], regex: web-1, action: drop}\n");
    let rules = file::parse(Path::new("r"), &text).unwrap();
    assert_eq!(rules.by_name(b"a"), ByName::Left(1 << 63));
    let label = |name: &'static str, value: &'static str| Label {
        name: name.as_bytes().into(),
        value: value.as_bytes().into(),
    };
    let mut labels = vec![label("__name__", "a"), label("pod", "web-1")];
    assert!(!rules.apply(1 << 63, &mut labels, &mut Vec::new()));
}
