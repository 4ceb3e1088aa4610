//! Files that are read, and files that are refused.

use super::*;
use proptest::prelude::*;

fn refused(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

fn values(family: &Family) -> Vec<(Vec<&str>, f64)> {
    let row = |metric: &Metric| match &metric.data {
        Data::Value(value) => *value,
        Data::Compound(compound) => compound.sum.unwrap_or_default(),
    };
    let labels = |m: &'_ Metric| m.values.iter().map(|v| String::from(&**v)).collect::<Vec<_>>();
    let rows = family.metrics.iter();
    rows.map(|m| (labels(m).leak().iter().map(String::as_str).collect(), row(m))).collect()
}

#[test]
fn label_sets_are_padded_and_sorted_by_name() {
    let parsed = parse(b"m{z=\"1\",a=\"2\"} 1\nm{b=\"3\"} 2\n# HELP m Late \\\\ help.\n").unwrap();
    let family = &parsed.families[0];
    let names: Vec<_> = family.labels.iter().map(LabelName::as_str).collect();
    assert_eq!(names, ["a", "b", "z"]);
    assert_eq!(values(family), [(vec!["2", "", "1"], 1.0), (vec!["", "3", ""], 2.0)]);
    assert_eq!((family.kind, family.help.as_deref()), (Kind::Untyped, Some("Late \\ help.")));
}

#[test]
fn a_histogram_without_an_open_bucket_gets_one_from_its_count() {
    let text = b"# TYPE h histogram\nh_bucket{le=\"10.0\"} 2\nh_bucket{le=\"2e-1\"} 1\nh_count 3\n";
    let parsed = parse(text).unwrap();
    let Data::Compound(compound) = &parsed.families[0].metrics[0].data else { panic!() };
    let points: Vec<_> = compound.points.values().map(|p| (&*p.text, p.value)).collect();
    assert_eq!(points, [("0.2", 1.0), ("10", 2.0), ("+Inf", 3.0)]);
}

#[test]
fn a_family_of_the_exact_name_wins_over_a_summarys_part() {
    let parsed = parse(b"# TYPE s_sum gauge\n# TYPE s summary\ns_sum 4\ns_count 2\n").unwrap();
    let names: Vec<_> = parsed.families.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["s_sum", "s"]);
    assert_eq!(parsed.families[0].kind, Kind::Gauge);
}

#[test]
fn a_repeated_series_is_counted_and_the_first_stays() {
    let parsed = parse(b"m{a=\"1\",b=\"\"} 1\nm{a=\"1\"} 2\nm{b=\"\",a=\"1\"} 3\n").unwrap();
    assert_eq!(values(&parsed.families[0]), [(vec!["1", ""], 1.0)]);
    let problem = REPEATED.unwrap();
    assert_eq!(parsed.omitted, Some(Omitted { samples: 2, first_line: 2, problem }));
}

#[test]
fn headers_without_samples_and_an_empty_help_say_nothing() {
    let parsed = parse(b"# HELP m \n# TYPE n gauge\n# EOF\nm 1\n\n  ").unwrap();
    assert_eq!(parsed.families.len(), 1);
    assert_eq!(parsed.families[0].help, None);
}

#[test]
fn a_part_without_its_bound_is_left_out_and_the_file_stays() {
    let parsed = parse(b"# TYPE h histogram\nh 7\nh{le=\"1\"} 1\nh_bucket 2\nm 1\n").unwrap();
    assert_eq!(parsed.families.len(), 2);
    let omitted = parsed.omitted.unwrap();
    assert_eq!((omitted.samples, omitted.first_line), (2, 2));
    let Data::Compound(compound) = &parsed.families[0].metrics[0].data else { panic!() };
    assert_eq!(compound.points.len(), 2);
}

#[test]
fn comments_are_never_malformed_and_a_header_needs_no_blank() {
    let parsed = parse(b"# HELP\n# HELP \"x\n#TYPE m gauge\n#HELPm x\nm 1\n").unwrap();
    assert_eq!(parsed.families[0].kind, Kind::Gauge);
}

#[test]
fn too_many_labels_are_refused() {
    let names = |count| (0..count).map(|i| format!("m{{l{i}=\"1\"}} 1\n")).collect::<Vec<_>>();
    let lines = names(300).concat();
    assert!(refused(&lines).starts_with("line 257: more than 256 different label names"));
    let values: Vec<_> = (0..20_000).map(|i| format!("m{{n=\"{i}\"}} 1\n")).collect();
    let lines = [names(200), values].concat().concat();
    assert!(refused(&lines).contains("too many samples for so many different labels"));
}

#[test]
fn foreign_bytes_in_a_label_become_replacement_characters() {
    let parsed = parse(b"m{a=\"\xff\"} 1\n").unwrap();
    assert_eq!(values(&parsed.families[0]), [(vec!["\u{fffd}"], 1.0)]);
}

#[test]
fn a_malformed_file_is_refused_with_its_line() {
    for (text, problem) in [
        ("a 1\nb 2 1441205977284\n", "line 2: samples with a timestamp"),
        ("a 1 # {x=\"y\"} 1\n", "line 1: the text format has no exemplars"),
        ("a x\n", "line 1: the value is not a number"),
        ("a 1e999\n", "line 1: the value is not a number"),
        ("a 12", "line 1: the file ends within a line"),
        ("a{b=1} 1\n", "line 1: malformed"),
        ("a{b=\"1\",b=\"2\"} 1\n", "line 1: a label stands twice"),
        ("a{__b=\"1\"} 1\n", "line 1: label names that start with __"),
        ("a{b-c=\"1\"} 1\n", "line 1: not a label name"),
        ("a-b 1\n", "line 1: not a metric name"),
        ("# TYPE a-b gauge\n", "line 1: not a metric name"),
        ("# TYPE a info\n", "line 1: unknown type"),
        ("a 1\n# TYPE a gauge\n", "line 2: a second TYPE line"),
        ("# HELP a A.\n# HELP a A.\n", "line 2: a second HELP line"),
        ("# TYPE a summary\na{quantile=\"x\"} 1\n", "line 2: the bound"),
    ] {
        assert!(refused(text).starts_with(problem), "{text:?}: {}", refused(text));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _parsed = parse(&bytes);
    }

    #[test]
    fn no_lines_make_it_panic(lines in proptest::collection::vec(
        "(# TYPE h (histogram|summary)|h(_sum|_count|_bucket)?(\\{(le|quantile|a)=\"(1|x|)\"\\})? [12])\n", 0..12)
    ) {
        let _parsed = parse(lines.concat().as_bytes());
    }
}
