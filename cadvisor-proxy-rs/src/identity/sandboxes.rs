//! Identity without asking anybody: the cgroups tell which containers are of which pod, a process of theirs the pod's
//! address, and the names of the logs that the kubelet has written the rest.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::cgroup::is_id;
use super::netns::{Network, Processes};
use super::{Container, ContainerFacts, Facts, Pod, PodFacts, Reporter};
use crate::cgroup::{Paths, containers};

/// Without a question.
const RESYNC: Duration = Duration::from_secs(30);
/// A network plugin gives a sandbox its address some time after its start.
const ADDRESS: Duration = Duration::from_secs(2);
/// A pod that has no address after so many looks is looked at with each walk only.
const LOOKS: u32 = 30;
/// Where the kubelet links the logs of all containers: `POD_NAMESPACE_CONTAINER-ID.log`.
const LOGS: &str = "/var/log/containers";
/// Logs that are looked at.
const MOST_LOGS: usize = 65_536;

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) paths: Paths,
    /// What pods in the host's network have as address.
    pub(super) host_ip: Option<String>,
    pub(super) node: Option<String>,
}

/// What is known of a pod's network, and by which process.
#[derive(Clone, Debug)]
struct Known {
    pid: u32,
    container: String,
    network: Option<Network>,
    looks: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Source {
    settings: Settings,
    processes: Processes,
    /// By the pod's uid.
    known: HashMap<String, Known>,
}

impl Source {
    pub(super) fn new(settings: Settings) -> Self {
        let processes = Processes::new(&settings.paths.procfs);
        Self { settings, processes, known: HashMap::new() }
    }

    /// Looks for ever.
    pub(super) async fn run(mut self, mut reporter: Reporter) {
        loop {
            let mut looking = self.clone();
            // A walk of a large tree takes longer than connections should wait.
            match spawn_blocking(move || looking.look().map(|facts| (looking, facts))).await {
                Ok(Ok((looked, facts))) => {
                    self = looked;
                    reporter.tell(facts);
                }
                Ok(Err(problem)) => reporter.fails(&problem),
                Err(error) => reporter.fails(&error.to_string()),
            }
            let open = |known: &Known| known.network.is_none() && known.looks < LOOKS;
            let next = if self.known.values().any(open) { ADDRESS } else { RESYNC };
            tokio::select! {
                () = reporter.asked() => {}
                () = sleep(next) => {}
            }
        }
    }

    fn look(&mut self) -> Result<Facts, String> {
        let found = containers(&self.settings.paths).map_err(|error| error.to_string())?;
        let logs = logs(&self.settings.paths.root(LOGS));
        let mut facts = Facts::default();
        let mut pods: HashMap<String, PodFacts> = HashMap::new();
        for (uid, id, pid) in found {
            self.process(&uid, &id, pid);
            let pod = pods.entry(uid.clone()).or_insert_with(|| self.pod(&uid));
            if let Some(log) = logs.get(&id) {
                pod.pod.name.clone_from(&log.pod);
                pod.pod.namespace.clone_from(&log.namespace);
                let name = log.container.clone();
                let container = Container { id, name, running: true, ..Container::default() };
                facts.containers.push(ContainerFacts { container, pod: Some(uid) });
            }
        }
        self.known.retain(|uid, _| pods.contains_key(uid));
        for (uid, pod) in &mut pods {
            if let Some(known) = self.known.get(uid) {
                self.address(known, &mut pod.pod);
            }
        }
        facts.pods = pods.into_values().collect();
        // So that the same cgroups give the same facts.
        facts.pods.sort_unstable_by(|a, b| a.pod.uid.cmp(&b.pod.uid));
        facts.containers.sort_unstable_by(|a, b| a.container.id.cmp(&b.container.id));
        Ok(facts)
    }

    fn pod(&self, uid: &str) -> PodFacts {
        let node = self.settings.node.clone();
        PodFacts::from(Pod { uid: uid.to_owned(), node, ..Pod::default() })
    }

    /// All containers of a pod share its network: one process that lives is enough.
    fn process(&mut self, uid: &str, id: &str, pid: u32) {
        let known = self.known.get(uid);
        if known.is_none_or(|known| !self.processes.is_of(known.pid, &known.container)) {
            let known = Known { pid, container: id.to_owned(), network: None, looks: 0 };
            self.known.insert(uid.to_owned(), known);
        }
        if let Some(known) = self.known.get_mut(uid)
            && known.pid == pid
            && !matches!(known.network, Some(Network::Own(_) | Network::Host))
        {
            let network = self.processes.network(pid);
            // It may have two addresses for good; none at all is soon another.
            known.network =
                network.filter(|network| *network != Network::Unclear || known.looks >= LOOKS);
            known.looks += 1;
        }
    }

