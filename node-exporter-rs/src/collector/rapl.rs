//! `node_rapl_*`: the energy that a processor's parts have used, from `/sys/class/powercap`
//! (kernel: Documentation/power/powercap/powercap.rst).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::PathBuf;

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Counter, Exposition, Kind};

use super::sysclass::{Attribute, Folder, Scale, number};
use super::{CollectError, Collector, Spec};
use crate::flags::Flag;
use crate::host::Host;

static JOULES: Counter<3> = Counter::new(
    "node_rapl_joules_total",
    "Energy that this part of the processor has used, in joules; it starts anew when the hardware's counter is full.",
    ["index", "path", "rapl_zone"],
);
static INDEX: LabelName = LabelName::fixed("index");
static PATH: LabelName = LabelName::fixed("path");

static ZONE_LABEL: Flag<bool> = Flag::new(
    "collector.rapl.enable-zone-label",
    "false",
    "One family with the label rapl_zone in place of a family per zone.",
);

pub static SPEC: Spec = Spec {
    name: "rapl",
    enabled: true,
    about: "Energy used by the processor's parts, from /sys/class/powercap; needs root.",
    flags: &[&ZONE_LABEL],
    families: &[&JOULES],
    build: |setup| {
        Ok(Box::new(Rapl {
            host: setup.host.clone(),
            class: setup.host.sys("class/powercap"),
            zone_label: setup.flags.get(&ZONE_LABEL)?,
            fingerprint: None,
            zones: Vec::new(),
        }))
    },
};

struct Rapl {
    host: Host,
    class: PathBuf,
    zone_label: bool,
    fingerprint: Option<u64>,
    /// Sorted by family.
    zones: Vec<Zone>,
}

struct Zone {
    family: MetricName,
    name: String,
    index: String,
    path: String,
    energy: Attribute,
}

impl Collector for Rapl {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = Folder::open(&self.class)?;
        let mut hasher = DefaultHasher::new();
        class.fingerprint(&mut hasher);
        let now = Some(hasher.finish());
        if self.fingerprint != now {
            self.zones = self.list(&class);
            self.fingerprint = now;
        }
        let (mut read, mut denied) = (false, false);
        let mut joules = |zone: &mut Zone| match zone.energy.read(number) {
            Ok(value) => {
                read = true;
                value.map(|value| Scale::Micro.apply(value))
            }
            Err(error) => {
                denied |= error.kind() == io::ErrorKind::PermissionDenied;
                None
            }
        };
        if self.zone_label {
            let mut samples = out.family(&JOULES);
            for zone in &mut self.zones {
                let joules = joules(zone);
                samples.maybe((&zone.index, &zone.path, &zone.name), joules);
            }
        } else {
            for zones in self.zones.chunk_by_mut(|a, b| a.family == b.family) {
                write_family(zones, &mut joules, out);
            }
        }
        if denied && !read {
            return Err(CollectError::NoData(
                "/sys/class/powercap/*/energy_uj is for root only; run as root or change its owner",
            ));
        }
        Ok(())
    }
}

fn write_family(
    zones: &mut [Zone],
    joules: &mut impl FnMut(&mut Zone) -> Option<f64>,
    out: &mut Exposition,
) {
    let Some(first) = zones.first() else { return };
    let (family, name) = (first.family.clone(), first.name.clone());
    let help = format_args!("Energy that zone {name} of the processor has used, in joules.");
    let mut samples = out.dynamic(&family, Kind::Counter, help);
    for zone in zones {
        if let Some(joules) = joules(zone) {
            samples.sample([(&INDEX, &zone.index), (&PATH, &zone.path)], joules);
        }
    }
}

