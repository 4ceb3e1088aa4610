//! An API server of the objects in a file, for those who have no cluster: they are listed and watched as a cluster's are,
//! and never change.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::apiserver::http::Chunks;
use crate::site::{Reply, Request, Site};

/// A file of objects may be this long.
const LIMIT: u64 = 256 << 20;
const JSON: &str = "Content-Type: application/json\r\n";
/// Time between two bookmarks of a watch.
const BOOKMARK: Duration = Duration::from_mins(1);

/// The objects by their paths: `/api/v1/pods`.
#[derive(Debug, Default)]
pub struct Sample {
    kinds: BTreeMap<String, Kind>,
}

#[derive(Debug)]
struct Kind {
    /// `v1`, `apps/v1`
    version: String,
    name: String,
    namespaced: bool,
    items: Vec<Value>,
}

impl Sample {
    /// Reads objects as kubectl prints them: YAML or JSON, lists and several documents too.
    pub fn read(file: &Path) -> Result<Self> {
        let path = || file.display().to_string();
        let size = std::fs::metadata(file).with_context(path)?.len();
        ensure!(size <= LIMIT, "{} is longer than {LIMIT} bytes", path());
        #[expect(clippy::disallowed_methods, reason = "its length is known")]
        let text = std::fs::read_to_string(file).with_context(path)?;
        Self::parse(&text).with_context(path)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut sample = Self::default();
        // YAML takes JSON in, but not one JSON after another.
        let documents: Vec<Value> = if text.trim_start().starts_with('{') {
            serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>()?
        } else {
            serde_saphyr::from_multiple(text).map_err(|error| anyhow::anyhow!("{error}"))?
        };
        for document in documents {
            sample.take(document)?;
        }
        ensure!(sample.objects() > 0, "no object is in it");
        Ok(sample)
    }

    fn take(&mut self, mut document: Value) -> Result<()> {
        if document.is_null() {
            return Ok(());
        }
        if let Some(Value::Array(items)) = document.get_mut("items").map(Value::take) {
            return items.into_iter().try_for_each(|item| self.take(item));
        }
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(version), Some(name)) = (text("apiVersion"), text("kind")) else {
            bail!("an object has no apiVersion or no kind: {document}")
        };
        let namespaced = document.pointer("/metadata/namespace").is_some();
        let root = if version.contains('/') { "apis" } else { "api" };
        let path = format!("/{root}/{version}/{}", plural(&name));
        let new = Kind { version, name, namespaced, items: Vec::new() };
        self.kinds.entry(path).or_insert(new).items.push(document);
        Ok(())
    }

    pub fn objects(&self) -> usize {
        self.kinds.values().map(|kind| kind.items.len()).sum()
    }

    /// Serves them on any port of 127.0.0.1.
    pub fn serve(self) -> Result<Site> {
        Site::start(0, move |request, reply| self.answer(request, reply))
    }

    fn answer(&self, request: &Request, reply: &mut Reply<'_>) -> io::Result<()> {
        if let Some(kind) = self.kinds.get(&request.path) {
            return if request.is_set("watch") {
                kind.watch(request, reply)
            } else {
                reply.send(200, JSON, kind.list(request).to_string().as_bytes())
            };
        }
        match self.about(request.path.trim_end_matches('/')) {
            Some(answer) => reply.send(200, JSON, answer.to_string().as_bytes()),
            None => reply.send(404, JSON, status(404, "NotFound").to_string().as_bytes()),
        }
    }

    /// What the server says about itself.
    fn about(&self, path: &str) -> Option<Value> {
        let versions = || self.kinds.values().map(|kind| kind.version.as_str());
        match path {
            "/livez" | "/readyz" | "/healthz" => Some("ok".into()),
            "/version" => {
                Some(json!({"major": "1", "minor": "30", "gitVersion": "v1.30.0-sample"}))
            }
            "/api" => Some(json!({"kind": "APIVersions", "versions": ["v1"]})),
            "/apis" => {
                let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
                for version in versions() {
                    let Some((group, short)) = version.split_once('/') else { continue };
                    let entry = json!({"groupVersion": version, "version": short});
                    let known = groups.entry(group).or_default();
                    if !known.contains(&entry) {
                        known.push(entry);
                    }
                }
                let groups: Vec<Value> = groups
                    .into_iter()
                    .map(|(name, versions)| {
                        let preferred = versions.first().cloned();
                        json!({"name": name, "versions": versions, "preferredVersion": preferred})
                    })
                    .collect();
                Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
            }
            _ => self.resources(path),
        }
    }

    fn resources(&self, path: &str) -> Option<Value> {
        let version = path.strip_prefix("/api/").or_else(|| path.strip_prefix("/apis/"))?;
        let of_version = self.kinds.values().filter(|kind| kind.version == version);
        let resources: Vec<Value> = of_version
            .map(|kind| {
                json!({
                    "name": plural(&kind.name), "singularName": kind.name.to_lowercase(),
                    "namespaced": kind.namespaced, "kind": kind.name, "verbs": ["get", "list", "watch"],
                })
            })
            .collect();
        (!resources.is_empty() || version == "v1").then(
            || json!({"kind": "APIResourceList", "groupVersion": version, "resources": resources}),
        )
    }
}