    fn address(&self, known: &Known, pod: &mut Pod) {
        match &known.network {
            Some(Network::Host) => {
                pod.host_network = true;
                pod.ip.clone_from(&self.settings.host_ip);
            }
            Some(Network::Own(address)) => pod.ip = Some(IpAddr::to_string(address)),
            Some(Network::Unclear) | None => {}
        }
    }
}

/// What the name of a log tells.
#[derive(Debug, PartialEq, Eq)]
struct Log {
    pod: String,
    namespace: String,
    container: String,
}

impl Log {
    /// `None` for what is named otherwise. None of the three names can hold an underscore.
    fn of(name: &str) -> Option<(String, Self)> {
        let name = name.strip_suffix(".log")?;
        let (names, id) = name.rsplit_once('-')?;
        if !is_id(id.as_bytes()) {
            return None;
        }
        let mut parts = names.split('_').filter(|part| !part.is_empty()).map(str::to_owned);
        let (pod, namespace, container) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = parts.next().is_none();
        whole.then(|| (id.to_owned(), Self { pod, namespace, container }))
    }
}

/// By the container's id; none where there are no logs.
fn logs(folder: &Path) -> HashMap<String, Log> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = entries.take(MOST_LOGS).filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| Log::of(&name)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::identity::Directory;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const UID: &str = "1a3f2a72-fed5-43c2-99f6-2113ae0b3286";

    #[test]
    fn a_logs_name_tells_pod_namespace_and_container() {
        let (id, log) = Log::of(&format!("web-1_shop_my-app-{ID}.log")).unwrap();
        assert_eq!((id.as_str(), log.pod.as_str()), (ID, "web-1"));
        assert_eq!((log.namespace.as_str(), log.container.as_str()), ("shop", "my-app"));
        for wrong in
            ["web-1_shop_app-abc.log", &format!("a_b-{ID}.log"), &format!("a_b_c_d-{ID}.log")]
        {
            assert_eq!(Log::of(wrong), None, "{wrong}");
        }
    }

    fn host() -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let slice = format!("kubepods.slice/kubepods-pod{}.slice", UID.replace('-', "_"));
        let cgroup = format!("{slice}/cri-containerd-{ID}.scope");
        write("cgroup/cgroup.controllers", "cpu\n");
        write(&format!("cgroup/{cgroup}/cgroup.procs"), "77\n");
        write("proc/77/cgroup", &format!("0::/{cgroup}\n"));
        write("proc/77/net/fib_trie", "  |-- 10.244.1.17\n     /32 host LOCAL\n");
        for (pid, network) in [("1", "net:[1]"), ("77", "net:[2]")] {
            fs::create_dir_all(below(&format!("proc/{pid}/ns"))).unwrap();
            std::os::unix::fs::symlink(network, below(&format!("proc/{pid}/ns/net"))).unwrap();
        }
        let paths = Paths {
            procfs: below("proc"),
            sysfs: below("sys"),
            cgroup: below("cgroup"),
            rootfs: below("root"),
        };
        (folder, Settings { paths, host_ip: None, node: Some("n1".to_owned()) })
    }

    #[test]
    fn a_pods_address_is_found_with_no_server_at_all() {
        let (folder, settings) = host();
        let mut source = Source::new(settings);
        let directory = Directory::of(&source.look().unwrap());
        let pod = directory.pod(UID.as_bytes()).unwrap();
        assert_eq!((pod.ip.as_deref(), pod.name.as_str()), (Some("10.244.1.17"), ""));
        assert!(directory.container(ID.as_bytes()).is_none() && directory.names.is_empty());
        let logs = folder.path().join("root/var/log/containers");
        fs::create_dir_all(&logs).unwrap();
        fs::write(logs.join(format!("web-1_shop_app-{ID}.log")), "").unwrap();
        let directory = Directory::of(&source.look().unwrap());
        let container = directory.container(ID.as_bytes()).unwrap();
        let pod = container.pod.as_ref().unwrap();
        assert_eq!((container.name.as_str(), pod.name.as_str()), ("app", "web-1"));
        assert_eq!(pod.ip.as_deref(), Some("10.244.1.17"));
    }

    #[test]
    fn a_host_without_cgroups_is_a_problem_that_says_so() {
        let (_folder, mut settings) = host();
        settings.paths.cgroup = "/nonexistent/cgroup".into();
        assert!(Source::new(settings).look().unwrap_err().contains("/nonexistent/cgroup"));
    }
}
