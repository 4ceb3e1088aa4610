//! The families of `netdev`, and which of the kernel's counters each is the sum of.

use exporter_toolkit::{Counter, Described};

use super::Counters;
use super::addresses::ADDRESS_INFO;

/// A family without and with the label of `--collector.netdev.label-ifalias`.
pub(super) struct Field {
    pub(super) plain: Counter<1>,
    pub(super) aliased: Counter<2>,
}

const fn field(name: &'static str, help: &'static str) -> Field {
    Field {
        plain: Counter::new(name, help, ["device"]),
        aliased: Counter::new(name, help, ["device", "ifalias"]),
    }
}

macro_rules! fields {
    ($($constant:ident = $place:literal $name:literal $help:literal)*) => {
        $(const $constant: usize = $place;)*
        pub(super) static FIELDS: &[Field] = &[$(field($name, $help)),*];
        pub(super) static FAMILIES: &[&dyn Described] =
            &[$(&FIELDS[$constant].plain,)* &ADDRESS_INFO];
    };
}

fields! {
    RX_PACKETS = 0 "node_network_receive_packets_total" "Packets the interface received."
    TX_PACKETS = 1 "node_network_transmit_packets_total" "Packets the interface sent."
    RX_BYTES = 2 "node_network_receive_bytes_total" "Bytes the interface received."
    TX_BYTES = 3 "node_network_transmit_bytes_total" "Bytes the interface sent."
    RX_ERRS = 4 "node_network_receive_errs_total" "Bad packets received, of all kinds of errors."
    TX_ERRS = 5 "node_network_transmit_errs_total" "Packets that could not be sent for errors of all kinds."
    RX_DROP = 6 "node_network_receive_drop_total" "Good packets that were not taken in: dropped by the kernel or missed by the device for want of room."
    TX_DROP = 7 "node_network_transmit_drop_total" "Packets that were dropped on their way out, mostly for want of room."
    RX_MULTICAST = 8 "node_network_receive_multicast_total" "Multicast packets received."
    TX_COLLS = 9 "node_network_transmit_colls_total" "Collisions while sending, on half-duplex links."
    RX_FIFO = 10 "node_network_receive_fifo_total" "Packets lost because the device's receive queue overran."
    TX_FIFO = 11 "node_network_transmit_fifo_total" "Packets not sent because the device's send queue underran."
    RX_FRAME = 12 "node_network_receive_frame_total" "Packets received with a wrong frame, length, checksum or beyond the ring."
    TX_CARRIER = 13 "node_network_transmit_carrier_total" "Packets not sent for a lost carrier, an abort, a missing heartbeat or a late collision."
    RX_COMPRESSED = 14 "node_network_receive_compressed_total" "Compressed packets received, by the few drivers that compress (PPP, CSLIP)."
    TX_COMPRESSED = 15 "node_network_transmit_compressed_total" "Compressed packets sent, by the few drivers that compress (PPP, CSLIP)."
    RX_NOHANDLER = 16 "node_network_receive_nohandler_total" "Packets dropped because no protocol takes them, as on an inactive bond port."
    RX_ERRORS = 17 "node_network_receive_errors_total" "Bad packets received, as the kernel's counter rx_errors has them."
    TX_ERRORS = 18 "node_network_transmit_errors_total" "Packets not sent, as the kernel's counter tx_errors has them."
    RX_DROPPED = 19 "node_network_receive_dropped_total" "Good packets received that the kernel had no room for or no use of."
    TX_DROPPED = 20 "node_network_transmit_dropped_total" "Packets the kernel dropped on their way out."
    MULTICAST = 21 "node_network_multicast_total" "Multicast packets received, as the kernel's counter has them."
    COLLISIONS = 22 "node_network_collisions_total" "Collisions while sending, as the kernel's counter has them."
    RX_LENGTH_ERRORS = 23 "node_network_receive_length_errors_total" "Packets received whose length was wrong."
    RX_OVER_ERRORS = 24 "node_network_receive_over_errors_total" "Packets received that overflowed the device's buffers."
    RX_CRC_ERRORS = 25 "node_network_receive_crc_errors_total" "Packets received with a wrong checksum."
    RX_FRAME_ERRORS = 26 "node_network_receive_frame_errors_total" "Packets received with a misaligned frame."
    RX_FIFO_ERRORS = 27 "node_network_receive_fifo_errors_total" "Packets lost to an overrun of the receive queue."
    RX_MISSED_ERRORS = 28 "node_network_receive_missed_errors_total" "Packets the device missed because the host gave it no buffers."
    TX_ABORTED_ERRORS = 29 "node_network_transmit_aborted_errors_total" "Packets whose sending was aborted, as after too many collisions."
    TX_CARRIER_ERRORS = 30 "node_network_transmit_carrier_errors_total" "Packets not sent because the carrier was lost."
    TX_FIFO_ERRORS = 31 "node_network_transmit_fifo_errors_total" "Packets not sent because of an underrun of the send queue."
    TX_HEARTBEAT_ERRORS = 32 "node_network_transmit_heartbeat_errors_total" "Packets without the heartbeat of old half-duplex Ethernet."
    TX_WINDOW_ERRORS = 33 "node_network_transmit_window_errors_total" "Packets hit by a late collision."
}

