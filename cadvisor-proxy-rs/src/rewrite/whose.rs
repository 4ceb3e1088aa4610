//! What a series gets for the container or pod that it is about, prepared once and remembered.

use std::sync::Arc;

use super::options::{Added, Settings, Subject};
use super::rules::escaped;
use super::scan::Label;
use crate::identity::{Cgroup, Container, Directory, Map, Pod, Shared};

/// Keys that are remembered at most; a node has some thousand cgroups.
const LIMIT: usize = 20_000;

/// What kind of cgroup a series is about.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Kind {
    /// It says nothing of a cgroup.
    #[default]
    None,
    Root,
    /// Of no pod and no container, or of what watches over one.
    Slice,
    Pod,
    Container,
}

/// A label that is added or filled in: name, and value in its escaped form.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// What is known of one key.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    /// A pod or container was found.
    pub(crate) found: bool,
    /// One should have been.
    pub(crate) unknown: bool,
    /// The id of the container or the uid of the pod that nobody knows.
    missing: Option<Box<[u8]>>,
    pub(crate) host_network: bool,
    pub(crate) dead: bool,
    pub(crate) sandbox: bool,
    /// Filled in where the series has the label without a value: pod and namespace.
    pub(crate) repairs: Vec<Pair>,
    /// Likewise, of the container: container, image and name.
    pub(crate) container: Vec<Pair>,
    pub(crate) added: Vec<Pair>,
    /// The pod's name is among them.
    pub(crate) named: bool,
}

impl Known {
    /// Tells the sources what nobody knows, so that they look for it.
    pub(crate) fn tell(&self, shared: &Shared) {
        if let Some(missing) = &self.missing {
            shared.unknown(missing);
        }
    }
}

/// Remembers what is known, as long as the directory stays the same.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    generation: Option<u64>,
    /// Which body this is.
    pub(crate) round: u32,
    /// With the body in which the sources were last told of it.
    map: Map<(Arc<Known>, u32)>,
    key: Vec<u8>,
}

impl Cache {
    /// Forgets what another directory said; answers whether it was another.
    pub(crate) fn renew(&mut self, directory: &Directory) -> bool {
        self.round = self.round.wrapping_add(1);
        let other = self.generation != Some(directory.generation);
        if other {
            self.map.clear();
            self.generation = Some(directory.generation);
        }
        other
    }

