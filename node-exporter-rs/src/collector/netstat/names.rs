//! The counters that the default pattern reports, with what each means (RFC 2011 to 2013, linux/snmp.h).

use exporter_toolkit::{Described, Untyped};

macro_rules! families {
    ($($constant:ident $name:literal $help:literal)*) => {
        $(static $constant: Untyped<0> = Untyped::new($name, $help, []);)*
        pub(super) static FAMILIES: &[&dyn Described] = &[$(&$constant),*];
        static KNOWN: &[&Untyped<0>] = &[$(&$constant),*];
    };
}

/// The family of a name.
pub(super) fn known(name: &str) -> Option<&'static Untyped<0>> {
    KNOWN.iter().find(|family| family.name() == name).copied()
}

families! {
    ICMP6_IN_ERRORS "node_netstat_Icmp6_InErrors" "ICMPv6 messages received that were in error."
    ICMP6_IN_MSGS "node_netstat_Icmp6_InMsgs" "ICMPv6 messages received."
    ICMP6_OUT_MSGS "node_netstat_Icmp6_OutMsgs" "ICMPv6 messages sent."
    ICMP_IN_ERRORS "node_netstat_Icmp_InErrors" "ICMP messages received that were in error."
    ICMP_IN_MSGS "node_netstat_Icmp_InMsgs" "ICMP messages received."
    ICMP_OUT_MSGS "node_netstat_Icmp_OutMsgs" "ICMP messages sent."
    IP6_IN_OCTETS "node_netstat_Ip6_InOctets" "Bytes of IPv6 packets received."
    IP6_OUT_OCTETS "node_netstat_Ip6_OutOctets" "Bytes of IPv6 packets sent."
    IP_EXT_IN_OCTETS "node_netstat_IpExt_InOctets" "Bytes of IPv4 packets received."
    IP_EXT_OUT_OCTETS "node_netstat_IpExt_OutOctets" "Bytes of IPv4 packets sent."
    IP_FORWARDING "node_netstat_Ip_Forwarding" "1 where the host forwards IPv4 packets as a router does, 2 where it does not."
    LISTEN_DROPS "node_netstat_TcpExt_ListenDrops" "Connection requests that a listening socket dropped, for whatever reason."
    LISTEN_OVERFLOWS "node_netstat_TcpExt_ListenOverflows" "Connection requests dropped because the socket's accept queue was full."
    SYNCOOKIES_FAILED "node_netstat_TcpExt_SyncookiesFailed" "SYN cookies received that were not valid."
    SYNCOOKIES_RECV "node_netstat_TcpExt_SyncookiesRecv" "Valid SYN cookies received: connections that a full request queue did not prevent."
    SYNCOOKIES_SENT "node_netstat_TcpExt_SyncookiesSent" "SYN cookies sent in place of an entry in a full request queue."
    TCP_OFO_QUEUE "node_netstat_TcpExt_TCPOFOQueue" "TCP segments that came out of order and were queued."
    TCP_RCV_Q_DROP "node_netstat_TcpExt_TCPRcvQDrop" "TCP segments dropped because the socket's receive buffer was full."
    TCP_SYN_RETRANS "node_netstat_TcpExt_TCPSynRetrans" "Connection requests (SYN, SYN/ACK) that were sent again."
    TCP_TIMEOUTS "node_netstat_TcpExt_TCPTimeouts" "Times a retransmission timer ran out."
    TCP_ACTIVE_OPENS "node_netstat_Tcp_ActiveOpens" "TCP connections that this host asked for."
    TCP_CURR_ESTAB "node_netstat_Tcp_CurrEstab" "TCP connections that are established now, or half closed by the other side."
    TCP_IN_ERRS "node_netstat_Tcp_InErrs" "TCP segments received that were in error."
    TCP_IN_SEGS "node_netstat_Tcp_InSegs" "TCP segments received, those in error included."
    TCP_OUT_RSTS "node_netstat_Tcp_OutRsts" "TCP resets sent."
    TCP_OUT_SEGS "node_netstat_Tcp_OutSegs" "TCP segments sent, without those sent again."
    TCP_PASSIVE_OPENS "node_netstat_Tcp_PassiveOpens" "TCP connections that others asked for."
    TCP_RETRANS_SEGS "node_netstat_Tcp_RetransSegs" "TCP segments sent again."
    UDP6_IN_DATAGRAMS "node_netstat_Udp6_InDatagrams" "UDP datagrams over IPv6 that a socket took."
    UDP6_IN_ERRORS "node_netstat_Udp6_InErrors" "UDP datagrams over IPv6 that could not be delivered, other than for want of a socket."
    UDP6_NO_PORTS "node_netstat_Udp6_NoPorts" "UDP datagrams over IPv6 for a port that nobody listens on."
    UDP6_OUT_DATAGRAMS "node_netstat_Udp6_OutDatagrams" "UDP datagrams sent over IPv6."
    UDP6_RCVBUF_ERRORS "node_netstat_Udp6_RcvbufErrors" "UDP datagrams over IPv6 dropped because the socket's receive buffer was full."
    UDP6_SNDBUF_ERRORS "node_netstat_Udp6_SndbufErrors" "UDP datagrams over IPv6 not sent because the send buffer was full."
    UDP_LITE6_IN_ERRORS "node_netstat_UdpLite6_InErrors" "UDP-Lite datagrams over IPv6 that could not be delivered."
    UDP_LITE_IN_ERRORS "node_netstat_UdpLite_InErrors" "UDP-Lite datagrams over IPv4 that could not be delivered."
    UDP_IN_DATAGRAMS "node_netstat_Udp_InDatagrams" "UDP datagrams over IPv4 that a socket took."
    UDP_IN_ERRORS "node_netstat_Udp_InErrors" "UDP datagrams over IPv4 that could not be delivered, other than for want of a socket."
    UDP_NO_PORTS "node_netstat_Udp_NoPorts" "UDP datagrams over IPv4 for a port that nobody listens on."
    UDP_OUT_DATAGRAMS "node_netstat_Udp_OutDatagrams" "UDP datagrams sent over IPv4."
    UDP_RCVBUF_ERRORS "node_netstat_Udp_RcvbufErrors" "UDP datagrams over IPv4 dropped because the socket's receive buffer was full."
    UDP_SNDBUF_ERRORS "node_netstat_Udp_SndbufErrors" "UDP datagrams over IPv4 not sent because the send buffer was full."
}
