//! The forms in which API servers tell what they serve.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::{Gvr, Resource};

/// Aggregated discovery is asked for first; a server that does not know it gives the plain form.
pub(crate) const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// What `/version` tells.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(from = "VersionInfo")]
pub struct Version {
    /// 0 where the server tells no version at all.
    pub major: u32,
    /// Without the `+` that some vendors append.
    pub minor: u32,
    /// In the server's own words, such as `v1.20.2`.
    pub release: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct VersionInfo {
    major: String,
    minor: String,
    git_version: String,
}

impl From<VersionInfo> for Version {
    fn from(info: VersionInfo) -> Self {
        // Some distributions build without the first two.
        let mut git = info.git_version.trim_start_matches('v').split('.');
        let (git_major, git_minor) = (git.next().and_then(number), git.next().and_then(number));
        Self {
            major: number(&info.major).or(git_major).unwrap_or_default(),
            minor: number(&info.minor).or(git_minor).unwrap_or_default(),
            release: info.git_version,
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// A version of a group of the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct GroupVersion {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) listed: Listed,
}

/// Where its resources are told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Listed {
    Here(Arc<Vec<Resource>>),
    /// At its own path.
    Elsewhere,
    /// The aggregated API server behind it does not answer.
    Stale,
}

/// `APIGroupDiscoveryList`, `APIGroupList` or `APIVersions`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Groups {
    Aggregated { items: Vec<AggregatedGroup> },
    Plain { groups: Vec<PlainGroup> },
    Core { versions: Vec<String> },
}

#[derive(Deserialize)]
struct AggregatedGroup {
    #[serde(default)]
    metadata: Name,
    #[serde(default)]
    versions: Vec<AggregatedVersion>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
struct AggregatedVersion {
    version: String,
    #[serde(default)]
    resources: Option<Vec<AggregatedResource>>,
    #[serde(default)]
    freshness: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AggregatedResource {
    resource: String,
    #[serde(default)]
    response_kind: Option<Kind>,
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

#[derive(Deserialize)]
struct PlainGroup {
    name: String,
    versions: Vec<PlainVersion>,
}

#[derive(Deserialize)]
struct PlainVersion {
    version: String,
}

#[derive(Deserialize)]
struct PlainResources {
    resources: Vec<PlainResource>,
}

#[derive(Deserialize)]
struct PlainResource {
    name: String,
    namespaced: bool,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
}

/// Reads the answer to `/api` or `/apis`.
pub(crate) fn groups(bytes: &[u8]) -> Result<Vec<GroupVersion>, serde_json::Error> {
    Ok(match serde_json::from_slice(bytes)? {
        Groups::Aggregated { items } => items.into_iter().flat_map(aggregated).collect(),
        Groups::Plain { groups } => groups.into_iter().flat_map(plain).collect(),
        Groups::Core { versions } => {
            versions.into_iter().map(|version| elsewhere(String::new(), version)).collect()
        }
    })
}

fn aggregated(found: AggregatedGroup) -> impl Iterator<Item = GroupVersion> {
    let group = found.metadata.name;
    found.versions.into_iter().map(move |version| {
        let resources = version.resources.unwrap_or_default();
        let listed = if version.freshness == "Stale" && resources.is_empty() {
            Listed::Stale
        } else {
            let resources = resources
                .into_iter()
                .filter(|resource| can_be_followed(&resource.verbs))
                .map(|resource| Resource {
                    gvr: gvr(&group, &version.version, resource.resource),
                    kind: resource.response_kind.map(|found| found.kind).unwrap_or_default(),
                    namespaced: resource.scope == "Namespaced",
                });
            Listed::Here(Arc::new(resources.collect()))
        };
        GroupVersion { group: group.clone(), version: version.version, listed }
    })
}

fn plain(group: PlainGroup) -> impl Iterator<Item = GroupVersion> {
    let versions = group.versions.into_iter();
    versions.map(move |found| elsewhere(group.name.clone(), found.version))
}

fn elsewhere(group: String, version: String) -> GroupVersion {
    GroupVersion { group, version, listed: Listed::Elsewhere }
}

/// Reads an `APIResourceList`, less subresources and what cannot be followed.
pub(crate) fn resources(
    group: &str,
    version: &str,
    bytes: &[u8],
) -> Result<Vec<Resource>, serde_json::Error> {
    let list: PlainResources = serde_json::from_slice(bytes)?;
    let followed = list
        .resources
        .into_iter()
        .filter(|resource| can_be_followed(&resource.verbs) && !resource.name.contains('/'));
    let named = followed.map(|resource| Resource {
        gvr: gvr(group, version, resource.name),
        kind: resource.kind,
        namespaced: resource.namespaced,
    });
    Ok(named.collect())
}

fn gvr(group: &str, version: &str, resource: String) -> Gvr {
    Gvr {
        group: Cow::Owned(group.to_owned()),
        version: Cow::Owned(version.to_owned()),
        resource: Cow::Owned(resource),
    }
}

fn can_be_followed(verbs: &[String]) -> bool {
    ["list", "watch"].iter().all(|wanted| verbs.iter().any(|verb| verb == wanted))
}

#[cfg(test)]
mod tests;
