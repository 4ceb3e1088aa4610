//! `node_uname_info`: what uname(2) says of the kernel and the host's names.

use exporter_toolkit::{Exposition, Gauge};
use rustix::system::Uname;

use super::{CollectError, Collector, Spec};

static INFO: Gauge<6> = Gauge::new(
    "node_uname_info",
    "Always 1: the kernel's release and build, the machine's architecture, and the host and NIS domain names of this UTS namespace.",
    ["sysname", "release", "version", "machine", "nodename", "domainname"],
);

pub static SPEC: Spec = Spec {
    name: "uname",
    enabled: true,
    about: "Kernel release, architecture and host name, from uname(2).",
    flags: &[],
    families: &[&INFO],
    build: |_| Ok(Box::new(UnameCollector)),
};

/// Asks at every scrape: a host name may change.
struct UnameCollector;

impl Collector for UnameCollector {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        out.family(&INFO).sample(&labels(&rustix::system::uname()), 1_u8);
        Ok(())
    }
}

fn labels(uname: &Uname) -> [&[u8]; 6] {
    [
        uname.sysname(),
        uname.release(),
        uname.version(),
        uname.machine(),
        uname.nodename(),
        uname.domainname(),
    ]
    .map(std::ffi::CStr::to_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn the_release_is_the_one_that_proc_tells() {
        let release = crate::host::Host::default().read_proc("sys/kernel/osrelease").unwrap();
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(result.is_ok());
        let expected = format!("node_uname_info{{sysname=\"Linux\",release=\"{}\"", release.trim());
        assert!(samples[0].starts_with(&expected), "{samples:?}");
    }
}
