//! `AGENT healthcheck`: asks the agent that runs beside it, for images that hold nothing but the agent.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Command};
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use crate::client::{Client, ClientError, ClientSettings, Target, TlsSettings};
use crate::options::{self, Word};

/// The word that an agent's command line begins with.
pub const COMMAND: &str = "healthcheck";

/// How agents tell of it.
pub const WORD: Word = Word::new(
    COMMAND,
    "Asks the agent that runs on this machine whether it is healthy: for images without a shell",
    options::prepared::<HealthOptions>,
);

/// So much of what an agent says about its health is shown.
const ANSWER_BYTES: usize = 4096;

/// Where the agent is asked.
#[derive(Args, Clone, Debug)]
struct HealthOptions {
    /// Address to ask, where the agent does not serve on its own port of this machine or speaks TLS.
    #[arg(long = "healthcheck.url", value_name = "URL")]
    url: Option<String>,
    /// How long the answer may take.
    #[arg(long = "healthcheck.timeout", value_name = "DURATION", default_value = "3s", value_parser = options::duration)]
    timeout: Duration,
    /// Authorities that may have signed the agent's certificate, instead of the system's (PEM).
    #[arg(long = "healthcheck.ca-file", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Believe whatever certificate the agent shows: it is this very machine's.
    #[arg(long = "healthcheck.insecure-skip-verify")]
    insecure: bool,
}

/// Why an agent is not healthy.
#[derive(Debug, thiserror::Error)]
enum HealthError {
    #[error("{0}")]
    Client(#[from] ClientError),
    #[error("{url} answers {status}: {text}")]
    Status { url: String, status: StatusCode, text: String },
    #[error("the runtime does not start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Asks `/healthz` of the agent on `port` of this machine, or what the flags name; success is status 200 in time.
///
/// `args` are those of the process, the first of which is the program's name and the second [`COMMAND`].
pub fn check(agent: &'static str, prefix: &str, port: u16, mut args: Vec<OsString>) -> ExitCode {
    args.remove(1);
    let command = Command::new(agent)
        .about("Asks the agent that runs beside this command whether it is healthy.");
    let (given, _) =
        options::parse::<HealthOptions>(command, prefix, args).unwrap_or_else(|error| error.exit());
    match ask(&given, port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{agent}: not healthy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ask(given: &HealthOptions, port: u16) -> Result<(), HealthError> {
    let url = given.url.clone().unwrap_or_else(|| format!("http://127.0.0.1:{port}/healthz"));
    let target: Target = url.parse()?;
    let tls = TlsSettings {
        ca_file: given.ca_file.clone(),
        insecure: given.insecure,
        ..TlsSettings::default()
    };
    let settings = ClientSettings { tls, connections: 1, ..ClientSettings::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let path = target.path().to_owned();
        let client = Client::new(target, settings)?;
        let response = client.get(&path, HeaderMap::new(), Instant::now() + given.timeout).await?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(());
        }
        let text = response.into_body().collect(ANSWER_BYTES).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        Err(HealthError::Status { url, status, text })
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn options(url: Option<String>) -> HealthOptions {
        HealthOptions { url, timeout: Duration::from_secs(20), ca_file: None, insecure: false }
    }

    /// A server that answers one request, and its port.
    fn server(answer: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).unwrap();
            assert!(asked[..length].starts_with(b"GET /healthz "));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        port
    }

    #[test]
    fn an_agent_that_answers_is_healthy() {
        let port = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        ask(&options(None), port).unwrap();
    }

    #[test]
    fn an_agent_that_complains_is_quoted() {
        let port = server("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\nstalled\n");
        let error = ask(&options(None), port).unwrap_err().to_string();
        assert!(error.ends_with("/healthz answers 503 Service Unavailable: stalled"), "{error}");
    }

    #[test]
    fn nobody_is_not_healthy() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let url = format!("http://127.0.0.1:{port}/healthz");
        let error = ask(&options(Some(url)), 1).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
    }
}
