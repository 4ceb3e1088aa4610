//! cadvisor-proxy-rs against a real kubelet, docker and `cAdvisor`, and beside an app. `e2e/run` starts these tests; they
//! need `e2e/testbed/install k8s`.
//!
//! What is right is always what kubectl shows of the same pods ([`truth`]), or docker of its containers.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what fails is to be seen, and what is read is the test's own"
)]

mod identity;
mod native;
mod plain;
mod served;
mod sidecar;
mod subject;
mod truth;
