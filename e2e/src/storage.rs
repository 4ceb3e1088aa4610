//! Prometheus and VictoriaMetrics: started with a scrape configuration, asked for what they stored.

use std::fmt::Write as _;
use std::net::SocketAddr;
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
    port: u16,
    folder: TempDir,
    server: Server,
}

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
        Ok(Self { port, folder, server })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.asked().0)
    }

    /// What it has said since its start.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// Where it is asked.
    pub fn asked(&self) -> Asked {
        Asked(agent::local(self.port))
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        self.asked().get(path).with_context(|| format!("log:\n{}", self.server.log()))
    }

    /// The value of a query whose answer is one number.
    pub fn number(&self, query: &str) -> Result<f64> {
        self.asked().number(query)
    }

    /// Waits until a query's only number is right.
    pub fn expect(&self, query: &str, right: impl Fn(f64) -> bool) -> Result<f64> {
        self.asked().expect(query, right)
    }
}

/// The API of a storage, wherever it runs.
#[derive(Clone, Copy, Debug)]
pub struct Asked(pub SocketAddr);

impl Asked {
    pub fn get(&self, path: &str) -> Result<Value> {
        let response = Request::new(self.0, path).send()?;
        let text = response.text()?;
        ensure!(response.status == 200, "{path}: {} {text}", response.status);
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }

    /// What a query gives now: objects with `metric` and `value`, or `values` of a range.
    pub fn series(&self, query: &str) -> Result<Vec<Value>> {
        self.answer(&format!("/api/v1/query?query={}", escaped(query)))
    }

    /// As [`Self::series`], at a time in seconds since 1970.
    pub fn series_at(&self, query: &str, time: f64) -> Result<Vec<Value>> {
        self.answer(&format!("/api/v1/query?query={}&time={time}", escaped(query)))
    }

    /// The values that a label has in these series.
    pub fn label_values(&self, series: &str, label: &str) -> Result<Vec<String>> {
        let path = format!("/api/v1/label/{label}/values?match[]={}", escaped(series));
        let answer = self.get(&path)?;
        let values = answer["data"].as_array().with_context(|| format!("{series}: {answer}"))?;
        Ok(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    fn answer(&self, path: &str) -> Result<Vec<Value>> {
        let mut answer = self.get(path)?;
        match answer["data"]["result"].take() {
            Value::Array(series) => Ok(series),
            other => bail!("{path}: {other}"),
        }
    }

    /// The value of a query whose answer is one number.
    pub fn number(&self, query: &str) -> Result<f64> {
        match self.series(query)?.as_slice() {
            [one] => value(one).with_context(|| query.to_owned()),
            other => bail!("{query}: {other:?}"),
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

/// The value of one of [`Asked::series`].
pub fn value(series: &Value) -> Result<f64> {
    let text = series["value"][1].as_str().context("no value")?;
    text.parse().with_context(|| text.to_owned())
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
