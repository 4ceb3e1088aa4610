//! What the agents know of a Kubernetes API server: how to reach it, what it serves, and informers on it.
