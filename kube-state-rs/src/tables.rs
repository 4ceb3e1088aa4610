//! What follows from the tables alone: the list of families, and the rights that the agent needs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::family::{Given, Stability};
use crate::resource::{AnyResource, Scope};

/// `kube-state-rs families`: a line for each family, tab separated, with a line of column names.
pub fn families(resources: &[&dyn AnyResource]) -> String {
    let mut out = "resource\tfamily\ttype\tlabels\tstability\tgiven\thelp\n".to_owned();
    for resource in resources {
        for about in resource.families() {
            let labels = resource.key().labels();
            let labels: Vec<&str> = labels.iter().chain(about.labels).copied().collect();
            let stability = match about.stability {
                Stability::Alpha => "alpha",
                Stability::Stable => "stable",
            };
            let given = match about.given {
                Given::OptIn => "by --metric-opt-in-list",
                Given::Compat => "by --compat=v1.4",
                Given::Always if resource.default() => "always",
                Given::Always => "by --resources",
            };
            let (plural, name, kind, labels) =
                (resource.plural(), about.name, about.kind.word(), labels.join(","));
            // Writing to a String cannot fail.
            _ = writeln!(
                out,
                "{plural}\t{name}\t{kind}\t{labels}\t{stability}\t{given}\t{}",
                about.help
            );
        }
    }
    out
}

/// `kube-state-rs rbac`: the roles that let the agent follow `resources` and nothing else, as YAML.
///
/// With `namespaces` a Role in each for what belongs to namespaces, and a `ClusterRole` for the rest. `names` of resources
/// are grouped by API group; older groups of a resource are named too, so that the same roles serve any cluster.
pub fn rbac(resources: &[&dyn AnyResource], namespaces: &[String], custom: &[String]) -> String {
    let inside = |one: &&&dyn AnyResource| one.scope() == Scope::Namespaced;
    let mut out = String::new();
    if namespaces.is_empty() {
        role(&mut out, None, resources.iter().copied(), custom);
        return out;
    }
    let cluster = resources.iter().filter(|one| !inside(one)).copied();
    role(&mut out, None, cluster, custom);
    for namespace in namespaces {
        role(&mut out, Some(namespace), resources.iter().filter(inside).copied(), &[]);
    }
    out
}

fn role<'r>(
    out: &mut String,
    namespace: Option<&str>,
    resources: impl Iterator<Item = &'r dyn AnyResource>,
    custom: &[String],
) {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for resource in resources {
        for version in resource.versions() {
            let names = groups.entry(version.group).or_default();
            if !names.contains(&resource.plural()) {
                names.push(resource.plural());
            }
        }
    }
    let custom = custom.iter().filter_map(|name| name.split_once('.'));
    custom.for_each(|(plural, group)| groups.entry(group).or_default().push(plural));
    if groups.is_empty() {
        return;
    }
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    _ = write!(
        out,
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: kube-state-rs\n"
    );
    if let Some(namespace) = namespace {
        _ = writeln!(out, "  namespace: {namespace}");
    }
    out.push_str("rules:\n");
    for (group, names) in groups {
        _ = writeln!(out, "- apiGroups: ['{group}']\n  resources:");
        for name in names {
            _ = writeln!(out, "  - {name}");
        }
        out.push_str("  verbs: [list, watch]\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{RESOURCES, find};

    #[test]
    fn every_family_has_a_line() {
        let table = families(RESOURCES);
        let count: usize = RESOURCES.iter().map(|resource| resource.families().len()).sum();
        assert_eq!(table.lines().count(), count + 1);
        assert!(table.lines().all(|line| line.split('\t').count() == 7));
        assert!(table.contains("nodes\tkube_node_info\tgauge\tnode,"));
    }

    #[test]
    fn the_roles_name_what_is_followed_and_no_verb_but_list_and_watch() {
        let resources = [find("ingresses").unwrap(), find("nodes").unwrap()];
        let all = rbac(&resources, &[], &["widgets.example.com".to_owned()]);
        assert_eq!(all.matches("kind: ClusterRole").count(), 1);
        for group in ["''", "'networking.k8s.io'", "'example.com'"] {
            assert!(all.contains(&format!("apiGroups: [{group}]")), "{all}");
        }
        assert_eq!(all.matches("verbs: [list, watch]").count(), 3);
        let some = rbac(&resources, &["shop".to_owned()], &[]);
        let (cluster, shop) = some.split_once("kind: Role\n").unwrap();
        assert!(cluster.contains("- nodes") && !cluster.contains("- ingresses"));
        assert!(shop.contains("namespace: shop") && shop.contains("- ingresses"));
        serde_saphyr::from_multiple::<serde_json::Value>(&some).unwrap();
    }
}