/// A family and the places in `struct rtnl_link_stats64` whose counters it sums.
pub(super) struct Sum {
    pub(super) field: usize,
    main: usize,
    others: &'static [usize],
}

impl Sum {
    /// `None` where the main counter is not given; `/proc/net/dev` has the others in it already.
    pub(super) fn of(&self, counters: &Counters) -> Option<u64> {
        let others = self.others.iter().filter_map(|&place| counters[place]);
        counters[self.main].map(|main| others.fold(main, u64::wrapping_add))
    }
}

const fn one(field: usize, main: usize) -> Sum {
    Sum { field, main, others: &[] }
}

const fn sum(field: usize, main: usize, others: &'static [usize]) -> Sum {
    Sum { field, main, others }
}

/// What `/proc/net/dev` prints, and `rx_nohandler`, which it lacks.
pub(super) static LEGACY: &[Sum] = &[
    one(RX_PACKETS, 0),
    one(TX_PACKETS, 1),
    one(RX_BYTES, 2),
    one(TX_BYTES, 3),
    one(RX_ERRS, 4),
    one(TX_ERRS, 5),
    sum(RX_DROP, 6, &[15]),
    one(TX_DROP, 7),
    one(RX_MULTICAST, 8),
    one(TX_COLLS, 9),
    one(RX_FIFO, 14),
    one(TX_FIFO, 18),
    sum(RX_FRAME, 13, &[10, 11, 12]),
    sum(TX_CARRIER, 17, &[16, 19, 20]),
    one(RX_COMPRESSED, 21),
    one(TX_COMPRESSED, 22),
    one(RX_NOHANDLER, 23),
];

/// Each counter under its own name.
pub(super) static DETAILED: &[Sum] = &[
    one(RX_PACKETS, 0),
    one(TX_PACKETS, 1),
    one(RX_BYTES, 2),
    one(TX_BYTES, 3),
    one(RX_ERRORS, 4),
    one(TX_ERRORS, 5),
    one(RX_DROPPED, 6),
    one(TX_DROPPED, 7),
    one(MULTICAST, 8),
    one(COLLISIONS, 9),
    one(RX_LENGTH_ERRORS, 10),
    one(RX_OVER_ERRORS, 11),
    one(RX_CRC_ERRORS, 12),
    one(RX_FRAME_ERRORS, 13),
    one(RX_FIFO_ERRORS, 14),
    one(RX_MISSED_ERRORS, 15),
    one(TX_ABORTED_ERRORS, 16),
    one(TX_CARRIER_ERRORS, 17),
    one(TX_FIFO_ERRORS, 18),
    one(TX_HEARTBEAT_ERRORS, 19),
    one(TX_WINDOW_ERRORS, 20),
    one(RX_COMPRESSED, 21),
    one(TX_COMPRESSED, 22),
    one(RX_NOHANDLER, 23),
];

/// The sums that `/proc/net/dev` has under the names of the detailed families: its columns cannot be taken apart.
pub(super) static DETAILED_OF_FILE: &[Sum] = &[
    one(RX_PACKETS, 0),
    one(TX_PACKETS, 1),
    one(RX_BYTES, 2),
    one(TX_BYTES, 3),
    one(RX_ERRORS, 4),
    one(TX_ERRORS, 5),
    one(RX_DROPPED, 6),
    one(TX_DROPPED, 7),
    one(RX_MULTICAST, 8),
    one(TX_COLLS, 9),
    one(RX_FIFO, 14),
    one(TX_FIFO, 18),
    one(RX_FRAME, 13),
    one(TX_CARRIER, 17),
    one(RX_COMPRESSED, 21),
    one(TX_COMPRESSED, 22),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_drop_frame_and_carrier_are_sums() {
        let counters: Counters = std::array::from_fn(|place| Some(1 << place));
        let value = |field| LEGACY.iter().find(|sum| sum.field == field).unwrap().of(&counters);
        assert_eq!(value(RX_DROP), Some((1 << 6) + (1 << 15)));
        assert_eq!(value(RX_FRAME), Some((1 << 13) + (1 << 10) + (1 << 11) + (1 << 12)));
        assert_eq!(value(TX_CARRIER), Some((1 << 17) + (1 << 16) + (1 << 19) + (1 << 20)));
    }

    #[test]
    fn a_counter_that_the_source_lacks_is_no_sample() {
        let mut counters: Counters = [Some(5); LINK_STATS64];
        counters[23] = None;
        counters[15] = None;
        let value = |field| LEGACY.iter().find(|sum| sum.field == field).unwrap().of(&counters);
        assert_eq!((value(RX_NOHANDLER), value(RX_DROP)), (None, Some(5)));
    }

    const LINK_STATS64: usize = crate::netlink::LINK_STATS64_LEN;
}
