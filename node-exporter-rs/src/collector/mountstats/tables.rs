//! The families of an NFS mount, in the order of the kernel's columns.

use exporter_toolkit::{Counter, Described, Gauge};

use crate::collector::fields::describe_plain;

const LABELS: [&str; 3] = ["export", "protocol", "mountaddr"];
const TRANSPORT_LABELS: [&str; 4] = ["export", "protocol", "mountaddr", "transport"];
const OPERATION_LABELS: [&str; 4] = ["export", "protocol", "mountaddr", "operation"];

pub(super) static AGE: Counter<3> =
    Counter::new("node_mountstats_nfs_age_seconds_total", "Time since the mount.", LABELS);
pub(super) static INFO: Gauge<4> = Gauge::new(
    "node_mountstats_nfs_mountpoint_info",
    "Always 1: where the export is mounted.",
    ["export", "protocol", "mountaddr", "mountpoint"],
);

const fn counter(name: &'static str, help: &'static str) -> Counter<3> {
    Counter::new(name, help, LABELS)
}

#[rustfmt::skip]
pub(super) static BYTES: [Counter<3>; 8] = [
    counter("node_mountstats_nfs_read_bytes_total", "Bytes that programs read, from the cache or not."),
    counter("node_mountstats_nfs_write_bytes_total", "Bytes that programs wrote, to the cache or not."),
    counter("node_mountstats_nfs_direct_read_bytes_total", "Bytes that programs read past the cache (O_DIRECT)."),
    counter("node_mountstats_nfs_direct_write_bytes_total", "Bytes that programs wrote past the cache (O_DIRECT)."),
    counter("node_mountstats_nfs_total_read_bytes_total", "Bytes read from the server."),
    counter("node_mountstats_nfs_total_write_bytes_total", "Bytes written to the server."),
    counter("node_mountstats_nfs_read_pages_total", "Pages read from the server for the cache."),
    counter("node_mountstats_nfs_write_pages_total", "Pages written to the server from the cache."),
];

/// The places of the kernel's events that become families; the 19th has not been counted since Linux 5.18.
pub(super) const EVENT_PLACES: [usize; EVENTS.len()] = {
    let mut places = [0; EVENTS.len()];
    let mut i = 0;
    while i < places.len() {
        places[i] = i + (i >= 18) as usize;
        i += 1;
    }
    places
};

#[rustfmt::skip]
pub(super) static EVENTS: [Counter<3>; 26] = [
    counter("node_mountstats_nfs_event_inode_revalidate_total", "Times that cached attributes of a file were checked for being current."),
    counter("node_mountstats_nfs_event_dnode_revalidate_total", "Times that a cached name was checked for being current."),
    counter("node_mountstats_nfs_event_data_invalidate_total", "Times that the cached content of a file was thrown away."),
    counter("node_mountstats_nfs_event_attribute_invalidate_total", "Times that the cached attributes of a file were thrown away."),
    counter("node_mountstats_nfs_event_vfs_open_total", "Files and folders opened."),
    counter("node_mountstats_nfs_event_vfs_lookup_total", "Names looked up in a folder."),
    counter("node_mountstats_nfs_event_vfs_access_total", "Permissions checked."),
    counter("node_mountstats_nfs_event_vfs_update_page_total", "Pages changed in the cache."),
    counter("node_mountstats_nfs_event_vfs_read_page_total", "Single pages read."),
    counter("node_mountstats_nfs_event_vfs_read_pages_total", "Groups of pages read."),
    counter("node_mountstats_nfs_event_vfs_write_page_total", "Single pages written."),
    counter("node_mountstats_nfs_event_vfs_write_pages_total", "Groups of pages written."),
    counter("node_mountstats_nfs_event_vfs_getdents_total", "Times that a part of a folder was listed."),
    counter("node_mountstats_nfs_event_vfs_setattr_total", "Changes of attributes of files."),
    counter("node_mountstats_nfs_event_vfs_flush_total", "Times that changes were sent to the server because a file was closed."),
    counter("node_mountstats_nfs_event_vfs_fsync_total", "Calls of fsync on files and folders."),
    counter("node_mountstats_nfs_event_vfs_lock_total", "Attempts to lock a file."),
    counter("node_mountstats_nfs_event_vfs_file_release_total", "Files closed for the last time."),
    counter("node_mountstats_nfs_event_truncation_total", "Files made shorter."),
    counter("node_mountstats_nfs_event_write_extension_total", "Files that a write beyond their end made longer."),
    counter("node_mountstats_nfs_event_silly_rename_total", "Files removed while open, which are renamed until they are closed."),
    counter("node_mountstats_nfs_event_short_read_total", "Reads for which the server gave less than there was to expect."),
    counter("node_mountstats_nfs_event_short_write_total", "Writes of which the server took only a part."),
    counter("node_mountstats_nfs_event_jukebox_delay_total", "Times that the server asked to try again later, as it had to fetch the file from slow storage."),
    counter("node_mountstats_nfs_event_pnfs_read_total", "Reads from data servers (pNFS)."),
    counter("node_mountstats_nfs_event_pnfs_write_total", "Writes to data servers (pNFS)."),
];

