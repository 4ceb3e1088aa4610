//! Our configurations, rules and dashboards on a real Prometheus, with what stands around it: a cluster and its agents, an
//! Alertmanager, a VictoriaMetrics that is written to.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "support of tests: what fails is to be seen, and what is read is the test's own"
)]

mod alerts;
mod compose;
mod dashboards;
mod discovered;
mod remote;
mod scene;
mod shipped;
