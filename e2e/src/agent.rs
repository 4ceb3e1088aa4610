//! An exporter under test, on its own port of 127.0.0.1.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::http::{Request, get};
use crate::{Scrape, Server, free_port, wait_until};

/// How long a start may take, on a machine that compiles something else at the same time.
pub const START: Duration = Duration::from_mins(3);

/// A running exporter. Dropping it ends it.
#[derive(Debug)]
pub struct Agent {
    pub server: Server,
    pub address: SocketAddr,
}

/// The `node-exporter-rs` to be tested: `$NODE_EXPORTER_RS`, else the one built into the same target folder.
pub fn node_exporter_rs() -> Result<PathBuf> {
    built("node-exporter-rs")
}

/// The `kube-state-rs` to be tested: `$KUBE_STATE_RS`, else the one built into the same target folder.
pub fn kube_state_rs() -> Result<PathBuf> {
    built("kube-state-rs")
}

/// The `cadvisor-proxy-rs` to be tested: `$CADVISOR_PROXY_RS`, else the one built into the same target folder.
pub fn cadvisor_proxy_rs() -> Result<PathBuf> {
    built("cadvisor-proxy-rs")
}

/// The example of cadvisor-proxy-rs that prints what its sources of identity know: `$IDENTITY_EXAMPLE`, else the one
/// built into the same target folder.
pub fn identity_example() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("IDENTITY_EXAMPLE") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("where is this program?")?;
    let folders = own.ancestors().take(4).map(|folder| folder.join("examples/identity"));
    folders.into_iter().find(|path| path.is_file()).context(
        "the example is not built: run `cargo build -p cadvisor-proxy-rs --example identity`",
    )
}

/// The `consul-registrar` to be tested: `$CONSUL_REGISTRAR`, else the one built into the same target folder.
pub fn consul_registrar() -> Result<PathBuf> {
    built("consul-registrar")
}

fn built(name: &str) -> Result<PathBuf> {
    let variable = name.to_uppercase().replace('-', "_");
    if let Some(path) = std::env::var_os(&variable) {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("where is this program?")?;
    own.ancestors()
        .take(4)
        .filter(|folder| folder.is_dir())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            anyhow!("{name} is not built: run `cargo build -p {name}`, or set {variable}")
        })
}

/// `127.0.0.1:port`.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl Agent {
    /// Starts a program with `--web.listen-address` on a free port and waits until it is ready.
    pub fn start<S: AsRef<OsStr>>(program: &Path, flags: &[S]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(flags);
        Self::start_at(local(free_port()?), command)
    }

    /// Adds the address to a command that is an exporter or ends in one, starts it and waits until it is ready.
    pub fn start_at(address: SocketAddr, mut command: Command) -> Result<Self> {
        command.arg(format!("--web.listen-address={address}"));
        let mut agent = Self::spawn(address, &mut command)?;
        // The inner error ends the wait: what has ended does not become ready.
        wait_until("exporter's start", START, || match agent.server.ended() {
            Ok(None) => agent.ready().map(Ok),
            Ok(Some(status)) => Ok(Err(anyhow!("it ended with {status}:\n{}", agent.server.log()))),
            Err(error) => Ok(Err(error)),
        })??;
        Ok(agent)
    }

    /// Starts a command that will listen on this address, without a wait.
    pub fn spawn(address: SocketAddr, command: &mut Command) -> Result<Self> {
        let program = Path::new(command.get_program());
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { server: Server::start(&name, command)?, address })
    }

    /// Ready is whatever answers and does not say 503; `node_exporter` has no `/readyz` and says 404.
    fn ready(&self) -> Result<()> {
        match get(self.address, "/readyz")?.status {
            503 => bail!("not ready yet"),
            _ => Ok(()),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self, path: &str) -> Request {
        Request::new(self.address, path)
    }

    /// The body of a plain scrape in the text format 0.0.4.
    pub fn text(&self, path: &str) -> Result<String> {
        let response = self.request(path).send()?;
        let text = response.text()?;
        if response.status != 200 {
            bail!("{}: status {}: {text}", self.url(path), response.status);
        }
        Ok(text)
    }

    /// A scrape, read.
    pub fn scrape(&self, path: &str) -> Result<Scrape> {
        Scrape::parse(&self.text(path)?).with_context(|| self.url(path))
    }
}
