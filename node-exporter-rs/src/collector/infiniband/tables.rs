//! Which file of a port is which family.

use exporter_toolkit::family::CounterMark;

use crate::collector::sysclass::{Column, Scale};

macro_rules! columns {
    ($($file:literal $scale:ident $suffix:literal $help:literal)*) => {
        [$(Column::new($file, Scale::$scale, concat!("node_infiniband_", $suffix), ["device", "port"], $help)),*]
    };
}

/// `counters_ext`: the 64-bit counters of kernels before 4.5.
#[rustfmt::skip]
pub(super) static LEGACY: [Column<CounterMark, 2>; 8] = columns! {
    "port_multicast_rcv_packets" One "legacy_multicast_packets_received_total" "Multicast packets that the port received (kernels before 4.5)."
    "port_multicast_xmit_packets" One "legacy_multicast_packets_transmitted_total" "Multicast packets that the port sent (kernels before 4.5)."
    "port_rcv_data_64" Words "legacy_data_received_bytes_total" "Bytes of data that the port received (kernels before 4.5)."
    "port_rcv_packets_64" One "legacy_packets_received_total" "Packets that the port received (kernels before 4.5)."
    "port_unicast_rcv_packets" One "legacy_unicast_packets_received_total" "Unicast packets that the port received (kernels before 4.5)."
    "port_unicast_xmit_packets" One "legacy_unicast_packets_transmitted_total" "Unicast packets that the port sent (kernels before 4.5)."
    "port_xmit_data_64" Words "legacy_data_transmitted_bytes_total" "Bytes of data that the port sent (kernels before 4.5)."
    "port_xmit_packets_64" One "legacy_packets_transmitted_total" "Packets that the port sent (kernels before 4.5)."
};

/// `counters`: what every port counts.
#[rustfmt::skip]
pub(super) static COUNTERS: [Column<CounterMark, 2>; 22] = columns! {
    "excessive_buffer_overrun_errors" One "excessive_buffer_overrun_errors_total" "Times that buffers overran in too many flow control periods on end."
    "link_downed" One "link_downed_total" "Times that the link could not be recovered and went down."
    "link_error_recovery" One "link_error_recovery_total" "Times that the link recovered from an error by itself."
    "local_link_integrity_errors" One "local_link_integrity_errors_total" "Times that there were more errors on the local link than its threshold allows."
    "multicast_rcv_packets" One "multicast_packets_received_total" "Multicast packets that the port received, faulty ones included."
    "multicast_xmit_packets" One "multicast_packets_transmitted_total" "Multicast packets that the port sent, faulty ones included."
    "port_rcv_constraint_errors" One "port_constraint_errors_received_total" "Packets that a switch port discarded on arrival because of its rules."
    "port_rcv_data" Words "port_data_received_bytes_total" "Bytes of data that the port received on all lanes."
    "port_rcv_discards" One "port_discards_received_total" "Arriving packets dropped because the port was down or congested."
    "port_rcv_errors" One "port_errors_received_total" "Packets that arrived with an error."
    "port_rcv_packets" One "port_packets_received_total" "Packets that the port received on all virtual lanes, faulty ones included."
    "port_rcv_remote_physical_errors" One "port_receive_remote_physical_errors_total" "Packets that arrived already marked as bad by another port."
    "port_rcv_switch_relay_errors" One "port_receive_switch_relay_errors_total" "Packets that a switch could not pass on."
    "port_xmit_constraint_errors" One "port_constraint_errors_transmitted_total" "Packets that a switch port did not send because of its rules."
    "port_xmit_data" Words "port_data_transmitted_bytes_total" "Bytes of data that the port sent on all lanes."
    "port_xmit_discards" One "port_discards_transmitted_total" "Departing packets dropped because the port was down or congested."
    "port_xmit_packets" One "port_packets_transmitted_total" "Packets that the port sent on all virtual lanes, faulty ones included."
    "port_xmit_wait" One "port_transmit_wait_total" "Ticks in which the port had data to send and could send nothing."
    "symbol_error" One "symbol_error_total" "Minor errors on the lanes of the link."
    "unicast_rcv_packets" One "unicast_packets_received_total" "Unicast packets that the port received, faulty ones included."
    "unicast_xmit_packets" One "unicast_packets_transmitted_total" "Unicast packets that the port sent, faulty ones included."
    "VL15_dropped" One "vl15_dropped_total" "Management packets (virtual lane 15) dropped for want of buffers."
};

