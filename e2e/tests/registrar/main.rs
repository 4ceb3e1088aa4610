//! consul-registrar against real servers: Consul, API servers, dockerd, Prometheus and VictoriaMetrics. `e2e/run` starts
//! these tests.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: what fails is to be seen, and what is read is the test's own"
)]
#![expect(clippy::float_cmp, reason = "samples are compared to the bit")]

mod away;
mod discovered;
mod scene;
