//! What needs docker or the cluster of Kubernetes 1.20: `e2e/run` has these tests in one lane with all others that do.

mod discovered;
mod dockerd;
mod shipped;
