//! The labels that cAdvisor and the kubelet put on each series of a cgroup, from its path and what is known of it.

use std::sync::Arc;

use exporter_toolkit::labels::escape;

use crate::identity::{Cgroup, Container, Directory, Pod};

/// What kind of cgroup it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Root,
    /// Of no pod and no container.
    Slice,
    /// One that a container made below its own, in whose numbers it is.
    Nested,
    /// Around the containers of a pod.
    Pod,
    Container,
}

impl Kind {
    pub(super) fn of(path: &[u8]) -> Self {
        let cgroup = Cgroup::of(path);
        match cgroup {
            _ if path == b"/" => Self::Root,
            Cgroup { monitor: true, .. } => Self::Slice,
            Cgroup { nested: true, .. } => Self::Nested,
            Cgroup { container: Some(_), .. } => Self::Container,
            // Below a pod's cgroup, but no container's: it is not the pod.
            Cgroup { pod: Some(uid), .. } if is_pods(path, uid.as_bytes()) => Self::Pod,
            _ => Self::Slice,
        }
    }
}

/// Whether the last part of a path is that of the pod.
fn is_pods(path: &[u8], uid: &[u8]) -> bool {
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let text = last.strip_suffix(b".slice").unwrap_or(last);
    let Some(at) = text.len().checked_sub(uid.len()) else { return false };
    let (_, end) = text.split_at(at);
    end.iter().zip(uid).all(|(a, b)| a == b || (*a == b'_' && *b == b'-'))
}

/// The text between the braces of each series. In a pod all six labels of the kubelet are there, elsewhere the three of
/// cAdvisor, with an empty value where nothing is known, which for Prometheus is no label.
pub(super) fn render(path: &[u8], kind: Kind, directory: &Directory) -> Arc<[u8]> {
    let cgroup = Cgroup::of(path);
    let (container, pod) = match kind {
        Kind::Root | Kind::Slice | Kind::Nested => (None, None),
        Kind::Pod => (None, directory.find(&Cgroup { container: None, ..cgroup }).1),
        Kind::Container => directory.find(&cgroup),
    };
    let container = container.map(AsRef::as_ref);
    let mut out = Vec::with_capacity(path.len() + 128);
    let in_pod =
        matches!(kind, Kind::Pod | Kind::Container) && (cgroup.pod.is_some() || pod.is_some());
    if in_pod {
        pair("container", container.map_or("", |container| &container.name), &mut out);
    }
    for (name, value) in container.iter().flat_map(|container| &container.labels) {
        pair(name, value, &mut out);
    }
    pair_of_bytes("id", path, &mut out);
    if kind == Kind::Nested {
        // Without these labels nothing takes it for its container.
        return out.into();
    }
    pair("image", container.and_then(|one| one.image.as_deref()).unwrap_or_default(), &mut out);
    pair("name", name(container, in_pod), &mut out);
    if in_pod {
        let told = |part: fn(&Pod) -> &str| pod.map_or("", |pod| part(pod));
        pair("namespace", told(|pod| &pod.namespace), &mut out);
        pair("pod", told(|pod| &pod.name), &mut out);
    }
    out.into()
}

/// Runtimes other than docker call a container by its id.
fn name(container: Option<&Container>, in_pod: bool) -> &str {
    let Some(container) = container else { return "" };
    let fallback = if in_pod { &container.id } else { &container.name };
    container.runtime_name.as_deref().unwrap_or(fallback)
}

fn pair(name: &str, value: &str, out: &mut Vec<u8>) {
    pair_of_bytes(name, value.as_bytes(), out);
}

fn pair_of_bytes(name: &str, value: &[u8], out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    // Foreign bytes would make a line that nobody reads.
    escape(String::from_utf8_lossy(value).as_bytes(), out);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{ContainerFacts, Facts, PodFacts};

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const UID: &str = "1a3f2a72-fed5-43c2-99f6-2113ae0b3286";

    fn directory() -> Directory {
        let pod = Pod {
            uid: UID.to_owned(),
            namespace: "shop".to_owned(),
            name: "web-1".to_owned(),
            ..Pod::default()
        };
        let container = |id: &str, name: &str, runtime: Option<&str>| Container {
            id: id.to_owned(),
            name: name.to_owned(),
            runtime_name: runtime.map(str::to_owned),
            image: Some("shop:1".to_owned()),
            running: true,
            ..Container::default()
        };
        let plain = Container {
            labels: [("container_label_a".to_owned(), "x\"y".to_owned())].into(),
            ..container(&ID.replace('0', "f"), "db", Some("db"))
        };
        Directory::of(&Facts {
            pods: vec![PodFacts::from(pod)],
            containers: vec![
                ContainerFacts { container: container(ID, "app", None), pod: Some(UID.to_owned()) },
                ContainerFacts { container: plain, pod: None },
            ],
            own: None,
        })
    }

    fn labels(path: &str) -> String {
        let text = render(path.as_bytes(), Kind::of(path.as_bytes()), &directory());
        String::from_utf8(text.to_vec()).unwrap()
    }

    #[test]
    fn a_container_of_a_pod_has_the_six_labels_of_the_kubelet() {
        let path = format!("/kubepods/burstable/pod{UID}/{ID}");
        let wanted = format!(
            "container=\"app\",id=\"{path}\",image=\"shop:1\",name=\"{ID}\",namespace=\"shop\",pod=\"web-1\""
        );
        assert_eq!(labels(&path), wanted);
        let path = format!("/kubepods/burstable/pod{UID}");
        let wanted = format!(
            "container=\"\",id=\"{path}\",image=\"\",name=\"\",namespace=\"shop\",pod=\"web-1\""
        );
        assert_eq!(labels(&path), wanted);
    }

    #[test]
    fn a_plain_container_has_its_name_and_the_labels_that_are_asked_for() {
        let path = format!("/system.slice/docker-{}.scope", ID.replace('0', "f"));
        let wanted =
            format!("container_label_a=\"x\\\"y\",id=\"{path}\",image=\"shop:1\",name=\"db\"");
        assert_eq!(labels(&path), wanted);
        assert_eq!(labels("/docker/x"), r#"id="/docker/x",image="",name="""#);
    }

    #[test]
    fn kinds_are_told_by_the_path() {
        let pod = format!("/kubepods.slice/kubepods-pod{}.slice", UID.replace('-', "_"));
        for (path, kind) in [
            ("/".to_owned(), Kind::Root),
            ("/kubepods.slice".to_owned(), Kind::Slice),
            (pod.clone(), Kind::Pod),
            (format!("{pod}/cri-containerd-{ID}.scope"), Kind::Container),
            (format!("{pod}/cri-containerd-{ID}.scope/init.scope"), Kind::Nested),
            (format!("{pod}/other"), Kind::Slice),
            (format!("/machine.slice/libpod-{ID}.scope"), Kind::Container),
            (format!("/machine.slice/libpod-conmon-{ID}.scope"), Kind::Slice),
        ] {
            assert_eq!(Kind::of(path.as_bytes()), kind, "{path}");
        }
    }
}
