//! The calls that are made, each with an end; of several addresses the next one is asked when one fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use exporter_toolkit::client::{Client, ClientError};
use http::{HeaderMap, Method, Request, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::Instant;

use super::wire::{Operation, OperationError, Outcome, Place};

/// A leaderless server answers after 7.3 s.
const CALL: Duration = Duration::from_secs(10);
/// How long a blocking query stays without news, and how much longer Consul makes it: a sixteenth.
const WAIT: Duration = Duration::from_mins(5);
const WAIT_MORE: Duration = Duration::from_secs(25);
/// 100,000 rows are 41 MB.
const MOST_BYTES: usize = 256 << 20;

/// Why Consul did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ConsulError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{address} answered {status}: {text}")]
    Status { address: String, status: StatusCode, text: String },
    #[error("{address}: the answer cannot be read: {problem}")]
    Content { address: String, problem: String },
    #[error("the token may not read node {node} or services on it: give it node and service read")]
    Blind { node: String },
    #[error(
        "node {node} is not one of ours: its meta lacks owner={owner}; choose another --consul.node"
    )]
    Foreign { node: String, owner: String },
}

impl ConsulError {
    /// Whether the token lacks a right, which no quick retry gives it.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status == StatusCode::FORBIDDEN,
            Self::Blind { .. } | Self::Foreign { .. } => true,
            _ => false,
        }
    }
}

/// How a transaction ended.
#[derive(Debug)]
pub enum Transaction {
    Done(Outcome),
    /// Nothing was done, and these operations are why.
    Refused(Vec<OperationError>),
    /// Too many operations or bytes.
    TooLarge,
}

/// A body with its index (`X-Consul-Index`).
#[derive(Debug)]
pub struct Listing {
    pub body: Bytes,
    pub index: u64,
}

/// Asks Consul.
#[derive(Debug)]
pub struct Consul {
    servers: Vec<Client>,
    /// The same servers for blocking queries, each on a connection of its own that is not kept: a query that was quietly sent
    /// again to a Consul that lost its data would wait for an index that is long in coming.
    watched: Vec<Client>,
    current: AtomicUsize,
    scope: Scope,
    pub node: String,
}

/// Parameters of the calls; empty ones are left out.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub datacenter: String,
    pub namespace: String,
    pub partition: String,
}

impl Scope {
    /// `dc=..&ns=..&partition=..`
    fn query(&self) -> String {
        let pairs =
            [("dc", &self.datacenter), ("ns", &self.namespace), ("partition", &self.partition)];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let given: Vec<String> =
            given.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        given.join("&")
    }

    /// That of a transaction, whose operations name the rest themselves.
    fn of_transaction(&self) -> Self {
        Self { datacenter: self.datacenter.clone(), ..Self::default() }
    }
}

impl Consul {
    /// There must be a server.
    pub fn new(servers: Vec<Client>, watched: Vec<Client>, scope: Scope, node: String) -> Self {
        Self { servers, watched, current: AtomicUsize::new(0), scope, node }
    }

