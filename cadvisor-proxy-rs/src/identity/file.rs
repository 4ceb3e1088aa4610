//! Identity from a file, read again when it changes: what `kubectl get pods -o json` (or `-o yaml`) prints, or a list of
//! one's own.
//!
//! ```yaml
//! pods:
//! - {uid: 8f3a1b2c-…, namespace: shop, name: web-1, ip: 10.244.1.17, node: n1, owner: ReplicaSet/web, labels: {app: web},
//!    hostNetwork: false, containers: [{id: 0123…, name: app, image: "busybox:1"}]}
//! containers:
//! - {id: 4567…, name: database, ip: 172.17.0.2}
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use exporter_toolkit::{files, yaml};
use serde::Deserialize;
use tokio::time::sleep;

use super::podlist::{self, ApiPod, Defaults};
use super::{Container, ContainerFacts, Facts, Pod, PodLabels, Reporter};

/// Of a file; that of a node with 250 pods has some 3 MB.
const LIMIT: u64 = 64 << 20;
/// Between two looks whether it has changed.
const LOOK: Duration = Duration::from_secs(2);

/// Why a file tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("--identity.file {}: {source}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("--identity.file {}: neither a PodList nor a list of pods and containers: {problem}", file.display())]
    Unreadable { file: PathBuf, problem: String },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    /// Of a `PodList`.
    items: Vec<ApiPod>,
    pods: Vec<ListedPod>,
    containers: Vec<ListedContainer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct ListedPod {
    uid: String,
    namespace: String,
    name: String,
    ip: Option<String>,
    node: Option<String>,
    host_network: bool,
    owner: Option<String>,
    labels: BTreeMap<String, String>,
    containers: Vec<ListedContainer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct ListedContainer {
    id: String,
    name: String,
    image: Option<String>,
    ip: Option<String>,
    host_network: bool,
}

impl ListedPod {
    fn facts(self, facts: &mut Facts, labels: &PodLabels) {
        // Whoever writes a list of pods without uids means all series that have their names.
        let uid = if self.uid.is_empty() {
            format!("{}/{}", self.namespace, self.name)
        } else {
            self.uid
        };
        let listed = self.containers.into_iter();
        facts.containers.extend(listed.map(|container| container.facts(Some(uid.clone()))));
        let owner = self.owner.map(|owner| {
            let (kind, name) = owner.split_once('/').unwrap_or(("", &owner));
            (kind.to_owned(), name.to_owned())
        });
        let pod = Pod {
            uid,
            namespace: self.namespace,
            name: self.name,
            ip: self.ip,
            node: self.node,
            host_network: self.host_network,
            owner,
            labels: labels.of(|name| self.labels.get(name).map(String::as_str)),
            ended: false,
        };
        facts.pods.push(pod.into());
    }
}

impl ListedContainer {
    fn facts(self, pod: Option<String>) -> ContainerFacts {
        let Self { id, name, image, ip, host_network } = self;
        let known =
            Container { id, name, image, ip, host_network, running: true, ..Container::default() };
        ContainerFacts { container: known, pod }
    }
}

/// Reads the file once.
pub fn read(file: &Path, labels: &PodLabels, host_ip: Option<&str>) -> Result<Facts, FileError> {
    let wrong = |source| FileError::Read { file: file.to_owned(), source };
    let text = files::read(file, LIMIT).map_err(wrong)?;
    let document =
        parse(&text).map_err(|problem| FileError::Unreadable { file: file.to_owned(), problem })?;
    let defaults = Defaults { labels: labels.clone(), host_ip: host_ip.map(str::to_owned) };
    let mut facts = podlist::facts(document.items, &defaults);
    document.pods.into_iter().for_each(|pod| pod.facts(&mut facts, labels));
    facts.containers.extend(document.containers.into_iter().map(|c| c.facts(None)));
    Ok(facts)
}

/// JSON, which is read faster, or YAML.
fn parse(text: &str) -> Result<Document, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    yaml::parse_large(text).map_err(|problem| problem.to_string())
}