    pub(crate) fn whose(
        &mut self,
        labels: &[Label<'_>],
        settings: &Settings,
        directory: &Directory,
        shared: &Shared,
    ) -> Option<Arc<Known>> {
        let mut value = [None; 3];
        if settings.subject == Subject::Own {
            self.key.clear();
        } else {
            for label in labels {
                let at = match label.name.as_ref() {
                    b"id" => 0,
                    b"namespace" => 1,
                    b"pod" => 2,
                    _ => continue,
                };
                value[at] = Some(label.value.as_ref());
            }
            self.key.clear();
            match value {
                [Some(id), _, _] if !id.is_empty() => self.key.extend_from_slice(id),
                [_, Some(namespace), Some(pod)] if !pod.is_empty() => {
                    // No escaped value has this byte, so no cgroup is taken for a name.
                    self.key.extend_from_slice(namespace);
                    self.key.push(b'\n');
                    self.key.extend_from_slice(pod);
                }
                _ => return None,
            }
        }
        let round = self.round;
        if let Some((known, told)) = self.map.get_mut(self.key.as_slice()) {
            if *told != round {
                *told = round;
                known.tell(shared);
            }
            return Some(Arc::clone(known));
        }
        let known = Arc::new(match (settings.subject, value) {
            (Subject::Own, _) => own(settings, directory),
            (_, [Some(id), _, _]) if !id.is_empty() => of_cgroup(id, settings, directory),
            (_, [_, namespace, pod]) => {
                let (namespace, pod) = (namespace.unwrap_or_default(), pod.unwrap_or_default());
                let pod = directory.named(namespace, pod);
                Known { unknown: pod.is_none(), ..known(None, pod, settings) }
            }
        });
        known.tell(shared);
        if self.map.len() >= LIMIT {
            self.map.clear();
        }
        self.map.insert(self.key.as_slice().into(), (Arc::clone(&known), round));
        Some(known)
    }
}

fn own(settings: &Settings, directory: &Directory) -> Known {
    let own = directory.own.as_ref();
    Known { unknown: own.is_none(), dead: false, host_network: false, ..known(None, own, settings) }
}

fn of_cgroup(id: &[u8], settings: &Settings, directory: &Directory) -> Known {
    let id = exporter_toolkit::line::unescape(id);
    let cgroup = Cgroup::of(&id);
    let kind = match &cgroup {
        _ if *id == *b"/" => Kind::Root,
        Cgroup { monitor: true, .. } | Cgroup { container: None, pod: None, .. } => Kind::Slice,
        Cgroup { container: Some(_), .. } => Kind::Container,
        _ => Kind::Pod,
    };
    if matches!(kind, Kind::Root | Kind::Slice) {
        return Known { kind, ..Known::default() };
    }
    let (container, pod) = directory.find(&cgroup);
    let missing = match (cgroup.container, &cgroup.pod) {
        (Some(id), _) if container.is_none() => Some(id),
        (_, Some(uid)) if pod.is_none() => Some(uid.as_bytes()),
        _ => None,
    };
    let (unknown, missing) = (missing.is_some(), missing.map(Box::from));
    Known { kind, unknown, missing, ..known(container, pod, settings) }
}

fn known(container: Option<&Arc<Container>>, pod: Option<&Arc<Pod>>, settings: &Settings) -> Known {
    let sandbox = container.is_some_and(|container| container.name == "POD");
    let added = added(container, pod, settings);
    Known {
        found: container.is_some() || pod.is_some(),
        host_network: pod.is_some_and(|pod| pod.host_network)
            || pod.is_none() && container.is_some_and(|container| container.host_network),
        dead: pod.is_some_and(|pod| pod.ended) || container.is_some_and(|c| !c.running),
        sandbox,
        repairs: pod.map_or_else(Vec::new, |pod| {
            pairs([("namespace", Some(pod.namespace.as_str())), ("pod", Some(&pod.name))])
        }),
        container: container.map_or_else(Vec::new, |container| {
            let name = pod.filter(|_| !sandbox).map(|_| container.name.as_str());
            let runtime = container.runtime_name.as_deref();
            pairs([("container", name), ("image", container.image.as_deref()), ("name", runtime)])
        }),
        named: added.iter().any(|(name, _)| name == b"pod_name"),
        added,
        ..Known::default()
    }
}

/// In the order in which series show them.
fn added(
    container: Option<&Arc<Container>>,
    pod: Option<&Arc<Pod>>,
    settings: &Settings,
) -> Vec<Pair> {
    // A plain container is a pod of its own.
    let alone = container.filter(|_| pod.is_none());
    let ip =
        pod.map_or_else(|| alone.and_then(|alone| alone.ip.as_deref()), |pod| pod.ip.as_deref());
    let name = pod.map(|pod| pod.name.as_str()).or_else(|| alone.map(|alone| alone.name.as_str()));
    let mut all = pairs([("pod_ip", ip), ("pod_name", name)]);
    let owner = pod.and_then(|pod| pod.owner.as_ref());
    for wanted in &settings.labels {
        all.extend(match wanted {
            Added::Namespace => pairs([("namespace", pod.map(|pod| pod.namespace.as_str()))]),
            Added::Container => pairs([(
                "container",
                container.filter(|c| c.name != "POD").map(|c| c.name.as_str()),
            )]),
            Added::Node => pairs([("node", pod.and_then(|pod| pod.node.as_deref()))]),
            Added::PodUid => pairs([("pod_uid", pod.map(|pod| pod.uid.as_str()))]),
            Added::Owner => pairs([
                ("owner_kind", owner.map(|(kind, _)| kind.as_str())),
                ("owner_name", owner.map(|(_, name)| name.as_str())),
            ]),
        });
    }
    if let Some(pod) = pod {
        all.extend(pairs(
            pod.labels.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))),
        ));
    }
    all
}

/// What is not known gives no label.
fn pairs<'a>(given: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Vec<Pair> {
    let filled = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let filled = filled.filter(|(_, value)| !value.is_empty());
    filled.map(|(name, value)| (name.as_bytes().to_vec(), escaped(value.as_bytes()))).collect()
}
