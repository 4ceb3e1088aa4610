//! kube-state-rs against real API servers. `e2e/run` starts these tests; they need `e2e/testbed/install k8s` and `install
//! modern`.
//!
//! What is right is always what `kubectl get -o json | kube-state-rs render` says of the same moment ([`truth`]), and
//! while something fails a scraper asks ten times a second and takes nothing less than a whole answer ([`checker`]).
//! There are two clusters ([`e2e::cluster`]): one of Kubernetes 1.20, with controllers and a kubelet, for objects that live;
//! and an API server of 1.36 with a thousand pods that is restarted with other flags, deprived of etcd and cut off.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "support of tests: what fails is to be seen, and what is read is the test's own"
)]
#![expect(clippy::float_cmp, reason = "samples are compared to the bit")]

mod checker;
mod churn;
mod credentials;
mod custom;
mod faults;
mod gate;
mod hostile;
mod large;
mod listing;
mod old;
mod resources;
mod scraped;
mod selected;
mod subject;
mod truth;
