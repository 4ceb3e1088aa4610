//! `node_sockstat_*`: sockets in use and the memory they hold, from `/proc/net/sockstat` and `/proc/net/sockstat6`.

use exporter_toolkit::name::MetricName;
use exporter_toolkit::{Exposition, Gauge, Kind};

use super::{CollectError, Collector, Spec};
use crate::host::{KeptFile, Text};

macro_rules! families {
    ($($word:ident $key:literal $name:ident $metric:literal $help:literal)*) => {
        $(static $name: Gauge<0> = Gauge::new($metric, $help, []);)*

        /// The kernel's word, the key after it, and the family they make.
        static KNOWN: &[(&str, &str, &Gauge<0>)] = &[$((stringify!($word), $key, &$name)),*];

        pub static SPEC: Spec = Spec {
            name: "sockstat",
            enabled: true,
            about: "Sockets in use by protocol, from /proc/net/sockstat and sockstat6.",
            flags: &[],
            families: &[$(&$name),*],
            build: |setup| {
                Ok(Box::new(Sockstat {
                    files: ["net/sockstat", "net/sockstat6"].map(|file| setup.host.keep_proc(file)),
                    page: rustix::param::page_size() as u64,
                }))
            },
        };
    };
}

families! {
    sockets "used" SOCKETS_USED "node_sockstat_sockets_used" "Sockets of all kinds that are open."
    TCP "inuse" TCP_INUSE "node_sockstat_TCP_inuse" "TCP sockets over IPv4 that are bound or connected."
    TCP "orphan" TCP_ORPHAN "node_sockstat_TCP_orphan" "TCP sockets that no process holds any more and that still send."
    TCP "tw" TCP_TW "node_sockstat_TCP_tw" "TCP connections in TIME_WAIT."
    TCP "alloc" TCP_ALLOC "node_sockstat_TCP_alloc" "TCP sockets that have memory, in any state."
    TCP "mem" TCP_MEM "node_sockstat_TCP_mem" "Pages that TCP buffers hold."
    TCP "mem_bytes" TCP_MEM_BYTES "node_sockstat_TCP_mem_bytes" "Bytes that TCP buffers hold, in whole pages."
    UDP "inuse" UDP_INUSE "node_sockstat_UDP_inuse" "UDP sockets over IPv4 that are bound."
    UDP "mem" UDP_MEM "node_sockstat_UDP_mem" "Pages that UDP buffers hold."
    UDP "mem_bytes" UDP_MEM_BYTES "node_sockstat_UDP_mem_bytes" "Bytes that UDP buffers hold, in whole pages."
    UDPLITE "inuse" UDPLITE_INUSE "node_sockstat_UDPLITE_inuse" "UDP-Lite sockets over IPv4 that are bound."
    RAW "inuse" RAW_INUSE "node_sockstat_RAW_inuse" "Raw sockets over IPv4."
    FRAG "inuse" FRAG_INUSE "node_sockstat_FRAG_inuse" "IPv4 packets whose fragments are being collected."
    FRAG "memory" FRAG_MEMORY "node_sockstat_FRAG_memory" "Bytes that collected IPv4 fragments hold."
    TCP6 "inuse" TCP6_INUSE "node_sockstat_TCP6_inuse" "TCP sockets over IPv6 that are bound or connected."
    UDP6 "inuse" UDP6_INUSE "node_sockstat_UDP6_inuse" "UDP sockets over IPv6 that are bound."
    UDPLITE6 "inuse" UDPLITE6_INUSE "node_sockstat_UDPLITE6_inuse" "UDP-Lite sockets over IPv6 that are bound."
    RAW6 "inuse" RAW6_INUSE "node_sockstat_RAW6_inuse" "Raw sockets over IPv6."
    FRAG6 "inuse" FRAG6_INUSE "node_sockstat_FRAG6_inuse" "IPv6 packets whose fragments are being collected."
    FRAG6 "memory" FRAG6_MEMORY "node_sockstat_FRAG6_memory" "Bytes that collected IPv6 fragments hold."
}

/// The keys that become samples; the kernel has had no others.
const KEYS: [&str; 6] = ["inuse", "orphan", "tw", "alloc", "mem", "memory"];

struct Sockstat {
    files: [KeptFile; 2],
    page: u64,
}

impl Collector for Sockstat {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut found = false;
        for file in &mut self.files {
            match file.read_str() {
                Ok(text) => {
                    found = true;
                    write(text, self.page, out)?;
                }
                Err(error) if error.is_no_data() => {}
                Err(error) => return Err(error),
            }
        }
        if found {
            Ok(())
        } else {
            Err(CollectError::NoData("the kernel is without IPv4 and IPv6"))
        }
    }
}

/// Lines are `TCP: inuse 4 orphan 0`: a protocol, then pairs.
fn write(text: Text<'_>, page: u64, out: &mut Exposition) -> Result<(), CollectError> {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let protocol = words
            .next()
            .and_then(|word| word.strip_suffix(':'))
            .ok_or_else(|| text.wrong("no protocol with a colon", line))?;
        while let Some(key) = words.next() {
            let value: u64 = words
                .next()
                .and_then(|value| value.parse().ok())
                .ok_or_else(|| text.wrong("a key without a number", line))?;
            sample(protocol, key, value, out);
            if key == "mem" {
                sample(protocol, "mem_bytes", value.saturating_mul(page), out);
            }
        }
    }
    Ok(())
}

fn sample(protocol: &str, key: &str, value: u64, out: &mut Exposition) {
    let known = KNOWN.iter().find(|(word, known, _)| *word == protocol && *known == key);
    if let Some((_, _, family)) = known {
        out.family(family).sample((), value);
    } else if protocol != "sockets" && (KEYS.contains(&key) || key == "mem_bytes") {
        let name = MetricName::sanitize(&["node_sockstat_", protocol, "_", key]);
        let help = format_args!("What the kernel counts as {key} for {protocol} sockets.");
        out.dynamic(&name, Kind::Gauge, help).plain(value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{collect, tree};
    use super::*;

    #[test]
    fn a_protocol_that_is_not_known_yet_is_written_all_the_same() {
        let folder = tree(&[("proc/net/sockstat6", "SMC: inuse 3 colour 4\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(result.is_ok());
        assert_eq!(samples, ["node_sockstat_SMC_inuse 3"]);
    }

    #[test]
    fn memory_is_given_in_pages_and_in_bytes() {
        let folder = tree(&[("proc/net/sockstat", "TCP: mem 3\n")]);
        let bytes = format!("node_sockstat_TCP_mem_bytes {}", 3 * rustix::param::page_size());
        let samples = collect(&SPEC, folder.path(), &[]).0;
        assert_eq!(samples, ["node_sockstat_TCP_mem 3", &bytes]);
    }

    #[test]
    fn a_key_without_a_number_names_its_file() {
        let folder = tree(&[("proc/net/sockstat", "UDP: inuse\n")]);
        let error = collect(&SPEC, folder.path(), &[]).1.unwrap_err().to_string();
        assert!(error.contains("net/sockstat: a key without a number: \"UDP: inuse\""), "{error}");
    }

    #[test]
    fn a_host_without_the_files_has_no_data() {
        let folder = tree(&[]);
        assert!(collect(&SPEC, folder.path(), &[]).1.unwrap_err().is_no_data());
    }
}
