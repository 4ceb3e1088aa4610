//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command};
use exporter_toolkit::health;
use exporter_toolkit::log::LogOptions;
use exporter_toolkit::options::{Word, prepared, with_words};
use exporter_toolkit::telemetry::Build;
use exporter_toolkit::web::WebOptions;

use crate::cgroup::CgroupOptions;
use crate::identity::IdentityOptions;
use crate::offline::OfflineOptions;
use crate::proxy::{FillKind, SourceKind};
use crate::rewrite::RewriteOptions;

/// Environment variables of flags start with this.
pub const PREFIX: &str = "CADVISOR_PROXY";

/// For the agent's own metrics and its health.
pub const OWN_PORT: u16 = 4195;

/// What `cadvisor_proxy_build_info` and `version` say.
pub const BUILD: Build = Build::new("cadvisor_proxy", env!("CARGO_PKG_VERSION"));

/// All that can be set.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    pub target: TargetOptions,
    #[command(flatten)]
    pub cgroup: CgroupOptions,
    #[command(flatten)]
    pub series: RewriteOptions,
    #[command(flatten)]
    pub identity: IdentityOptions,
    /// Address to serve the agent's own metrics, /healthz and /readyz on.
    #[arg(
        id = "telemetry.listen-address",
        long = "telemetry.listen-address",
        value_name = "ADDRESS",
        default_value_t = format!(":{OWN_PORT}"),
        help_heading = "Web"
    )]
    pub telemetry_address: String,
    #[command(flatten)]
    pub web: WebOptions,
    #[command(flatten)]
    pub log: LogOptions,
    /// Check the command line, the environment and every file that they name, and start nothing.
    #[arg(long = "check-config", help_heading = "Configuration")]
    pub check_config: bool,
}

/// What is asked for metrics, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Source")]
#[expect(clippy::doc_markdown, reason = "--help shows it as it stands")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct TargetOptions {
    /// What is asked for metrics.
    #[arg(long, value_enum, value_name = "KIND", default_value = "kubelet")]
    pub source: SourceKind,
    /// Add to what a kubelet or a cAdvisor says what it lacks: families and cgroups, read from the kernel by ourselves.
    #[arg(id = "fill-from", long = "fill-from", value_enum, value_name = "KIND")]
    pub fill_from: Option<FillKind>,
    /// Its address: http://host:port/path, https://host:port/path, unix:/run/app.sock:/path. A kubelet is
    /// https://127.0.0.1:10250 by default, http://NODE:10255 its read-only port, and through the API server it is
    /// https://API/api/v1/nodes/NODE/proxy. A cAdvisor is http://127.0.0.1:8080. Several exporters, or one with a name,
    /// are merged: each sample gets the label exporter with the name, host:port where none is given. All flags of the
    /// target hold for each of them.
    #[arg(id = "target", long = "target", value_name = "[NAME=]URL")]
    pub targets: Vec<String>,
    /// File with a bearer token, read again when it changes. For a kubelet that of the pod's account by default.
    #[arg(id = "target.token-file", long = "target.token-file", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the authorities that sign the server's certificate; the system's by default.
    #[arg(id = "target.ca-file", long = "target.ca-file", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// File with a client certificate.
    #[arg(id = "target.cert-file", long = "target.cert-file", value_name = "FILE")]
    pub cert_file: Option<PathBuf>,
    /// File with the client certificate's key.
    #[arg(id = "target.key-file", long = "target.key-file", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must carry, where it is not the address'.
    #[arg(id = "target.server-name", long = "target.server-name", value_name = "NAME")]
    pub server_name: Option<String>,
    /// File with the server's own certificate, which alone is believed then, such as /var/lib/kubelet/pki/kubelet.crt:
    /// kubelets sign theirs themselves by default.
    #[arg(id = "target.pin-file", long = "target.pin-file", value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// Believe whoever answers. A token that is sent may then reach anybody.
    #[arg(id = "target.insecure-skip-verify", long = "target.insecure-skip-verify")]
    pub insecure: bool,
    /// Bytes of one body at most, unpacked; a longer one is broken off.
    #[arg(id = "target.body-limit", long = "target.body-limit", value_name = "SIZE", default_value = "1GiB", value_parser = exporter_toolkit::options::size)]
    pub body_limit: u64,
    /// Bytes of the body of one merged exporter at most, unpacked; a longer one is down. All bodies of a merge are held,
    /// and 4 merges are done at the same time at most.
    #[arg(id = "merge.body-limit", long = "merge.body-limit", value_name = "SIZE", default_value = "16MiB", value_parser = exporter_toolkit::options::size)]
    pub merge_limit: u64,
    /// Send the query that a client sends on to a cAdvisor or an exporter.
    #[arg(id = "pass-query", long = "pass-query", default_value = "true", action = clap::ArgAction::Set)]
    pub pass_query: bool,
    /// Send the Authorization header that a client sends on to all targets, in place of a token of our own. Not where
    /// --web.config.file names users: it is meant for us then.
    #[arg(id = "pass-authorization", long = "pass-authorization")]
    pub pass_authorization: bool,
    /// Compress answers to clients that take gzip. It costs many times what all else does.
    #[arg(id = "web.gzip", long = "web.gzip")]
    pub gzip: bool,
}