const fn transport(name: &'static str, help: &'static str) -> Counter<4> {
    Counter::new(name, help, TRANSPORT_LABELS)
}

/// The places of the families among the numbers of a transport of TCP.
pub(super) const TRANSPORT_PLACES: [usize; TRANSPORT.len()] = [1, 2, 5, 6, 7, 9, 11, 12];

#[rustfmt::skip]
pub(super) static TRANSPORT: [Counter<4>; 8] = [
    transport("node_mountstats_nfs_transport_bind_total", "Times that a connection to the server was made from scratch."),
    transport("node_mountstats_nfs_transport_connect_total", "Times that TCP connected to the server."),
    transport("node_mountstats_nfs_transport_sends_total", "Requests sent to the server."),
    transport("node_mountstats_nfs_transport_receives_total", "Answers received from the server."),
    transport("node_mountstats_nfs_transport_bad_transaction_ids_total", "Answers to a request that nobody had sent."),
    transport("node_mountstats_nfs_transport_backlog_queue_total", "Requests that waited for a slot, summed up at each request sent."),
    transport("node_mountstats_nfs_transport_sending_queue_total", "Requests that waited to be sent, summed up at each request sent."),
    transport("node_mountstats_nfs_transport_pending_queue_total", "Requests that waited for their answer, summed up at each request sent."),
];
pub(super) static IDLE: Gauge<4> = Gauge::new(
    "node_mountstats_nfs_transport_idle_time_seconds",
    "Time since the transport was last used.",
    TRANSPORT_LABELS,
);
pub(super) static MAXIMUM_SLOTS: Gauge<4> = Gauge::new(
    "node_mountstats_nfs_transport_maximum_rpc_slots",
    "Most requests that were ever under way at once.",
    TRANSPORT_LABELS,
);

const fn operation(name: &'static str, help: &'static str) -> Counter<4> {
    Counter::new(name, help, OPERATION_LABELS)
}

#[rustfmt::skip]
pub(super) static OPERATIONS: [Counter<4>; 5] = [
    operation("node_mountstats_nfs_operations_requests_total", "Requests of the operation."),
    operation("node_mountstats_nfs_operations_transmissions_total", "Requests of the operation as they were sent, repeated ones included."),
    operation("node_mountstats_nfs_operations_major_timeouts_total", "Times that an answer stayed out even after all repeats."),
    operation("node_mountstats_nfs_operations_sent_bytes_total", "Bytes sent for the operation, headers included."),
    operation("node_mountstats_nfs_operations_received_bytes_total", "Bytes received for the operation, headers included."),
];

/// The columns behind those of [`OPERATIONS`], which are in milliseconds.
#[rustfmt::skip]
pub(super) static TIMES: [Counter<4>; 3] = [
    operation("node_mountstats_nfs_operations_queue_time_seconds_total", "Time that requests waited to be sent."),
    operation("node_mountstats_nfs_operations_response_time_seconds_total", "Time from sending to the answer."),
    operation("node_mountstats_nfs_operations_request_time_seconds_total", "Time from a request's beginning to its end, waiting included."),
];

const COUNT: usize =
    4 + BYTES.len() + EVENTS.len() + TRANSPORT.len() + OPERATIONS.len() + TIMES.len();

pub(super) static FAMILIES: [&dyn Described; COUNT] = {
    let mut list: [&dyn Described; COUNT] = [&AGE; COUNT];
    (list[1], list[2], list[3]) = (&INFO, &IDLE, &MAXIMUM_SLOTS);
    let mut from = 4;
    list = describe_plain(list, from, &BYTES);
    from += BYTES.len();
    list = describe_plain(list, from, &EVENTS);
    from += EVENTS.len();
    list = describe_plain(list, from, &TRANSPORT);
    from += TRANSPORT.len();
    list = describe_plain(list, from, &OPERATIONS);
    describe_plain(list, from + OPERATIONS.len(), &TIMES)
};
