//! Whose a network is: several containers of a pod share one, and a plain container may share another's.

use std::collections::HashMap;

use super::kept::{Access, Root};
use super::labels::Kind;
use crate::identity::{Cgroup, Directory};

/// The cgroups of which a network is told, and a process in each.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_path: HashMap<Box<[u8]>, u32>,
    found: bool,
}

/// A container whose network may be told.
struct Candidate<'a> {
    path: &'a [u8],
    pid: u32,
    sandbox: bool,
}

impl Owners {
    /// What was found is of the past.
    pub(super) fn forget(&mut self) {
        self.found = false;
    }

    pub(super) fn process_of(&self, path: &[u8]) -> Option<u32> {
        self.by_path.get(path).copied()
    }

    /// Looks at each container's first process; in order of their paths.
    pub(super) fn find<'a>(
        &mut self,
        access: &mut Access,
        procfs: &Root,
        cgroups: impl Iterator<Item = (&'a [u8], Option<u32>)>,
        directory: &Directory,
    ) {
        if std::mem::replace(&mut self.found, true) {
            return;
        }
        self.by_path.clear();
        let all: Vec<(&[u8], Option<u32>)> = cgroups.collect();
        let mut pods: HashMap<Vec<u8>, Vec<Candidate<'a>>> = HashMap::new();
        let mut plain: HashMap<Box<[u8]>, (&[u8], u32)> = HashMap::new();
        // Where the first process is beyond us, we are taken for one in the host's network, as agents are.
        let mut of = |process: &str| access.link(procfs, process, "ns/net");
        let host = of("1").or_else(|| of("self"));
        for (path, pid) in &all {
            match Kind::of(path) {
                // As cAdvisor: the machine's network is that of its first process.
                Kind::Root => drop(self.by_path.insert((*path).into(), 1)),
                Kind::Container => {
                    let Some(pid) = *pid else { continue };
                    // Who is not root is not told: each container has its own then.
                    let network = access.link(procfs, &pid.to_string(), "ns/net");
                    let network = network.unwrap_or_else(|| pid.to_string().into_bytes().into());
                    let cgroup = Cgroup::of(path);
                    if let Some(uid) = cgroup.pod {
                        let sandbox = is_sandbox(access, procfs, pid, &cgroup, directory);
                        let candidate = Candidate { path, pid, sandbox };
                        pods.entry(uid.as_bytes().to_vec()).or_default().push(candidate);
                    } else if Some(&network) == host.as_ref() {
                        self.by_path.insert((*path).into(), pid);
                    } else {
                        // Of those that share one, the first that was started owns it.
                        let owner = plain.entry(network).or_insert((path, pid));
                        if pid < owner.1 {
                            *owner = (path, pid);
                        }
                    }
                }
                Kind::Pod | Kind::Slice | Kind::Nested => {}
            }
        }
        self.by_path.extend(plain.into_values().map(|(path, pid)| (path.into(), pid)));
        for (uid, candidates) in pods {
            self.pod(&uid, &candidates, &all);
        }
    }

    /// A pod's network is its sandbox's; where the runtime has none (CRI-O), that of the pod's own cgroup.
    fn pod(&mut self, uid: &[u8], candidates: &[Candidate<'_>], all: &[(&[u8], Option<u32>)]) {
        if let Some(sandbox) = candidates.iter().find(|candidate| candidate.sandbox) {
            self.by_path.insert(sandbox.path.into(), sandbox.pid);
            return;
        }
        let Some(first) = candidates.iter().min_by_key(|candidate| candidate.pid) else { return };
        let is_pod = |path: &[u8]| {
            Kind::of(path) == Kind::Pod
                && Cgroup::of(path).pod.is_some_and(|pod| pod.as_bytes() == uid)
        };
        let pod = all.iter().map(|(path, _)| *path).find(|path| is_pod(path));
        self.by_path.insert(pod.unwrap_or(first.path).into(), first.pid);
    }
}

fn is_sandbox(
    access: &mut Access,
    procfs: &Root,
    pid: u32,
    cgroup: &Cgroup<'_>,
    directory: &Directory,
) -> bool {
    let known = cgroup.container.and_then(|id| directory.container(id));
    if known.is_some_and(|container| !container.name.is_empty()) {
        return known.is_some_and(|container| container.name == "POD");
    }
    // The program is called so in all of them.
    let folder = format!("/{pid}");
    access
        .read_once(procfs, folder.as_bytes(), "comm")
        .is_ok_and(|name| name.trim_ascii() == b"pause")
}
