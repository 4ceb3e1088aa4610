//! Kubernetes object state for Prometheus: a drop-in for kube-state-metrics.
