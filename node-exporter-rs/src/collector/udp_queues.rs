//! `node_udp_queues`: bytes that wait in the queues of all UDP sockets, from `/proc/net/udp` and `/proc/net/udp6`.

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static QUEUES: Gauge<2> = Gauge::new(
    "node_udp_queues",
    "Bytes of memory that wait in the queues of all UDP sockets, to be sent or to be read.",
    ["queue", "ip"],
);

pub static SPEC: Spec = Spec {
    name: "udp_queues",
    enabled: true,
    about: "Bytes in the queues of all UDP sockets, from /proc/net/udp and udp6.",
    flags: &[],
    families: &[&QUEUES],
    build: |setup| {
        let files = [("v4", "net/udp"), ("v6", "net/udp6")];
        Ok(Box::new(UdpQueues { files: files.map(|(ip, file)| (ip, setup.host.keep_proc(file))) }))
    },
};

struct UdpQueues {
    files: [(&'static str, KeptFile); 2],
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Bytes {
    sending: u64,
    receiving: u64,
}

impl Collector for UdpQueues {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut samples = out.family(&QUEUES);
        let mut found = false;
        for (ip, file) in &mut self.files {
            let bytes = match read(file) {
                Ok(bytes) => bytes,
                Err(error) if error.is_no_data() => continue,
                Err(error) => return Err(error),
            };
            found = true;
            samples.sample(("tx", *ip), bytes.sending);
            samples.sample(("rx", *ip), bytes.receiving);
        }
        if found {
            Ok(())
        } else {
            Err(CollectError::NoData("the kernel is without IPv4 and IPv6"))
        }
    }
}

/// Sums the sockets' lines below the header.
fn read(file: &mut KeptFile) -> Result<Bytes, CollectError> {
    let text = file.read_str()?;
    let mut sum = Bytes::default();
    for line in text.lines().skip(1) {
        let bytes = parse(line)
            .ok_or_else(|| text.wrong("tx_queue:rx_queue expected in column 5", line))?;
        sum.sending = sum.sending.wrapping_add(bytes.sending);
        sum.receiving = sum.receiving.wrapping_add(bytes.receiving);
    }
    Ok(sum)
}

/// `  0: 0100007F:0035 00000000:0000 07 00000000:00000180 …`, hexadecimal (`udp4_format_sock` of net/ipv4/udp.c).
fn parse(line: &str) -> Option<Bytes> {
    let (sending, receiving) = line.split_ascii_whitespace().nth(4)?.split_once(':')?;
    Some(Bytes {
        sending: u64::from_str_radix(sending, 16).ok()?,
        receiving: u64::from_str_radix(receiving, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{collect, tree};
    use super::*;

    #[test]
    fn queues_are_hexadecimal_bytes() {
        let line = " 12: 0100007F:0035 00000000:0000 07 00000010:00000180 00:00000000 00000000 0";
        assert_eq!(parse(line), Some(Bytes { sending: 16, receiving: 384 }));
        assert_eq!(parse(" 12: 0100007F:0035 00000000:0000 07 x:0"), None);
        assert_eq!(parse(" 12: 0100007F:0035"), None);
    }

    #[test]
    fn a_host_without_sockets_has_empty_queues_and_one_without_the_files_no_data() {
        let folder = tree(&[("proc/net/udp6", "  sl  local_address\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(result.is_ok());
        let v6 = |queue| format!("node_udp_queues{{queue=\"{queue}\",ip=\"v6\"}} 0");
        assert_eq!(samples, [v6("tx"), v6("rx")]);
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
