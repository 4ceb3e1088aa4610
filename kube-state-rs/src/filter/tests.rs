use super::*;

fn objects(resources: &str) -> ObjectOptions {
    ObjectOptions {
        resources: resources.to_owned(),
        namespaces: String::new(),
        namespaces_denylist: String::new(),
    }
}

fn metrics(set: impl FnOnce(&mut MetricOptions)) -> MetricOptions {
    let mut options = MetricOptions {
        metric_allowlist: String::new(),
        metric_denylist: String::new(),
        metric_opt_in_list: String::new(),
        metric_labels_allowlist: String::new(),
        metric_annotations_allowlist: String::new(),
        compat: None,
    };
    set(&mut options);
    options
}

fn filters(resources: &str, set: impl FnOnce(&mut MetricOptions)) -> Result<Filters, String> {
    Filters::new(&objects(resources), &metrics(set), false).map_err(|error| error.to_string())
}

fn families(filters: &Filters) -> Vec<String> {
    use crate::resource::Renderer as _;
    let built_ins = filters.built_ins();
    let headers = built_ins.iter().flat_map(|built_in| built_in.families().to_vec());
    headers.map(|header| header.name).collect()
}

#[test]
fn resources_are_named_or_the_usual_ones() {
    let of = |list| filters(list, |_| {}).unwrap().resources.clone();
    assert!(of("").contains(&"pods"));
    assert_eq!(of(" pods , pods"), ["pods"]);
    let error = filters("pods,widgets", |_| {}).unwrap_err();
    assert!(error.contains("--resources") && error.contains("'widgets'"), "{error}");
    assert!(Filters::new(&objects(""), &metrics(|_| {}), true).unwrap().resources.is_empty());
}

#[test]
fn patterns_match_anywhere_in_a_familys_name_and_may_look_around() {
    let given = |set: fn(&mut MetricOptions)| families(&filters("pods", set).unwrap());
    assert_eq!(given(|m| m.metric_allowlist = "kube_pod_created".into()), ["kube_pod_created"]);
    let without = given(|m| m.metric_denylist = "^kube_pod_status_.*,_created$".into());
    assert!(
        without.iter().all(|name| !name.contains("status_phase") && !name.ends_with("_created"))
    );
    assert!(!without.is_empty());
    let kept = given(|m| m.metric_denylist = "^(?!kube_pod_created$).*$".into());
    assert_eq!(kept, ["kube_pod_created"]);
}

#[test]
fn allowlist_and_denylist_exclude_each_other() {
    let both = |m: &mut MetricOptions| {
        m.metric_allowlist = "a".into();
        m.metric_denylist = "b".into();
    };
    assert!(filters("pods", both).unwrap_err().contains("--metric-denylist"));
}

#[test]
fn a_broken_pattern_is_an_error_that_names_flag_and_pattern() {
    let error = filters("pods", |m| m.metric_opt_in_list = "ok,kube_(".into()).unwrap_err();
    assert!(error.contains("--metric-opt-in-list") && error.contains("'kube_('"), "{error}");
}

#[test]
fn label_lists_are_read_as_the_peer_reads_them() {
    let parsed = |text| lists::parse("metric-labels-allowlist", text);
    let lists = parsed("pods=[app.io/name, team-*],*=[*]").unwrap();
    assert_eq!(lists["pods"], ["app.io/name", "team-*"]);
    assert_eq!(lists["*"], ["*"]);
    assert!(parsed("").unwrap().is_empty());
    assert!(parsed("pods=[]").unwrap()["pods"].is_empty());
    for wrong in [
        "pods",
        "pods=[a,b] pods=[c]",
        "pods=[a]pods=[b]",
        "pods=[a,b],pods=c]",
        "pods[a]",
        "pods=[a],",
        "pods=[a,]",
        "pods=[,a]",
        ",pods=[a]",
        "pods=[a-*-*]",
        "widgets=[a]",
    ] {
        let error = parsed(wrong).unwrap_err().to_string();
        assert!(error.contains("--metric-labels-allowlist"), "{wrong}: {error}");
    }
}

#[test]
fn keys_of_all_resources_overrule_those_of_one() {
    let given = |text: &str| {
        let filters = filters("pods", |m| m.metric_labels_allowlist = text.into()).unwrap();
        chosen(&filters.labels, "pods")
    };
    assert_eq!(given("pods=[app]"), Some(Keys::new(&["app"])));
    assert_eq!(given("pods=[app],*=[*]"), Some(Keys::All));
    assert_eq!(given("*=[a]"), Some(Keys::new(&["a"])));
    assert_eq!(given("pods=[]"), None);
}
