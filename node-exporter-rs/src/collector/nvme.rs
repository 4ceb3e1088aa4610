//! `node_nvme_*`: NVMe controllers and their namespaces, from `/sys/class/nvme`.

use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::Folder;
use super::{CollectError, Collector, Spec};

static INFO: Gauge<6> = Gauge::new(
    "node_nvme_info",
    "Always 1: model, serial number, firmware and state of the controller.",
    ["device", "firmware_revision", "model", "serial", "state", "cntlid"],
);
static NAMESPACE: Gauge<3> = Gauge::new(
    "node_nvme_namespace_info",
    "Always 1: how well the namespace is reached by this controller (ANA), unknown where there is one path only.",
    ["device", "nsid", "ana_state"],
);
static CAPACITY: Gauge<2> = Gauge::new(
    "node_nvme_namespace_capacity_bytes",
    "Bytes that the namespace can hold: blocks times the size of a logical block.",
    ["device", "nsid"],
);
static SIZE: Gauge<2> = Gauge::new(
    "node_nvme_namespace_size_bytes",
    "Bytes of the namespace: blocks times the size of a logical block.",
    ["device", "nsid"],
);
static USED: Gauge<2> = Gauge::new(
    "node_nvme_namespace_used_bytes",
    "Bytes of the namespace that the device says are in use; kernels before 6.9 do not tell.",
    ["device", "nsid"],
);
static BLOCK: Gauge<2> = Gauge::new(
    "node_nvme_namespace_logical_block_size_bytes",
    "Size of a logical block of the namespace, mostly 512 or 4096.",
    ["device", "nsid"],
);

pub static SPEC: Spec = Spec {
    name: "nvme",
    enabled: true,
    about: "NVMe controllers and namespaces, from /sys/class/nvme.",
    flags: &[],
    families: &[&INFO, &NAMESPACE, &CAPACITY, &SIZE, &USED, &BLOCK],
    build: |setup| Ok(Box::new(Nvme { class: setup.host.sys("class/nvme") })),
};

struct Nvme {
    class: PathBuf,
}

struct Namespace {
    /// Controller and namespace number.
    labels: [String; 2],
    ana_state: String,
    used: Option<f64>,
    size: Option<f64>,
    block: Option<f64>,
}

impl Collector for Nvme {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = Folder::open(&self.class)?;
        let (mut infos, mut namespaces) = (Vec::new(), Vec::new());
        for device in class.names() {
            let Some(controller) = class.below(&device) else { continue };
            namespaces.extend(controller.names().iter().filter_map(|name| {
                Some(Namespace::read(&device, namespace_number(name)?, &controller.below(name)?))
            }));
            let text = |file| controller.text(file).unwrap_or_default();
            let [firmware, model, serial, state, id] =
                ["firmware_rev", "model", "serial", "state", "cntlid"].map(text);
            infos.push([device, firmware, model, serial, state, id]);
        }
        let mut info = out.family(&INFO);
        for labels in &infos {
            info.sample(labels, 1_u8);
        }
        write(&namespaces, out);
        Ok(())
    }
}

fn write(namespaces: &[Namespace], out: &mut Exposition) {
    let mut info = out.family(&NAMESPACE);
    for Namespace { labels: [device, number], ana_state, .. } in namespaces {
        info.sample((device, number, ana_state), 1_u8);
    }
    // The peer multiplies the kernel's count of 512-byte sectors by the logical block's size too; its values are ours.
    let bytes = |blocks: Option<f64>, namespace: &Namespace| Some(blocks? * namespace.block?);
    for family in [&CAPACITY, &SIZE] {
        let mut samples = out.family(family);
        for namespace in namespaces {
            samples.maybe(&namespace.labels, bytes(namespace.size, namespace));
        }
    }
    let mut used = out.family(&USED);
    for namespace in namespaces {
        used.maybe(&namespace.labels, bytes(namespace.used, namespace));
    }
    let mut block = out.family(&BLOCK);
    for namespace in namespaces {
        block.maybe(&namespace.labels, namespace.block);
    }
}

impl Namespace {
    fn read(device: &str, number: &str, folder: &Folder) -> Self {
        Self {
            labels: [device.to_owned(), number.to_owned()],
            ana_state: folder.text("ana_state").unwrap_or_else(|| "unknown".to_owned()),
            used: folder.number("nuse"),
            size: folder.number("size"),
            block: folder.number("queue/logical_block_size"),
        }
    }
}

/// The 2 of `nvme0n2`; paths of a multipath namespace (`nvme0c0n2`) have none.
fn namespace_number(name: &str) -> Option<&str> {
    let (controller, number) = name.strip_prefix("nvme")?.split_once('n')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(controller) && digits(number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn only_namespaces_are_namespaces() {
        assert_eq!(namespace_number("nvme0n12"), Some("12"));
        for name in ["nvme0", "nvme0c0n1", "ng0n1", "nvme0n1p1", "hwmon2", "nvmen1"] {
            assert_eq!(namespace_number(name), None, "{name}");
        }
    }

    #[test]
    fn an_older_kernel_that_does_not_tell_the_use_hides_nothing_else() {
        let folder = tree(&[
            ("sys/class/nvme/nvme0/model", "Example SSD   \n"),
            ("sys/class/nvme/nvme0/nvme0n1/size", "1000\n"),
            ("sys/class/nvme/nvme0/nvme0n1/queue/logical_block_size", "512\n"),
        ]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(
            lines,
            [
                "node_nvme_info{device=\"nvme0\",firmware_revision=\"\",model=\"Example SSD\",serial=\"\",state=\"\",cntlid=\"\"} 1",
                "node_nvme_namespace_info{device=\"nvme0\",nsid=\"1\",ana_state=\"unknown\"} 1",
                "node_nvme_namespace_capacity_bytes{device=\"nvme0\",nsid=\"1\"} 512000",
                "node_nvme_namespace_size_bytes{device=\"nvme0\",nsid=\"1\"} 512000",
                "node_nvme_namespace_logical_block_size_bytes{device=\"nvme0\",nsid=\"1\"} 512",
            ]
        );
    }

    #[test]
    fn a_host_without_nvme_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