impl Kind {
    fn list(&self, request: &Request) -> Value {
        let metadata = json!({"resourceVersion": "1"});
        if request.accept.contains("as=PartialObjectMetadata") {
            let part = |item: &Value| json!({"metadata": item["metadata"]});
            let items: Vec<Value> = self.items.iter().map(part).collect();
            return json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata, "items": items,
            });
        }
        json!({
            "kind": format!("{}List", self.name), "apiVersion": self.version,
            "metadata": metadata, "items": self.items,
        })
    }

    /// Nothing ever happens; bookmarks show that the server lives.
    fn watch(&self, request: &Request, reply: &mut Reply<'_>) -> io::Result<()> {
        if request.is_set("sendInitialEvents") {
            let refusal = status(422, "Invalid").to_string();
            return reply.send(422, JSON, refusal.as_bytes());
        }
        let start = Instant::now();
        let end = start + Duration::from_secs(request.number("timeoutSeconds").unwrap_or(300));
        let mut bookmark = start + BOOKMARK;
        let open = reply.open();
        let mut chunks = Chunks::start(reply.stream)?;
        while open.load(std::sync::atomic::Ordering::Relaxed) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(500));
            if Instant::now() >= bookmark && request.is_set("allowWatchBookmarks") {
                bookmark += BOOKMARK;
                let object = json!({
                    "kind": self.name, "apiVersion": self.version,
                    "metadata": {"resourceVersion": "1", "creationTimestamp": null},
                });
                let event = json!({"type": "BOOKMARK", "object": object});
                chunks.out.extend_from_slice(format!("{event}\n").as_bytes());
                chunks.flush()?;
            }
        }
        chunks.finish()
    }
}

fn status(code: u16, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "code": code, "message": format!("this server of a file's objects: {reason}"),
    })
}

/// As Kubernetes forms it: pods, ingresses, networkpolicies, endpoints.
fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if lower == "endpoints" => lower,
        None if lower.ends_with('s') => format!("{lower}es"),
        None => format!("{lower}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{self, get};

    const OBJECTS: &str = "apiVersion: v1\nkind: List\nitems:\n\
        - {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}}\n\
        - {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: b, namespace: x}}\n\
        ---\napiVersion: v1\nkind: Node\nmetadata: {name: n}\n";

    fn json(response: &http::Response) -> Value {
        serde_json::from_slice(&response.body).unwrap()
    }

    #[test]
    fn objects_of_a_file_are_listed_where_a_cluster_has_them() {
        let sample = Sample::parse(OBJECTS).unwrap();
        assert_eq!(sample.objects(), 3);
        let site = sample.serve().unwrap();
        let found = |path: &str| json(&get(site.address(), path).unwrap());
        assert_eq!(found("/api/v1/pods?limit=500")["items"][0]["metadata"]["name"], "a");
        assert_eq!(found("/apis/networking.k8s.io/v1/ingresses")["kind"], "IngressList");
        assert_eq!(found("/apis")["groups"][0]["versions"][0]["version"], "v1");
        let core = found("/api/v1");
        assert_eq!(core["resources"][0]["name"], "nodes");
        assert_eq!(core["resources"][0]["namespaced"], false);
        assert_eq!(core["resources"][1]["namespaced"], true);
        assert_eq!(get(site.address(), "/api/v1/secrets").unwrap().status, 404);
        let streamed = "/api/v1/pods?watch=true&sendInitialEvents=true";
        assert_eq!(get(site.address(), streamed).unwrap().status, 422);
        let watched = get(site.address(), "/api/v1/pods?watch=1&timeoutSeconds=1").unwrap();
        assert_eq!((watched.status, watched.body.len()), (200, 0));
    }

    #[test]
    fn a_file_without_objects_is_an_error() {
        assert!(Sample::parse("").is_err());
        assert!(Sample::parse("a: b\n").is_err());
        assert!(Sample::parse("{\"kind\": \"List\", \"items\": []}").is_err());
    }
}
