//! The columns of `/proc/net/stat` that this build knows, by the kernel's files that print them.

use exporter_toolkit::Described;
use exporter_toolkit::family::CounterMark;

use crate::collector::fields::{Field, describe};

const fn field(
    name: &'static str,
    family: &'static str,
    help: &'static str,
) -> Field<CounterMark, 2> {
    Field::new(name, family, ["subsystem", "cpu"], help)
}

#[rustfmt::skip]
pub(super) static FIELDS: [Field<CounterMark, 2>; 52] = [
    // Neighbour tables (neigh_stat_seq_show of net/core/neighbour.c), and for entries every other table too.
    field("entries", "node_lnstat_entries_total", "Entries of the table now; each CPU says the same."),
    field("allocs", "node_lnstat_allocs_total", "Neighbours that were added."),
    field("destroys", "node_lnstat_destroys_total", "Neighbours that were removed."),
    field("hash_grows", "node_lnstat_hash_grows_total", "Times that the table grew."),
    field("lookups", "node_lnstat_lookups_total", "Searches for a neighbour."),
    field("hits", "node_lnstat_hits_total", "Searches that found their neighbour."),
    field("res_failed", "node_lnstat_res_failed_total", "Neighbours that did not answer."),
    field("rcv_probes_mcast", "node_lnstat_rcv_probes_mcast_total", "IPv6 neighbour solicitations received by multicast."),
    field("rcv_probes_ucast", "node_lnstat_rcv_probes_ucast_total", "IPv6 neighbour solicitations received by unicast."),
    field("periodic_gc_runs", "node_lnstat_periodic_gc_runs_total", "Times that old neighbours were cleared away by the clock."),
    field("forced_gc_runs", "node_lnstat_forced_gc_runs_total", "Times that old neighbours were cleared away because the table was full."),
    field("unresolved_discards", "node_lnstat_unresolved_discards_total", "Packets dropped because their neighbour was not resolved."),
    field("table_fulls", "node_lnstat_table_fulls_total", "Times that the table was full even after clearing away."),
    // Connection tracking (ct_cpu_seq_show of net/netfilter/nf_conntrack_standalone.c).
    field("searched", "node_lnstat_searched_total", "Searches for a connection; today's kernels always say 0."),
    field("clashres", "node_lnstat_clashres_total", "Connections met twice at once that could be made one."),
    field("found", "node_lnstat_found_total", "Searches that found their connection."),
    field("new", "node_lnstat_new_total", "Connections that were not known before; today's kernels always say 0."),
    field("invalid", "node_lnstat_invalid_total", "Packets that could not be tracked."),
    field("ignore", "node_lnstat_ignore_total", "Packets of connections that were tracked already or are exempt."),
    field("delete", "node_lnstat_delete_total", "Connections that were removed; today's kernels always say 0."),
    field("delete_list", "node_lnstat_delete_list_total", "Connections that were put on the list of dying ones."),
    field("chainlength", "node_lnstat_chainlength_total", "Connections not tracked because too many had the same hash."),
    field("insert", "node_lnstat_insert_total", "Connections that were put into the table."),
    field("insert_failed", "node_lnstat_insert_failed_total", "Connections that the table did not take, as one like them was there."),
    field("drop", "node_lnstat_drop_total", "Packets dropped because tracking them failed, mostly for a full table."),
    field("early_drop", "node_lnstat_early_drop_total", "Connections thrown out of a full table to make room."),
    field("icmp_error", "node_lnstat_icmp_error_total", "ICMP errors that belong to no connection."),
    field("expect_new", "node_lnstat_expect_new_total", "Connections that another one had announced."),
    field("expect_create", "node_lnstat_expect_create_total", "Connections announced by another one."),
    field("expect_delete", "node_lnstat_expect_delete_total", "Announced connections that were removed."),
    field("search_restart", "node_lnstat_search_restart_total", "Searches that began anew because the table was being resized."),
    // Routes (rt_cpu_seq_show of net/ipv4/route.c), of which few have been counted since the cache went with Linux 3.6.
    field("in_hit", "node_lnstat_in_hit_total", "Packets in whose route was cached; always 0 since Linux 3.6."),
    field("in_slow_tot", "node_lnstat_in_slow_tot_total", "Packets in whose route was looked up."),
    field("in_slow_mc", "node_lnstat_in_slow_mc_total", "Multicast packets in whose route was looked up."),
    field("in_no_route", "node_lnstat_in_no_route_total", "Packets in without a route."),
    field("in_brd", "node_lnstat_in_brd_total", "Broadcast packets in."),
    field("in_martian_dst", "node_lnstat_in_martian_dst_total", "Packets in with a destination that cannot be."),
    field("in_martian_src", "node_lnstat_in_martian_src_total", "Packets in with a source that cannot be."),
    field("out_hit", "node_lnstat_out_hit_total", "Packets out whose route was cached; always 0 since Linux 3.6."),
    field("out_slow_tot", "node_lnstat_out_slow_tot_total", "Packets out whose route was looked up."),
    field("out_slow_mc", "node_lnstat_out_slow_mc_total", "Multicast packets out whose route was looked up."),
    field("gc_total", "node_lnstat_gc_total_total", "Times that old routes were to be cleared away; always 0 since Linux 3.6."),
    field("gc_ignored", "node_lnstat_gc_ignored_total", "Times that clearing away was put off; always 0 since Linux 3.6."),
    field("gc_goal_miss", "node_lnstat_gc_goal_miss_total", "Times that too few routes could be cleared away; always 0 since Linux 3.6."),
    field("gc_dst_overflow", "node_lnstat_gc_dst_overflow_total", "Times that the route cache was full; always 0 since Linux 3.6."),
    field("in_hlist_search", "node_lnstat_in_hlist_search_total", "Steps in searches of the route cache for packets in; always 0 since Linux 3.6."),
    field("out_hlist_search", "node_lnstat_out_hlist_search_total", "Steps in searches of the route cache for packets out; always 0 since Linux 3.6."),
    // SYN proxy (synproxy_cpu_seq_show of net/netfilter/nf_synproxy_core.c).
    field("syn_received", "node_lnstat_syn_received_total", "SYN packets that the proxy took for a server."),
    field("cookie_invalid", "node_lnstat_cookie_invalid_total", "Answers to the proxy with a wrong cookie."),
    field("cookie_valid", "node_lnstat_cookie_valid_total", "Answers to the proxy with a right cookie."),
    field("cookie_retrans", "node_lnstat_cookie_retrans_total", "Cookies that the proxy sent again."),
    field("conn_reopened", "node_lnstat_conn_reopened_total", "Connections opened anew while the old one was closing."),
];

pub(super) static FAMILIES: [&dyn Described; FIELDS.len()] = {
    let list: [&dyn Described; FIELDS.len()] = [&FIELDS[0].family; FIELDS.len()];
    describe(list, 0, &FIELDS)
};
