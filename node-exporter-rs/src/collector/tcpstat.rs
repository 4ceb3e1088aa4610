//! `node_tcp_connection_states`: TCP sockets by their state, and the bytes in their queues, from `sock_diag(7)`.

use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Setup, Spec};
use crate::netlink::{Client, Request, Step, u32_at};

static STATES: Gauge<1> = Gauge::new(
    "node_tcp_connection_states",
    "TCP sockets in each state that some are in; under rx_queued_bytes and tx_queued_bytes the bytes in all their queues.",
    ["state"],
);

/// By the kernel's number (`include/net/tcp_states.h`); 12 is a half-open connection, which counts with nobody.
const NAMES: [&str; 12] = [
    "unknown",
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

pub static SPEC: Spec = Spec {
    name: "tcpstat",
    enabled: false,
    about: "TCP sockets by state, from the kernel's sock_diag.",
    flags: &[],
    families: &[&STATES],
    build: |setup| Ok(Box::new(TcpStat::new(setup))),
};

struct TcpStat {
    client: Client,
    /// Missing where IPv6 is off.
    version_six: PathBuf,
}

impl TcpStat {
    fn new(setup: &Setup) -> Self {
        Self { client: Client::sockets(), version_six: setup.host.proc("net/tcp6") }
    }
}

/// Sums over all sockets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Sums {
    sockets: [u64; NAMES.len()],
    received: u64,
    unsent: u64,
}

impl Collector for TcpStat {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut sums = Sums::default();
        let families = if self.version_six.exists() { &[false, true][..] } else { &[false] };
        for &version_six in families {
            let before = sums.clone();
            let request = Request::tcp_sockets(version_six);
            let dumped = self.client.dump(request, |step| match step {
                Step::Begin => sums.clone_from(&before),
                Step::Message(body) => sums.add(body),
            });
            dumped.map_err(|source| CollectError::Call { call: "sock_diag", source })?;
        }
        write(&sums, out);
        Ok(())
    }
}

impl Sums {
    /// `struct inet_diag_msg`: family, state, timer, retransmissions, 48 bytes that name the socket, expiry, then what
    /// waits in its queues; for a listening socket that is connections, which the peer adds all the same.
    fn add(&mut self, message: &[u8]) {
        let Some(&state) = message.get(1) else { return };
        let (Some(received), Some(unsent)) = (u32_at(message, 56), u32_at(message, 60)) else {
            return;
        };
        let place = if usize::from(state) < NAMES.len() { usize::from(state) } else { 0 };
        self.sockets[place] += 1;
        self.received += u64::from(received);
        self.unsent += u64::from(unsent);
    }
}

/// A state that no socket is in has no sample, as with the peer.
fn write(sums: &Sums, out: &mut Exposition) {
    if sums.sockets.iter().all(|&count| count == 0) {
        return;
    }
    let mut states = out.family(&STATES);
    for (name, count) in NAMES.iter().zip(sums.sockets).filter(|(_, count)| *count > 0) {
        states.sample(*name, count);
    }
    states.sample("rx_queued_bytes", sums.received);
    states.sample("tx_queued_bytes", sums.unsent);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use std::net::{TcpListener, TcpStream};

    fn message(state: u8, received: u32, unsent: u32) -> Vec<u8> {
        let mut message = vec![0; 72];
        message[1] = state;
        message[56..60].copy_from_slice(&received.to_ne_bytes());
        message[60..64].copy_from_slice(&unsent.to_ne_bytes());
        message
    }

    #[test]
    fn sockets_are_counted_by_state_and_their_queues_summed() {
        let mut sums = Sums::default();
        for bytes in [message(1, 2, 0), message(1, 3, 7), message(10, 0, 0), message(99, 0, 0)] {
            sums.add(&bytes);
            sums.add(&bytes[..60]);
        }
        let mut out = Exposition::default();
        write(&sums, &mut out);
        let text = String::from_utf8(out.text().to_vec()).unwrap();
        let lines: Vec<_> = text.lines().filter_map(|line| line.split_once("{state=")).collect();
        let found: Vec<_> = lines.iter().map(|(_, rest)| *rest).collect();
        assert_eq!(
            found,
            [
                "\"unknown\"} 1",
                "\"established\"} 2",
                "\"listen\"} 1",
                "\"rx_queued_bytes\"} 5",
                "\"tx_queued_bytes\"} 7"
            ]
        );
    }

    #[test]
    fn the_live_kernel_counts_a_connection_of_ours_and_its_unread_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _server = listener.accept().unwrap();
        std::io::Write::write_all(&mut client, &[0; 1000]).unwrap();
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        result.unwrap();
        let value = |state: &str| {
            let start = format!("node_tcp_connection_states{{state=\"{state}\"}} ");
            let line = samples.iter().find_map(|line| line.strip_prefix(&start));
            line.map_or(0.0, |value| value.parse::<f64>().unwrap())
        };
        assert!(value("established") >= 2.0 && value("listen") >= 1.0, "{samples:?}");
        assert!(value("rx_queued_bytes") >= 1000.0, "{samples:?}");
    }
}
