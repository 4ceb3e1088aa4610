//! Which resource of the API is meant, and which one is served.

use std::borrow::Cow;
use std::fmt;

/// Group, version and plural name of a resource: what its URL is made of.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Gvr {
    /// Empty for the core group, as in the API.
    pub group: Cow<'static, str>,
    pub version: Cow<'static, str>,
    /// The plural name in lower case, such as `pods`.
    pub resource: Cow<'static, str>,
}

impl Gvr {
    /// One that is known when the program is compiled, such as `Gvr::new("apps", "v1", "deployments")`.
    pub const fn new(group: &'static str, version: &'static str, resource: &'static str) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            resource: Cow::Borrowed(resource),
        }
    }

    /// As `apiVersion` has it: `v1`, `apps/v1`.
    pub fn group_version(&self) -> String {
        group_version(&self.group, &self.version)
    }

    /// The path below which the resource is served, in one namespace or in all.
    pub(crate) fn path(&self, namespace: Option<&str>) -> String {
        let mut path = root(&self.group, &self.version);
        if let Some(namespace) = namespace {
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(&self.resource);
        path
    }
}

/// `pods.v1`, `deployments.v1.apps`: the form that kubectl takes.
impl fmt::Display for Gvr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.resource, self.version)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// A resource that the API server serves and that can be listed and watched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resource {
    pub gvr: Gvr,
    /// Such as `Pod`.
    pub kind: String,
    /// False for what belongs to the whole cluster, such as nodes.
    pub namespaced: bool,
}

/// Group, version and kind of custom resources as they are configured; `*` stands for any.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    pub group: String,
    pub version: String,
    pub kind: String,
}

impl Pattern {
    pub fn matches(&self, resource: &Resource) -> bool {
        let part = |pattern: &str, text: &str| pattern == "*" || pattern == text;
        part(&self.group, &resource.gvr.group)
            && part(&self.version, &resource.gvr.version)
            && part(&self.kind, &resource.kind)
    }
}

pub(crate) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// The core group's path differs from all others' for historical reasons.
pub(crate) fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_group_has_its_own_path() {
        assert_eq!(Gvr::new("", "v1", "pods").path(None), "/api/v1/pods");
        let path = Gvr::new("apps", "v1", "deployments").path(Some("shop"));
        assert_eq!(path, "/apis/apps/v1/namespaces/shop/deployments");
    }

    #[test]
    fn a_resource_is_shown_as_kubectl_takes_it() {
        assert_eq!(Gvr::new("", "v1", "pods").to_string(), "pods.v1");
        assert_eq!(Gvr::new("apps", "v1", "deployments").to_string(), "deployments.v1.apps");
    }

    #[test]
    fn a_star_matches_any_part() {
        let widget = Resource {
            gvr: Gvr::new("example.com", "v1", "widgets"),
            kind: "Widget".to_owned(),
            namespaced: true,
        };
        let pattern = |group: &str, version: &str, kind: &str| Pattern {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        };
        assert!(pattern("example.com", "v1", "Widget").matches(&widget));
        assert!(pattern("example.com", "*", "*").matches(&widget));
        assert!(pattern("*", "*", "Widget").matches(&widget));
        assert!(!pattern("example.com", "v2", "*").matches(&widget));
    }
}
