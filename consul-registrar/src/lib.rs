//! Puts every target of a cluster into Consul, file_sd and http_sd, so that Prometheus discovers it.