/// `hw_counters`: what mlx5 and others add, mostly about RDMA over Ethernet.
#[rustfmt::skip]
pub(super) static HARDWARE: [Column<CounterMark, 2>; 29] = columns! {
    "duplicate_request" One "duplicate_requests_packets_total" "Received requests that had been carried out before."
    "implied_nak_seq_err" One "implied_nak_seq_errors_total" "Acknowledgements ahead of the expected RDMA read or response."
    "local_ack_timeout_err" One "local_ack_timeout_errors_total" "Times that an acknowledgement did not come in time; a retry may still help."
    "np_cnp_sent" One "np_cnp_packets_sent_total" "Congestion notifications sent to those whose packets met congestion."
    "np_ecn_marked_roce_packets" One "np_ecn_marked_roce_packets_received_total" "RoCE packets received with the mark of congestion."
    "out_of_buffer" One "out_of_buffer_drops_total" "Packets dropped because the queue pair had no receive request posted."
    "out_of_sequence" One "out_of_sequence_packets_received_total" "Packets received out of sequence."
    "packet_seq_err" One "packet_sequence_errors_total" "Refusals received because of a wrong sequence; a retry may still help."
    "req_cqe_error" One "req_cqes_errors_total" "Completions with an error, seen as the requester."
    "req_cqe_flush_error" One "req_cqes_flush_errors_total" "Completions flushed with an error, seen as the requester."
    "req_remote_access_errors" One "req_remote_access_errors_total" "Remote access errors, seen as the requester."
    "req_remote_invalid_request" One "req_remote_invalid_request_errors_total" "Requests that the remote side called invalid."
    "resp_cqe_error" One "resp_cqes_errors_total" "Completions with an error, seen as the responder."
    "resp_cqe_flush_error" One "resp_cqes_flush_errors_total" "Completions flushed with an error, seen as the responder."
    "resp_local_length_error" One "resp_local_length_errors_total" "Requests whose length did not fit, seen as the responder."
    "resp_remote_access_errors" One "resp_remote_access_errors_total" "Remote access errors, seen as the responder."
    "rnr_nak_retry_err" One "rnr_nak_retry_packets_received_total" "Refusals received because the receiver was not ready; a retry may still help."
    "roce_adp_retrans" One "roce_adp_retransmits_total" "Adaptive retransmissions of RoCE traffic."
    "roce_adp_retrans_to" One "roce_adp_retransmits_timeout_total" "Times that RoCE traffic ran into a timeout by adaptive retransmission."
    "roce_slow_restart" One "roce_slow_restart_used_total" "Times that RoCE restarted slowly."
    "roce_slow_restart_cnps" One "roce_slow_restart_cnps_total" "Congestion notifications made by a slow restart."
    "roce_slow_restart_trans" One "roce_slow_restart_total" "Times that RoCE changed into slow restart."
    "rp_cnp_handled" One "rp_cnp_packets_handled_total" "Congestion notifications that made the adapter send more slowly."
    "rp_cnp_ignored" One "rp_cnp_ignored_packets_received_total" "Congestion notifications that the adapter ignored."
    "rx_atomic_requests" One "rx_atomic_requests_total" "Atomic requests received."
    "rx_dct_connect" One "rx_dct_connect_requests_total" "Requests received to connect dynamically connected transports."
    "rx_icrc_encapsulated" One "rx_icrc_encapsulated_errors_total" "RoCE packets whose invariant checksum was wrong."
    "rx_read_requests" One "rx_read_requests_total" "Read requests received."
    "rx_write_requests" One "rx_write_requests_total" "Write requests received."
};
