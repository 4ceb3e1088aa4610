//! The part of cargo-deny's configuration that we use, and what it forbids.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::graph::{Graph, Package};
use super::spdx;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    pub(crate) graph: Targets,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
pub(crate) struct Targets {
    pub(crate) targets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bans {
    multiple_versions: Level,
    wildcards: Level,
    allow_wildcard_paths: bool,
    deny: Vec<Named>,
    skip: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    unknown_registry: Level,
    unknown_git: Level,
}

/// Nothing here is only warned about.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Level {
    Deny,
    Allow,
}

/// A crate, with `@version` or without, and the reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

impl Rules {
    pub(crate) fn problems(&self, graph: &Graph) -> Vec<String> {
        let mut found = Vec::new();
        for package in &graph.packages {
            found.extend(self.license(package));
            found.extend(self.banned(package));
            found.extend(self.source(package));
            found.extend(self.wildcards(package));
        }
        found.extend(self.duplicates(graph));
        found
    }

    fn license(&self, package: &Package) -> Option<String> {
        let text = package.license.as_deref().unwrap_or_default();
        let allowed = |name: &str| self.licenses.allow.iter().any(|allowed| allowed == name);
        let fine = spdx::is_satisfied(text, &allowed);
        (!fine).then(|| format!("{}: licence {text:?} is not allowed", named(package)))
    }

    fn banned(&self, package: &Package) -> Option<String> {
        let ban = self.bans.deny.iter().find(|ban| ban.is(package))?;
        Some(format!("{}: banned: {}", named(package), ban.reason))
    }

    /// Cargo leaves the registry out where it is the default one.
    fn source(&self, package: &Package) -> Option<String> {
        let git = package.source.as_deref().is_some_and(|source| source.starts_with("git+"));
        if git && self.sources.unknown_git == Level::Deny {
            return Some(format!("{}: comes from a git repository", named(package)));
        }
        let other = package.dependencies.iter().find(|d| d.registry.is_some())?;
        (self.sources.unknown_registry == Level::Deny)
            .then(|| format!("{}: takes {} from another registry", named(package), other.name))
    }

    fn wildcards(&self, package: &Package) -> Option<String> {
        let allowed = self.bans.wildcards == Level::Allow || package.source.is_some();
        let by_path = |path: &Option<String>| path.is_some() && self.bans.allow_wildcard_paths;
        let wild = package.dependencies.iter().find(|d| d.req == "*" && !by_path(&d.path))?;
        (!allowed).then(|| format!("{}: any version of {}", named(package), wild.name))
    }

    fn duplicates(&self, graph: &Graph) -> Vec<String> {
        if self.bans.multiple_versions == Level::Allow {
            return Vec::new();
        }
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in &graph.packages {
            if !self.bans.skip.iter().any(|skipped| skipped.is(package)) {
                versions.entry(&package.name).or_default().push(&package.version);
            }
        }
        let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
        several
            .map(|(name, versions)| {
                format!("{name}: in {} versions: {}", versions.len(), versions.join(", "))
            })
            .collect()
    }
}

impl Named {
    /// `name` means every version, `name@1.2` those that begin so.
    fn is(&self, package: &Package) -> bool {
        match self.name.split_once('@') {
            None => self.name == package.name,
            Some((name, version)) => {
                let rest = package.version.strip_prefix(version);
                name == package.name
                    && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
        }
    }
}

fn named(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [graph]
        targets = []
        [licenses]
        allow = ["MIT"]
        [bans]
        multiple-versions = "deny"
        wildcards = "deny"
        allow-wildcard-paths = true
        deny = [{ crate = "bad", reason = "no" }]
        skip = [{ crate = "twice@1", reason = "r" }]
        [sources]
        unknown-registry = "deny"
        unknown-git = "deny"
    "#;

    fn problems(packages: &str) -> Vec<String> {
        let rules: Rules = basic_toml::from_str(RULES).unwrap();
        rules.problems(&Graph { packages: serde_json::from_str(packages).unwrap() })
    }

    fn package(
        name: &str,
        version: &str,
        license: &str,
        source: &str,
        dependencies: &str,
    ) -> String {
        format!(
            r#"{{"id":"","name":"{name}","version":"{version}","license":{license},"source":{source},"dependencies":[{dependencies}]}}"#
        )
    }

    #[test]
    fn what_is_in_order_is_no_problem() {
        let registry = r#""registry+x""#;
        let packages = [
            package(
                "own",
                "0.1.0",
                r#""MIT""#,
                "null",
                r#"{"name":"a","req":"*","registry":null,"path":"/a"}"#,
            ),
            package("twice", "1.9.0", r#""MIT OR GPL-3.0""#, registry, ""),
            package("twice", "2.0.0", r#""MIT""#, registry, ""),
        ];
        assert_eq!(problems(&format!("[{}]", packages.join(","))), [] as [&str; 0]);
    }

    #[test]
    fn each_rule_names_the_package_that_breaks_it() {
        let dependency = r#"{"name":"w","req":"*","registry":null,"path":null},{"name":"r","req":"1","registry":"x","path":null}"#;
        let packages = [
            package("bad", "1.0.0", "null", r#""git+https://x""#, ""),
            package("own", "0.1.0", r#""MIT""#, "null", dependency),
            package("three", "1.0.0", r#""MIT""#, "null", ""),
            package("three", "2.0.0", r#""MIT""#, "null", ""),
        ];
        assert_eq!(
            problems(&format!("[{}]", packages.join(","))),
            [
                "bad 1.0.0: licence \"\" is not allowed",
                "bad 1.0.0: banned: no",
                "bad 1.0.0: comes from a git repository",
                "own 0.1.0: takes r from another registry",
                "own 0.1.0: any version of w",
                "three: in 2 versions: 1.0.0, 2.0.0",
            ]
        );
    }
}
