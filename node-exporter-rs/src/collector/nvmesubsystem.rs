//! `node_nvmesubsystem_*`: NVMe subsystems and the controllers by which each is reached, from `/sys/class/nvme-subsystem`.

use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::Folder;
use super::{CollectError, Collector, Spec};

static INFO: Gauge<5> = Gauge::new(
    "node_nvmesubsystem_info",
    "Always 1: the subsystem's qualified name, model, serial number and how it chooses among its paths.",
    ["subsystem", "nqn", "model", "serial", "iopolicy"],
);
static NAMESPACE: Gauge<2> = Gauge::new(
    "node_nvmesubsystem_namespace_info",
    "Always 1: a namespace of the subsystem, by the name of its block device.",
    ["subsystem", "device"],
);
static PATHS: Gauge<1> = Gauge::new(
    "node_nvmesubsystem_paths",
    "Controllers by which the subsystem is reached.",
    ["subsystem"],
);
static LIVE: Gauge<1> = Gauge::new(
    "node_nvmesubsystem_paths_live",
    "Controllers by which the subsystem is reached and that are live.",
    ["subsystem"],
);
static STATE: Gauge<4> = Gauge::new(
    "node_nvmesubsystem_path_state",
    "1 for the state that the controller is in, 0 for the others.",
    ["subsystem", "controller", "transport", "state"],
);

/// What the label says; every other word of the kernel is unknown.
const STATES: [&str; 7] = ["connecting", "dead", "deleting", "live", "new", "resetting", "unknown"];

pub static SPEC: Spec = Spec {
    name: "nvmesubsystem",
    enabled: false,
    about: "NVMe subsystems and the paths to them, from /sys/class/nvme-subsystem.",
    flags: &[],
    families: &[&INFO, &NAMESPACE, &PATHS, &LIVE, &STATE],
    build: |setup| Ok(Box::new(NvmeSubsystem { class: setup.host.sys("class/nvme-subsystem") })),
};

struct NvmeSubsystem {
    class: PathBuf,
}

struct Subsystem {
    /// In the order of the labels of [`INFO`].
    labels: [String; 5],
    namespaces: Vec<String>,
    controllers: Vec<Controller>,
}

struct Controller {
    name: String,
    transport: String,
    state: &'static str,
}

impl Collector for NvmeSubsystem {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = Folder::open(&self.class)?;
        let names = class.names().into_iter().filter(|name| name.starts_with("nvme-subsys"));
        let read = |name: String| Some(Subsystem::read(&class.below(&name)?, name));
        let subsystems: Vec<Subsystem> = names.filter_map(read).collect();
        write(&subsystems, out);
        Ok(())
    }
}

impl Subsystem {
    /// A controller that vanishes meanwhile is left out; an attribute that an older kernel lacks is empty.
    fn read(folder: &Folder, name: String) -> Self {
        let text = |file| folder.text(file).unwrap_or_default();
        let [nqn, model, serial, policy] = ["subsysnqn", "model", "serial", "iopolicy"].map(text);
        let (mut namespaces, mut controllers) = (Vec::new(), Vec::new());
        for entry in folder.names() {
            match kind(&entry) {
                Some(Kind::Namespace) => namespaces.push(entry),
                Some(Kind::Controller) => controllers.extend(Controller::read(folder, entry)),
                None => {}
            }
        }
        Self { labels: [name, nqn, model, serial, policy], namespaces, controllers }
    }
}

impl Controller {
    fn read(subsystem: &Folder, name: String) -> Option<Self> {
        let folder = subsystem.below(&name)?;
        let state = state(&folder.text("state")?);
        Some(Self { name, transport: folder.text("transport").unwrap_or_default(), state })
    }
}

enum Kind {
    Controller,
    Namespace,
}

/// `nvme3` or `nvme3n1`; the paths of a namespace (`nvme3c3n1`) are neither.
fn kind(name: &str) -> Option<Kind> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = name.strip_prefix("nvme")?;
    match rest.split_once('n') {
        None => digits(rest).then_some(Kind::Controller),
        Some((controller, number)) => {
            (digits(controller) && digits(number)).then_some(Kind::Namespace)
        }
    }
}

/// The kernel's words are those of `nvme_sysfs_show_state` (drivers/nvme/host/sysfs.c).
fn state(word: &str) -> &'static str {
    let word = if word == "deleting (no IO)" { "deleting" } else { word };
    STATES.into_iter().find(|state| *state == word).unwrap_or("unknown")
}

fn write(subsystems: &[Subsystem], out: &mut Exposition) {
    let mut info = out.family(&INFO);
    for subsystem in subsystems {
        info.sample(&subsystem.labels, 1_u8);
    }
    let mut namespaces = out.family(&NAMESPACE);
    for Subsystem { labels: [name, ..], namespaces: devices, .. } in subsystems {
        for device in devices {
            namespaces.sample((name, device), 1_u8);
        }
    }
    let mut paths = out.family(&PATHS);
    for Subsystem { labels: [name, ..], controllers, .. } in subsystems {
        paths.sample(name, controllers.len() as u64);
    }
    let mut live = out.family(&LIVE);
    for Subsystem { labels: [name, ..], controllers, .. } in subsystems {
        live.sample(name, controllers.iter().filter(|one| one.state == "live").count() as u64);
    }
    let mut states = out.family(&STATE);
    for Subsystem { labels: [subsystem, ..], controllers, .. } in subsystems {
        for Controller { name, transport, state } in controllers {
            for word in STATES {
                states.sample((subsystem, name, transport, word), word == *state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn words_of_newer_kernels_are_unknown_states() {
        assert_eq!(state("deleting (no IO)"), "deleting");
        assert_eq!(
            (state("live"), state("unknown"), state("dreaming")),
            ("live", "unknown", "unknown")
        );
    }

    #[test]
    fn an_attribute_that_is_missing_hides_nothing_else() {
        let folder = tree(&[
            ("sys/class/nvme-subsystem/nvme-subsys0/nvme0/state", "live\n"),
            ("sys/class/nvme-subsystem/nvme-subsys0/nvme1/address", "traddr=192.0.2.1\n"),
            ("sys/class/nvme-subsystem/nvme-subsys0/nvme0c0n1/size", "1\n"),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        let paths: Vec<&str> = samples
            .iter()
            .filter_map(|line| line.strip_prefix("node_nvmesubsystem_paths"))
            .collect();
        assert_eq!(
            paths,
            ["{subsystem=\"nvme-subsys0\"} 1", "_live{subsystem=\"nvme-subsys0\"} 1"]
        );
        assert!(!samples.iter().any(|line| line.contains("namespace")), "{samples:?}");
    }

    #[test]
    fn a_host_without_subsystems_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
