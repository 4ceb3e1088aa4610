//! `node_service_*`: services under runit, from their `supervise/status` files.

use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::flags::Flag;
use crate::host::{names, read_bytes};

static SERVICES: Flag<String> = Flag::new(
    "collector.runit.servicedir",
    "/etc/service",
    "The folder with a folder or link for each service.",
)
.takes("DIR");

const LABELS: [&str; 2] = ["service", "supervisor"];
static STATE: Gauge<2> = Gauge::new(
    "node_service_state",
    "What the service does: 0 it is down, 1 it runs, 2 its finish script runs.",
    LABELS,
);
static DESIRED: Gauge<2> =
    Gauge::new("node_service_desired_state", "What it is to do: 0 be down, 1 run.", LABELS);
static NORMAL: Gauge<2> = Gauge::new(
    "node_service_normal_state",
    "What it does after a start of the host: 0 stay down, 1 run.",
    LABELS,
);
static CHANGED: Gauge<2> = Gauge::new(
    "node_service_state_last_change_timestamp_seconds",
    "When the service went into its state, as Unix time.",
    LABELS,
);

pub static SPEC: Spec = Spec {
    name: "runit",
    enabled: false,
    about: "Services under runit, from supervise/status in /etc/service.",
    flags: &[&SERVICES],
    families: &[&STATE, &DESIRED, &NORMAL, &CHANGED],
    build: |setup| Ok(Box::new(Runit { folder: setup.flags.get(&SERVICES)?.into() })),
};

struct Runit {
    folder: PathBuf,
}

struct Service {
    name: String,
    status: Status,
    normally_up: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Status {
    state: u8,
    wanted_up: bool,
    /// Unix time.
    changed: i64,
}

/// How a family's value is taken from a service.
type Get = fn(&Service) -> i64;

impl Collector for Runit {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let names = names(&self.folder)?;
        let services: Vec<Service> =
            names.into_iter().filter_map(|name| self.service(name)).collect();
        let families: [(&'static Gauge<2>, Get); 4] = [
            (&STATE, |service| service.status.state.into()),
            (&DESIRED, |service| service.status.wanted_up.into()),
            (&NORMAL, |service| service.normally_up.into()),
            (&CHANGED, |service| service.status.changed),
        ];
        for (family, get) in families {
            let mut samples = out.family(family);
            for service in &services {
                samples.sample((&service.name, "runit"), get(service));
            }
        }
        Ok(())
    }
}

impl Runit {
    /// `None` for what is no service, or one that was never started.
    fn service(&self, name: String) -> Option<Service> {
        let supervise = self.folder.join(&name).join("supervise");
        let status = parse(&read_bytes(&supervise.join("status")).ok()?)?;
        // The peer looks for the file here and not, where runit has it, beside `supervise`; its values are ours.
        let normally_up = !supervise.join("down").exists();
        Some(Service { name, status, normally_up })
    }
}

/// Twenty bytes (`update_status` of runit's runsv.c): TAI64N, process id, whether it is paused, what is wanted (`u`, `d`
/// or `x`), whether it was told to end, and its state.
fn parse(bytes: &[u8]) -> Option<Status> {
    /// TAI64 counts from here, and ran ten seconds before Unix time in 1970.
    const EPOCH: u64 = (1 << 62) + 10;
    let bytes: &[u8; 20] = bytes.first_chunk()?;
    let seconds = u64::from_be_bytes(*bytes.first_chunk()?);
    Some(Status {
        state: bytes[19],
        wanted_up: bytes[17] == b'u',
        changed: seconds.wrapping_sub(EPOCH).cast_signed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_status_tells_state_wish_and_time() {
        let mut bytes = ((1_u64 << 62) + 10 + 1_700_000_000).to_be_bytes().to_vec();
        bytes.extend([0, 0, 0, 0, 42, 0, 0, 0, 0, b'u', 0, 1]);
        let status = Status { state: 1, wanted_up: true, changed: 1_700_000_000 };
        assert_eq!(parse(&bytes), Some(status));
        bytes[17] = b'x';
        assert!(!parse(&bytes).unwrap().wanted_up);
        assert_eq!(parse(&bytes[..19]), None);
    }

    #[test]
    fn a_host_without_runit_has_no_data() {
        let folder = tree(&[]);
        let services = folder.path().join("service").display().to_string();
        let flags = [("collector.runit.servicedir", services.as_str())];
        assert!(collect(&SPEC, folder.path(), &flags).1.unwrap_err().is_no_data());
    }
}
