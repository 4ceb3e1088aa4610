//! The rights that a rules file needs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::follow::candidates;
use super::rules::Rules;
use super::store::Kind;

/// Objects are never asked for one by one.
const VERBS: [&str; 2] = ["list", "watch"];

/// Group and plural of each resource that is listed and watched, in all namespaces.
pub fn needs(rules: &Rules) -> Vec<(String, String)> {
    let gvrs = Kind::needed(rules).into_iter().flat_map(candidates);
    let mut needs: Vec<_> =
        gvrs.map(|gvr| (gvr.group.into_owned(), gvr.resource.into_owned())).collect();
    needs.sort();
    needs.dedup();
    needs
}

/// `ServiceAccount`, `ClusterRole` and `ClusterRoleBinding` as YAML for kubectl.
pub fn manifest(rules: &Rules, name: &str, namespace: &str) -> String {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (group, resource) in needs(rules) {
        groups.entry(group).or_default().push(resource);
    }
    let mut out = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: {namespace}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {name}\n"
    );
    out.push_str(if groups.is_empty() { "rules: []\n" } else { "rules:\n" });
    for (group, resources) in groups {
        // Writing to a String cannot fail.
        _ = writeln!(
            out,
            "- apiGroups: [\"{group}\"]\n  resources: [{}]\n  verbs: [{}]",
            resources.join(", "),
            VERBS.join(", ")
        );
    }
    _ = write!(
        out,
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: {name}\n\
         roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: {name}\n\
         subjects:\n- kind: ServiceAccount\n  name: {name}\n  namespace: {namespace}\n"
    );
    out
}
