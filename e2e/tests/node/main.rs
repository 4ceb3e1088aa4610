//! node-exporter-rs against real servers. `e2e/run` starts these tests; they need the programs of `e2e/testbed/install`.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::format_push_string,
    reason = "support of tests: what fails is to be seen, and what is read is the test's own"
)]
#![expect(clippy::float_cmp, reason = "samples are compared to the bit")]

mod compare;
mod handover;
mod hostile;
mod lifecycle;
mod memory;
mod mount;
mod promtool;
mod protected;
mod scraped;
mod targets;