/// When it was written, and how long it is; a file that is replaced differs in one of these.
type Mark = Option<(SystemTime, u64)>;

fn mark(file: &Path) -> Mark {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Follows the file for ever. What it said holds on while it cannot be read.
pub(super) async fn run(
    file: PathBuf,
    labels: PodLabels,
    host_ip: Option<String>,
    mut reporter: Reporter,
) {
    let mut last = None;
    loop {
        let now = mark(&file);
        if last != Some(now) {
            match read(&file, &labels, host_ip.as_deref()) {
                Ok(facts) => reporter.tell(facts),
                Err(error) => reporter.fails(&error.to_string()),
            }
            last = Some(now);
        }
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Directory, Hub};

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("identity");
        fs::write(&file, text).unwrap();
        (folder, file)
    }

    fn directory(text: &str) -> Directory {
        let (_folder, file) = written(text);
        Directory::of(&read(&file, &"app".parse().unwrap(), None).unwrap())
    }

    #[test]
    fn a_list_of_ones_own_tells_pods_and_plain_containers() {
        let directory = directory(&format!(
            "pods:\n- {{uid: u1, namespace: shop, name: web-1, ip: 10.0.0.1, owner: ReplicaSet/web, labels: {{app: web}},\n   \
             containers: [{{id: {ID}, name: app}}]}}\ncontainers:\n- {{id: {}, name: db, ip: 172.17.0.2}}\n",
            ID.replace('0', "f")
        ));
        let container = directory.container(ID.as_bytes()).unwrap();
        let pod = container.pod.as_ref().unwrap();
        assert_eq!((pod.ip.as_deref(), pod.labels.len()), (Some("10.0.0.1"), 1));
        let plain = directory.container(ID.replace('0', "f").as_bytes()).unwrap();
        assert_eq!((plain.ip.as_deref(), plain.pod.is_none()), (Some("172.17.0.2"), true));
    }

    #[test]
    fn what_kubectl_prints_is_read_as_json_and_as_yaml() {
        let json = r#"{"apiVersion":"v1","kind":"List","items":[{"metadata":{"name":"a","namespace":"b","uid":"c"},
            "status":{"podIP":"10.0.0.1"}}]}"#;
        let yaml = "apiVersion: v1\nkind: List\nitems:\n- metadata:\n    name: a\n    namespace: b\n    uid: c\n  status:\n    podIP: 10.0.0.1\n";
        for text in [json, yaml] {
            let directory = directory(text);
            assert_eq!(
                directory.named(b"b", b"a").unwrap().ip.as_deref(),
                Some("10.0.0.1"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_wrong_file_names_itself_and_its_problem() {
        let (_folder, file) = written("pods:\n- {uid: u1, nmae: web}\n");
        let error = read(&file, &PodLabels::default(), None).unwrap_err().to_string();
        assert!(error.contains("nmae") && error.contains("identity"), "{error}");
        let error = read(Path::new("/nowhere"), &PodLabels::default(), None).unwrap_err();
        assert!(matches!(error, FileError::Read { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_taken_over_and_a_broken_one_is_not() {
        let (_folder, file) = written("pods: [{uid: u1, name: a, namespace: b, ip: 10.0.0.1}]");
        let mut hub = Hub::default();
        let shared = hub.shared();
        let source = run(file.clone(), PodLabels::default(), None, hub.add_source("file"));
        let tasks = [tokio::spawn(source), tokio::spawn(hub.run())];
        sleep(LOOK).await;
        assert_eq!(shared.load().pod(b"u1").unwrap().ip.as_deref(), Some("10.0.0.1"));
        fs::write(&file, "pods: [{uid: u1, name: a, namespace: b, ip: 10.0.0.2}, {uid: u2}]")
            .unwrap();
        sleep(LOOK * 2).await;
        assert_eq!(shared.load().pod(b"u1").unwrap().ip.as_deref(), Some("10.0.0.2"));
        fs::write(&file, "pods: nonsense").unwrap();
        sleep(LOOK * 2).await;
        assert!(shared.load().pod(b"u2").is_some());
        assert!(shared.sources()[0].problem.is_some());
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
