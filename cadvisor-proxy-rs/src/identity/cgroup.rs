//! What a cgroup's path and a container's runtime name tell by themselves: whose container, whose pod.
//!
//! The kubelet names a pod's cgroup by the pod's uid, the runtime a container's by its id, so both survive in the `id`
//! label where all other labels are lost. Nothing here allocates; text that is none of the known forms gives `None`.

use memchr::memmem;

/// Hexadecimal digits of a container id.
pub const ID_LENGTH: usize = 64;

/// What a cgroup's path tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cgroup<'a> {
    /// The container's id, of the innermost container where one runs others.
    pub container: Option<&'a [u8]>,
    /// The uid of its pod.
    pub pod: Option<Uid>,
    /// The class of the pod; `None` outside of pods.
    pub qos: Option<Qos>,
    /// The process that watches over a container (`libpod-conmon-`, `crio-conmon-`), not the container.
    pub monitor: bool,
    /// A cgroup that the container made below its own: its parent counts it already.
    pub nested: bool,
}

/// `status.qosClass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    Guaranteed,
    Burstable,
    BestEffort,
}

/// A pod's uid with its dashes, wherever it was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Uid {
    bytes: [u8; Uid::LONGEST],
    length: u8,
}

impl Uid {
    /// A UUID has 36 bytes, a static pod's hash 32.
    const LONGEST: usize = 40;

    /// `None` where it cannot be a uid. systemd's slices have `_` for `-`, as `-` is their separator.
    fn new(text: &[u8], systemd: bool) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::LONGEST;
        let known = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_';
        if !fits || !text.iter().all(known) {
            return None;
        }
        let mut bytes = [0; Self::LONGEST];
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = if systemd && *from == b'_' { b'-' } else { *from };
        }
        Some(Self { bytes, length: u8::try_from(text.len()).ok()? })
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Uid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl<'a> Cgroup<'a> {
    /// Of a path such as `/kubepods/burstable/podUID/ID`, as the `id` label has it.
    pub fn of(path: &'a [u8]) -> Self {
        let mut found = Self::default();
        let mut kubepods = false;
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            if found.container.is_some() {
                found.nested = true;
            }
            // containerd without a systemd path of its own: `kubepods-podUID.slice:cri-containerd:ID`.
            let mut pieces = part.splitn(2, |byte| *byte == b':');
            let slice = pieces.next().unwrap_or_default();
            kubepods |= memmem::find(slice, b"kubepods").is_some();
            if kubepods {
                found.level(slice);
            }
            found.leaf(pieces.next().unwrap_or(slice));
        }
        found
    }

    /// Class and pod from one level of a pod's path.
    fn level(&mut self, part: &[u8]) {
        let (text, systemd) = match part.strip_suffix(b".slice") {
            Some(text) => (text, true),
            None => (part, false),
        };
        let qos = if text.starts_with(b"burstable") || holds(text, b"-burstable") {
            Qos::Burstable
        } else if text.starts_with(b"besteffort") || holds(text, b"-besteffort") {
            Qos::BestEffort
        } else {
            self.qos.unwrap_or(Qos::Guaranteed)
        };
        let uid = if systemd {
            memmem::rfind(text, b"-pod").and_then(|at| text.get(at + 4..))
        } else {
            text.strip_prefix(b"pod")
        };
        if self.container.is_none() {
            self.qos = Some(qos);
        }
        if let Some(uid) = uid.and_then(|uid| Uid::new(uid, systemd)) {
            // A cluster in a container: what is inside has its own pods.
            *self = Self { pod: Some(uid), qos: Some(qos), ..Self::default() };
        }
    }

    /// The container's id from one level: bare, or as `docker-ID.scope`, `cri-containerd:ID`.
    fn leaf(&mut self, part: &'a [u8]) {
        let text = part.strip_suffix(b".scope").unwrap_or(part);
        let Some(at) = text.len().checked_sub(ID_LENGTH) else { return };
        let (before, id) = text.split_at(at);
        if !is_id(id) || !matches!(before.last(), None | Some(b'-' | b':')) {
            return;
        }
        self.container = Some(id);
        self.monitor = holds(before, b"conmon-");
        self.nested = false;
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    memmem::find(text, part).is_some()
}

/// True for the 64 lower-case hexadecimal digits of a container id.
pub fn is_id(text: &[u8]) -> bool {
    text.len() == ID_LENGTH && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What a runtime name of the kubelet's tells: `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeName<'a> {
    /// `POD` for a sandbox.
    pub container: &'a [u8],
    pub pod: &'a [u8],
    pub namespace: &'a [u8],
    pub uid: &'a [u8],
    /// How often the container was made before; kubelets before 1.6 have a hash there, which is none.
    pub attempt: Option<u32>,
}

impl<'a> RuntimeName<'a> {
    /// Of a `name` label, with or without the slash that docker puts before it. No part of it can hold an underscore:
    /// Kubernetes allows none in these names. After a clash of names the kubelet adds a seventh part.
    pub fn of(name: &'a [u8]) -> Option<Self> {
        let name = name.strip_prefix(b"/").unwrap_or(name).strip_prefix(b"k8s_")?;
        let mut parts = name.split(|byte| *byte == b'_');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let (container, pod, namespace) = (part()?, part()?, part()?);
        let (uid, attempt) = (part()?, part()?);
        if parts.nth(1).is_some() {
            return None;
        }
        // Kubelets before 1.6: `web.2f3a1b_…`.
        let container = container.split(|byte| *byte == b'.').next()?;
        let attempt = str::from_utf8(attempt).ok().and_then(|text| text.parse().ok());
        Some(Self { container, pod, namespace, uid, attempt })
    }
}

#[cfg(test)]
mod tests;
