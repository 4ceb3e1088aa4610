//! The flags of the server and the limits it keeps.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _};

use crate::options::duration;

const LISTEN_HELP: &str = "\
Address to serve metrics on, repeatable: ':9100' (every interface, IPv4 and IPv6), '127.0.0.1:9100', '[::1]:9100', \
'localhost:9100', 'unix:/run/agent.sock' or 'unix:/run/agent.sock,mode=0660'. Without it the agent serves on its own \
port of every interface";

/// Where and how an agent serves HTTP; flattened into each agent's options.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Web")]
pub struct WebOptions {
    /// Addresses as they were given; [`super::Server::bind`] checks them.
    #[arg(long = "web.listen-address", value_name = "ADDRESS", help = LISTEN_HELP)]
    pub listen_addresses: Vec<String>,

    /// Serve on the sockets that systemd passes (a .socket unit) instead of opening addresses.
    #[arg(long = "web.systemd-socket")]
    pub systemd_socket: bool,

    /// Share TCP addresses with a second process of the same agent and user, for updates without a lost scrape: the
    /// newer one starts, the older one goes on answering, and when it is told to end, connections go to the newer one.
    /// Both need the flag. Sockets of systemd are kept over a restart without it.
    #[arg(long = "web.reuse-port")]
    pub reuse_port: bool,

    /// File that turns on TLS, client certificates, basic auth, response headers or a rate limit, in the format of
    /// Prometheus' exporter-toolkit. It and the certificates it names are read again when they change. An empty name is none.
    #[arg(long = "web.config.file", value_name = "FILE", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub config_file: Option<PathBuf>,

    /// Path under which the metrics are found.
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics", value_parser = parse_path)]
    pub telemetry_path: String,

    /// Scrapes answered at the same time; further ones get 503 at once. 0 is no limit.
    #[arg(long = "web.max-requests", value_name = "N", default_value_t = 40)]
    pub max_requests: u32,

    /// Connections open at the same time. At the limit the longest idle one is closed for a new one; while none is
    /// idle, new ones wait.
    #[arg(long = "web.max-connections", value_name = "N", default_value = "512")]
    pub max_connections: NonZeroU32,

    /// How long a scrape may take when the client does not say (X-Prometheus-Scrape-Timeout-Seconds).
    #[arg(long = "web.scrape-timeout", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub scrape_timeout: Duration,

    #[arg(skip)]
    pub limits: Limits,
}

/// Times and sizes that no user needs to set; tests shorten them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the connection's start, or from the first byte of a later request, to the end of its headers.
    pub request: Duration,
    /// Between two requests on one connection. Longer than usual scrape intervals, so that scrapers keep theirs.
    pub idle: Duration,
    /// For a client that takes no byte of its answer.
    pub stall: Duration,
    /// From the first byte of an answer to its last, however steadily the client reads.
    pub answer: Duration,
    /// For open answers when the process ends.
    pub drain: Duration,
    /// How long a process that ends waits for the request of who has just come, and for all that is on its way to it while
    /// a newer one serves on its address.
    pub farewell: Duration,
    /// Least time between two looks at the configuration's files.
    pub recheck: Duration,
    /// Bytes of one request's line and headers; more is 431.
    pub header_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            request: Duration::from_secs(10),
            idle: Duration::from_mins(6),
            stall: Duration::from_secs(30),
            answer: Duration::from_mins(3),
            drain: Duration::from_secs(5),
            // Longer than a packet is on its way.
            farewell: Duration::from_millis(500),
            recheck: Duration::from_secs(1),
            header_bytes: 64 * 1024,
        }
    }
}

fn parse_path(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if text.starts_with('/') && plain {
        return Ok(text.to_owned());
    }
    Err("a path starts with '/' and has no space, '?' or '#', like /metrics".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        web: WebOptions,
    }

    fn parsed(args: &[&str]) -> Result<WebOptions, String> {
        let args = std::iter::once("agent").chain(args.iter().copied());
        Command::try_parse_from(args).map(|command| command.web).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_the_peers() {
        let web = parsed(&[]).unwrap();
        assert!(
            web.listen_addresses.is_empty() && !web.systemd_socket && web.config_file.is_none()
        );
        assert!(!web.reuse_port);
        assert_eq!((web.telemetry_path.as_str(), web.max_requests), ("/metrics", 40));
        assert_eq!(web.scrape_timeout, Duration::from_secs(10));
    }

    #[test]
    fn the_listen_address_is_repeatable() {
        let web = parsed(&["--web.listen-address=:1", "--web.listen-address", "[::1]:2"]).unwrap();
        assert_eq!(web.listen_addresses, [":1", "[::1]:2"]);
    }

    #[test]
    fn a_telemetry_path_without_a_slash_is_refused() {
        let error = parsed(&["--web.telemetry-path=metrics"]).unwrap_err();
        assert!(
            error.contains("--web.telemetry-path") && error.contains("starts with '/'"),
            "{error}"
        );
    }
}
