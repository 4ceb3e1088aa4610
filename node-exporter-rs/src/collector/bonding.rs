//! `node_bonding_*`: how many ports each bond has and how many of them carry, from `/sys/class/net`.

use std::path::Path;

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::{self, Host, KeptFile};

static SLAVES: Gauge<1> =
    Gauge::new("node_bonding_slaves", "Interfaces that are ports of the bond.", ["master"]);
static ACTIVE: Gauge<1> = Gauge::new(
    "node_bonding_active",
    "Ports of the bond whose link is up (mii_status).",
    ["master"],
);

pub static SPEC: Spec = Spec {
    name: "bonding",
    enabled: true,
    about: "Ports of bonded interfaces, from /sys/class/net/bonding_masters.",
    flags: &[],
    families: &[&SLAVES, &ACTIVE],
    build: |setup| {
        Ok(Box::new(Bonding {
            masters: setup.host.keep_sys("class/net/bonding_masters"),
            host: setup.host.clone(),
        }))
    },
};

struct Bonding {
    masters: KeptFile,
    host: Host,
}

impl Collector for Bonding {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let masters = String::from_utf8_lossy(self.masters.read()?);
        let mut bonds: Vec<(&str, usize, usize)> = Vec::new();
        for master in masters.split_ascii_whitespace() {
            let folder = self.host.sys("class/net").join(master);
            let known = bonds.iter().any(|(known, ..)| *known == master);
            // A bond that vanished meanwhile has no file.
            if let Some(ports) = host::attribute(&folder.join("bonding/slaves"))
                && !known
            {
                let states: Vec<String> =
                    ports.split_ascii_whitespace().filter_map(|p| state(&folder, p)).collect();
                let up = states.iter().filter(|state| *state == "up").count();
                bonds.push((master, states.len(), up));
            }
        }
        let mut slaves = out.family(&SLAVES);
        for (master, count, _) in &bonds {
            slaves.sample(*master, *count);
        }
        let mut active = out.family(&ACTIVE);
        for (master, _, up) in &bonds {
            active.sample(*master, *up);
        }
        Ok(())
    }
}

/// A port's link state; `None` where the port left the bond meanwhile. Old kernels name its folder `slave_…`.
fn state(bond: &Path, port: &str) -> Option<String> {
    let read = |prefix| {
        host::attribute(&bond.join(format!("{prefix}_{port}")).join("bonding_slave/mii_status"))
    };
    read("lower").or_else(|| read("slave"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{collect, tree};
    use super::*;

    #[test]
    fn a_port_without_a_state_and_a_bond_without_ports_do_not_count() {
        let folder = tree(&[
            ("sys/class/net/bonding_masters", "bond0 bond1 gone\n"),
            ("sys/class/net/bond0/bonding/slaves", "eth0 eth1\n"),
            ("sys/class/net/bond0/lower_eth0/bonding_slave/mii_status", "up\n"),
            ("sys/class/net/bond1/bonding/slaves", "\n"),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(result.is_ok());
        let sample = |name, bond, n| format!("node_bonding_{name}{{master=\"{bond}\"}} {n}");
        assert_eq!(
            samples,
            [
                sample("slaves", "bond0", 1),
                sample("slaves", "bond1", 0),
                sample("active", "bond0", 1),
                sample("active", "bond1", 0),
            ]
        );
    }

    #[test]
    fn a_host_without_the_bonding_driver_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
