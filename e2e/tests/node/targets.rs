//! node-exporter-rs as the scrapers meet it: plain, and with TLS and basic auth.

use std::path::PathBuf;
use std::time::Duration;

use e2e::{Agent, Server, agent, free_port, wait_until};
use tempfile::TempDir;

pub(crate) const USER: &str = "prometheus";
pub(crate) const PASSWORD: &str = "let-me-scrape";
/// bcrypt of [`PASSWORD`] at the lowest cost there is.
pub(crate) const HASH: &str = "$2b$04$TG3Cqvw.ZTb6r5hakx1hWunqnQP0OSG.OGXsk25GeSEjMwVg66GvO";

/// An exporter without protection.
pub(crate) fn plain() -> Agent {
    let program = agent::node_exporter_rs().unwrap();
    Agent::start(&program, &[] as &[&str]).unwrap()
}

/// An exporter behind `--web.config.file`, and the files of its certificate.
pub(crate) struct Secured {
    pub(crate) port: u16,
    folder: TempDir,
    _server: Server,
}

impl Secured {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let key = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(folder.path().join("cert.pem"), key.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.signing_key.serialize_pem()).unwrap();
        let config = folder.path().join("web.yml");
        let text = format!(
            "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  {USER}: {HASH}\n"
        );
        std::fs::write(&config, text).unwrap();
        let port = free_port().unwrap();
        let mut command = std::process::Command::new(agent::node_exporter_rs().unwrap());
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.arg(format!("--web.config.file={}", config.display()));
        let server = Server::start("node-exporter-rs with TLS", &mut command).unwrap();
        wait_until("TLS port", Duration::from_mins(3), || {
            std::net::TcpStream::connect(("127.0.0.1", port))
        })
        .unwrap();
        Self { port, folder, _server: server }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}
