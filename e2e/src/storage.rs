//! Prometheus and VictoriaMetrics: started with a scrape configuration, asked for what they stored.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::Request;
use crate::{Server, agent, free_port, wait_until};

/// How long a scraper may take from its start to the first stored samples.
const PATIENCE: Duration = Duration::from_mins(3);

/// A time series database that scrapes.
#[derive(Debug)]
pub struct Storage {
    database: Database,
    folder: TempDir,
    server: Server,
}

/// One that runs anywhere, to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Database(pub SocketAddr);

/// How the two are told the same.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Prometheus,
    VictoriaMetrics,
}

impl Storage {
    /// `config` is Prometheus' own format, which VictoriaMetrics reads too.
    pub fn start(kind: Kind, program: &Path, config: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("scrape.yml");
        std::fs::write(&file, config)?;
        let (data, port) = (folder.path().join("data"), free_port()?);
        let mut command = Command::new(program);
        let (file, data) = (file.display(), data.display());
        match kind {
            Kind::Prometheus => command
                .arg(format!("--config.file={file}"))
                .arg(format!("--storage.tsdb.path={data}"))
                .arg(format!("--web.listen-address=127.0.0.1:{port}")),
            Kind::VictoriaMetrics => command
                .arg(format!("-promscrape.config={file}"))
                .arg(format!("-storageDataPath={data}"))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                // Samples are to be seen at once.
                .args([
                    "-search.latencyOffset=0s",
                    "-search.disableCache",
                    "-memory.allowedBytes=64MiB",
                ]),
        };
        let server = Server::start(&program.display().to_string(), &mut command)?;
        Ok(Self { database: Database(agent::local(port)), folder, server })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has said since its start.
    pub fn log(&self) -> String {
        self.server.log()
    }
}

impl Deref for Storage {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl Database {
    pub fn url(&self) -> String {
        format!("http://{}", self.0)
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        let response = Request::new(self.0, path).send()?;
        let text = response.text()?;
        ensure!(response.status == 200, "{path}: {} {text}", response.status);
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }

    /// What it answers to a query.
    pub fn query(&self, query: &str) -> Result<Value> {
        self.get(&format!("/api/v1/query?query={}", escaped(query)))
    }

    /// The values that a label has in these series.
    pub fn label_values(&self, series: &str, label: &str) -> Result<Vec<String>> {
        let answer =
            self.get(&format!("/api/v1/label/{label}/values?match[]={}", escaped(series)))?;
        let values = answer["data"].as_array().with_context(|| format!("{series}: {answer}"))?;
        Ok(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The value of a query whose answer is one number.
    pub fn number(&self, query: &str) -> Result<f64> {
        let answer = self.query(query)?;
        match answer["data"]["result"].as_array().map(Vec::as_slice) {
            Some([one]) => {
                let value = one["value"][1].as_str().context("no value")?;
                value.parse().with_context(|| format!("{query}: {value:?}"))
            }
            _ => bail!("{query}: {answer}"),
        }
    }

    /// Waits until a query's only number is right.
    pub fn expect(&self, query: &str, right: impl Fn(f64) -> bool) -> Result<f64> {
        wait_until(query, PATIENCE, || {
            let value = self.number(query)?;
            ensure!(right(value), "{query} is {value}");
            Ok::<_, anyhow::Error>(value)
        })
    }
}

/// A query as part of a URL.
fn escaped(query: &str) -> String {
    let mut out = String::new();
    for byte in query.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => out.push(char::from(byte)),
            _ => {
                // Writing to a String cannot fail.
                _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
