use super::*;

#[test]
fn aggregated_discovery_tells_resources_and_what_is_stale() {
    let found = groups(
        br#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[
        {"metadata":{"name":"apps","creationTimestamp":null},"versions":[{"version":"v1","freshness":"Current",
          "resources":[{"resource":"deployments","responseKind":{"group":"","version":"","kind":"Deployment"},
            "scope":"Namespaced","singularResource":"deployment","verbs":["get","list","watch"],
            "subresources":[{"subresource":"scale","responseKind":{"group":"","version":"","kind":"Scale"},
              "verbs":["get"]}]},
            {"resource":"reviews","responseKind":{"group":"","version":"","kind":"Review"},"scope":"Cluster",
             "singularResource":"review","verbs":["create"]}]}]},
        {"metadata":{"name":"metrics.k8s.io"},"versions":[{"version":"v1beta1","freshness":"Stale"}]}]}"#,
    )
    .unwrap();
    let deployments = Resource {
        gvr: Gvr::new("apps", "v1", "deployments"),
        kind: "Deployment".to_owned(),
        namespaced: true,
    };
    assert_eq!(found[0].listed, Listed::Here(Arc::new(vec![deployments])));
    assert_eq!((found[1].group.as_str(), &found[1].listed), ("metrics.k8s.io", &Listed::Stale));
}

#[test]
fn plain_discovery_tells_groups_and_where_their_resources_are() {
    let core =
        groups(br#"{"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[]}"#);
    assert_eq!(core.unwrap(), [elsewhere(String::new(), "v1".to_owned())]);
    let named = groups(
        br#"{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"batch","versions":[
        {"groupVersion":"batch/v1","version":"v1"},{"groupVersion":"batch/v1beta1","version":"v1beta1"}],
        "preferredVersion":{"groupVersion":"batch/v1","version":"v1"}}]}"#,
    );
    let batch = |version: &str| elsewhere("batch".to_owned(), version.to_owned());
    assert_eq!(named.unwrap(), [batch("v1"), batch("v1beta1")]);
}

#[test]
fn only_what_can_be_listed_and_watched_counts() {
    let found = resources(
        "",
        "v1",
        br#"{"kind":"APIResourceList","groupVersion":"v1","resources":[
        {"name":"componentstatuses","singularName":"","namespaced":false,"kind":"ComponentStatus","verbs":["get","list"]},
        {"name":"nodes","singularName":"","namespaced":false,"kind":"Node","verbs":["get","list","watch"],"shortNames":["no"]},
        {"name":"nodes/status","singularName":"","namespaced":false,"kind":"Node","verbs":["get","list","watch"]}]}"#,
    )
    .unwrap();
    let nodes =
        Resource { gvr: Gvr::new("", "v1", "nodes"), kind: "Node".to_owned(), namespaced: false };
    assert_eq!(found, [nodes]);
}

#[test]
fn versions_are_known_with_a_vendors_plus_and_without_major_and_minor() {
    let version = |text: &str| {
        let version: Version = serde_json::from_str(text).unwrap();
        (version.major, version.minor)
    };
    let vendor = r#"{"major":"1","minor":"27+","gitVersion":"v1.27.3-gke.100"}"#;
    assert_eq!(version(vendor), (1, 27));
    assert_eq!(version(r#"{"major":"","minor":"","gitVersion":"v1.20.2"}"#), (1, 20));
    assert_eq!(version("{}"), (0, 0));
}