/// What the command line may begin with.
pub const WORDS: &[Word] = &[
    Word::new(
        "rewrite",
        "Does with a file what it does with answers: from standard input to standard output, asking nobody",
        prepared::<OfflineOptions>,
    ),
    health::WORD,
    Word::alone("version", "Prints the version"),
];

const EXAMPLES: &str = "\
Examples:
  On a node:      cadvisor-proxy-rs --target.pin-file=/var/lib/kubelet/pki/kubelet.crt --profile=kube-prometheus-stack
  No cAdvisor:    cadvisor-proxy-rs --source=cgroup
  Bare docker:    cadvisor-proxy-rs --source=cadvisor --target=http://127.0.0.1:8080
  Beside an app:  cadvisor-proxy-rs --source=exporter --target=http://127.0.0.1:9090/metrics
                  with POD_NAME, POD_IP and POD_NAMESPACE in its environment
  A saved answer: cadvisor-proxy-rs rewrite --profile=kube-prometheus-stack < body > out";

/// The command without the options that [`Options`] declares.
pub fn command() -> Command {
    let command = Command::new("cadvisor-proxy-rs").version(BUILD.to_string()).about(
        "Container metrics for Prometheus, filtered, repaired and labelled with pod_ip and pod_name as they stream by.",
    );
    with_words(command, WORDS).after_help(EXAMPLES)
}

/// Reads the command line and the environment.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, clap::Error> {
    exporter_toolkit::options::parse(command(), PREFIX, args).map(|(options, _)| options)
}

/// Reads the flags of `rewrite`.
pub fn parse_offline(
    args: impl IntoIterator<Item = OsString>,
) -> Result<OfflineOptions, clap::Error> {
    let command = Command::new("cadvisor-proxy-rs rewrite").about(
        "Rewrites metrics from standard input to standard output, as the proxy would, without asking anybody.",
    );
    exporter_toolkit::options::parse(command, PREFIX, args).map(|(options, _)| options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_flags_go_together() {
        let given = parse(["cadvisor-proxy-rs".into(), "--target.token-file=/t".into()]).unwrap();
        assert_eq!(given.target.token_file, Some(PathBuf::from("/t")));
        assert!(parse_offline(["cadvisor-proxy-rs".into()]).is_ok());
    }

    #[tokio::test]
    async fn a_check_reads_every_file_that_the_start_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let check = |flags: &[String]| {
            let fixed = ["cadvisor-proxy-rs", "--identity=none"].map(OsString::from);
            let given = parse(fixed.into_iter().chain(flags.iter().map(OsString::from))).unwrap();
            crate::serve::check(&given).map_err(|error| format!("{error:#}"))
        };
        let rules = file("rules.yaml", "- {action: labeldrop, regex: x}\n");
        let good = [
            format!("--relabel-file={rules}"),
            format!("--target.token-file={}", file("t", "abc")),
        ];
        assert_eq!(check(&good), Ok(()));
        for (flag, named) in [
            ("--relabel-file=/nonexistent/rules.yaml".to_owned(), "/nonexistent/rules.yaml"),
            (format!("--relabel-file={}", file("wrong.yaml", "- {action: jump}\n")), "wrong.yaml"),
            ("--target.token-file=/nonexistent/token".to_owned(), "/nonexistent/token"),
            ("--target.pin-file=/nonexistent/kubelet.crt".to_owned(), "/nonexistent/kubelet.crt"),
            ("--web.config.file=/nonexistent/web.yml".to_owned(), "/nonexistent/web.yml"),
        ] {
            let error = check(&[flag]).unwrap_err();
            assert!(error.contains(named), "{named}: {error}");
        }
    }
}