    /// Where our rows are.
    pub fn place(&self) -> Place<'_> {
        let Scope { namespace, partition, .. } = &self.scope;
        Place { node: &self.node, namespace, partition }
    }

    /// The server that is asked now.
    pub fn address(&self) -> String {
        self.server().1.target().to_string()
    }

    fn server(&self) -> (usize, &Client) {
        let at = self.current.load(Ordering::Relaxed) % self.servers.len();
        (at, &self.servers[at])
    }

    /// The services of our node. With `after` it waits until something is newer than this index.
    pub async fn services(&self, after: Option<u64>) -> Result<Listing, ConsulError> {
        let node = escaped(&self.node);
        let (query, patience) = match after {
            None => (String::new(), CALL),
            Some(index) => {
                let wait = format!("index={index}&wait={}s&stale", WAIT.as_secs());
                (wait, WAIT + WAIT_MORE)
            }
        };
        let path = path_of(&format!("/v1/catalog/node-services/{node}"), &self.scope, &query);
        let (status, headers, body, address) =
            self.call(Method::GET, path, Bytes::new(), patience).await?;
        if status != StatusCode::OK {
            return Err(refused(address, status, &body));
        }
        let index =
            headers.get("x-consul-index").and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Listing { body, index: index.unwrap_or(0) })
    }

    /// Does all of the operations or none.
    pub async fn transact(&self, operations: &[Operation<'_>]) -> Result<Transaction, ConsulError> {
        let body = serde_json::to_vec(operations).map_err(|error| self.unreadable(&error))?;
        let path = path_of("/v1/txn", &self.scope.of_transaction(), "");
        let (status, _, body, address) = self.call(Method::PUT, path, body.into(), CALL).await?;
        match status {
            StatusCode::OK => {
                let outcome =
                    serde_json::from_slice(&body).map_err(|error| self.unreadable(&error))?;
                Ok(Transaction::Done(outcome))
            }
            StatusCode::PAYLOAD_TOO_LARGE => Ok(Transaction::TooLarge),
            StatusCode::CONFLICT => {
                let outcome: Outcome =
                    serde_json::from_slice(&body).map_err(|error| self.unreadable(&error))?;
                Ok(Transaction::Refused(outcome.errors))
            }
            _ => Err(refused(address, status, &body)),
        }
    }

    /// Deletes the node with all its services.
    pub async fn deregister_node(&self) -> Result<(), ConsulError> {
        let body = serde_json::json!({ "Node": self.node }).to_string();
        let path = path_of("/v1/catalog/deregister", &self.scope, "");
        let (status, _, body, address) = self.call(Method::PUT, path, body.into(), CALL).await?;
        if status == StatusCode::OK { Ok(()) } else { Err(refused(address, status, &body)) }
    }

    /// Any small answer that is JSON, for `check` and `purge`.
    pub async fn get(&self, path: &str) -> Result<Bytes, ConsulError> {
        let path = path_of(path, &self.scope, "");
        let (status, _, body, address) = self.call(Method::GET, path, Bytes::new(), CALL).await?;
        if status == StatusCode::OK { Ok(body) } else { Err(refused(address, status, &body)) }
    }

    async fn call(
        &self,
        method: Method,
        path: String,
        body: Bytes,
        patience: Duration,
    ) -> Result<(StatusCode, HeaderMap, Bytes, String), ConsulError> {
        let (at, mut server) = self.server();
        if patience > CALL {
            server = self.watched.get(at).unwrap_or(server);
        }
        let answered = exchange(server, method, path, body, patience).await;
        let failed = match &answered {
            Ok((status, ..)) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Err(_) => true,
        };
        if failed {
            // Only who failed first moves on: calls that run at the same time do not skip a server.
            let next = (at + 1) % self.servers.len();
            _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        answered.map(|(status, headers, body)| (status, headers, body, server.target().to_string()))
    }

    pub(super) fn unreadable(&self, error: &serde_json::Error) -> ConsulError {
        ConsulError::Content { address: self.address(), problem: error.to_string() }
    }
}

async fn exchange(
    server: &Client,
    method: Method,
    path: String,
    body: Bytes,
    patience: Duration,
) -> Result<(StatusCode, HeaderMap, Bytes), ConsulError> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(|_| ClientError::Target {
        text: path.chars().take(100).collect(),
        problem: "a path has no blanks",
    })?;
    if patience > CALL {
        request
            .headers_mut()
            .insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    let response = server.send(request, Instant::now() + patience).await?;
    let (head, body) = response.into_parts();
    Ok((head.status, head.headers, body.collect(MOST_BYTES).await?))
}

fn path_of(path: &str, scope: &Scope, query: &str) -> String {
    let scope = scope.query();
    let parts: Vec<&str> = [&*scope, query].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
}

fn refused(address: String, status: StatusCode, body: &[u8]) -> ConsulError {
    let text = String::from_utf8_lossy(body).trim().chars().take(200).collect();
    ConsulError::Status { address, status, text }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_datacenter_namespace_and_partition_where_they_are_given() {
        let scope =
            Scope { datacenter: "dc 1".into(), namespace: "team".into(), partition: "a&b".into() };
        assert_eq!(
            path_of("/v1/x", &scope, "stale"),
            "/v1/x?dc=dc%201&ns=team&partition=a%26b&stale"
        );
        assert_eq!(path_of("/v1/txn", &scope.of_transaction(), ""), "/v1/txn?dc=dc%201");
        assert_eq!(path_of("/v1/x", &Scope::default(), ""), "/v1/x");
    }
}