impl Rapl {
    fn list(&self, class: &Folder) -> Vec<Zone> {
        let (mut zones, mut seen) = (Vec::new(), HashMap::<String, i64>::new());
        for folder in class.names() {
            let name = class.below(&folder).and_then(|zone| zone.text("name"));
            let Some(name) = name else { continue };
            let (name, index) = name_and_index(&name, &seen);
            seen.insert(name.clone(), index.saturating_add(1));
            let path = self.class.join(folder);
            let family = MetricName::sanitize(&["node_rapl_", &sanitize(&name), "_joules_total"]);
            let energy = Attribute::new(&self.host, path.join("energy_uj"));
            let path = path.to_string_lossy().into_owned();
            zones.push(Zone { family, name, index: index.to_string(), path, energy });
        }
        zones.sort_by(|a, b| a.family.as_str().cmp(b.family.as_str()));
        zones
    }
}

/// `package-1` is number 1 of `package`; a name without number (`dram`) is numbered as it comes.
fn name_and_index(name: &str, seen: &HashMap<String, i64>) -> (String, i64) {
    if let Some((stem, index)) = name.split_once('-')
        && let Ok(index) = index.parse()
    {
        return (stem.to_owned(), index);
    }
    (name.to_owned(), seen.get(name).copied().unwrap_or(0))
}

/// Each run of illegal bytes, with the `_` around it, becomes one `_`.
pub(super) fn sanitize(name: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric();
    let mut clean = String::new();
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let run = rest.find(|other: char| legal(other) != legal(c)).unwrap_or(rest.len());
        let (part, tail) = rest.split_at(run);
        let keep = legal(c) || part.chars().all(|c| c == '_');
        clean.push_str(if keep { part } else { "_" });
        rest = tail;
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    const ZONES: &[(&str, &str)] = &[
        ("sys/class/powercap/intel-rapl/enabled", "1\n"),
        ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
        ("sys/class/powercap/intel-rapl:0/energy_uj", "240422366267\n"),
        ("sys/class/powercap/intel-rapl:0:0/name", "dram\n"),
        ("sys/class/powercap/intel-rapl:0:0/energy_uj", "500000\n"),
        ("sys/class/powercap/intel-rapl:1:0/name", "dram\n"),
        ("sys/class/powercap/intel-rapl:1:0/energy_uj", "700000\n"),
        ("sys/class/powercap/intel-rapl:2/name", "psys\n"),
    ];

    fn collected(flags: &[(&str, &str)]) -> Vec<String> {
        let folder = tree(ZONES);
        let (lines, result) = collect(&SPEC, folder.path(), flags);
        result.unwrap();
        let root = folder.path().to_str().unwrap();
        lines.iter().map(|line| line.replace(root, "")).collect()
    }

    #[test]
    fn each_zone_is_a_family_and_zones_of_one_name_are_numbered() {
        assert_eq!(
            collected(&[]),
            [
                "node_rapl_dram_joules_total{index=\"0\",path=\"/sys/class/powercap/intel-rapl:0:0\"} 0.5",
                "node_rapl_dram_joules_total{index=\"1\",path=\"/sys/class/powercap/intel-rapl:1:0\"} 0.7",
                "node_rapl_package_joules_total{index=\"0\",path=\"/sys/class/powercap/intel-rapl:0\"} 240422.366267",
            ]
        );
    }

    #[test]
    fn with_the_zone_label_there_is_one_family() {
        let lines = collected(&[("collector.rapl.enable-zone-label", "true")]);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].starts_with("node_rapl_joules_total{index=\"0\",path=\""), "{lines:?}");
        assert!(lines[2].contains(",rapl_zone=\"package\"} "), "{lines:?}");
    }

    #[test]
    fn a_name_becomes_part_of_a_metric_name_as_the_peer_does_it() {
        assert_eq!(sanitize("package-0-die-1"), "package_0_die_1");
        assert_eq!(sanitize("a__b_-_.c"), "a__b_c");
        assert_eq!(sanitize("ünï"), "_n_");
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic_and_every_name_becomes_legal(name: String) {
            let (stem, _index) = name_and_index(&name, &HashMap::new());
            let clean = sanitize(&stem);
            prop_assert!(clean.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn a_host_without_powercap_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
