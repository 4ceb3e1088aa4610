//! A small agent and its server on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use http::{Response, StatusCode};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::web::{
    Answer, Body, Cell, Landing, Refusal, Reload, Scrape, ServeError, Server, Source, Stats, Visit,
    WebOptions,
};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    web: WebOptions,
}

/// Options as from these flags, on a free port, looking at files on every connection.
pub(super) fn options(flags: &[&str]) -> WebOptions {
    let args =
        ["agent", "--web.listen-address=127.0.0.1:0"].into_iter().chain(flags.iter().copied());
    let mut web = Command::try_parse_from(args).unwrap().web;
    web.limits.recheck = Duration::ZERO;
    web
}

/// What the agent answers depends on the query.
#[derive(Default)]
pub(super) struct Agent {
    pub(super) released: Notify,
    pub(super) reloaded: Notify,
}

/// More than the socket buffers of both sides hold.
const HUGE_BYTES: usize = 32 * 1024 * 1024;

/// A text of about `lines` times 20 bytes.
pub(super) fn exposition(lines: usize) -> String {
    (0..lines).fold(String::new(), |text, n| text + &format!("demo_total{{n=\"{n}\"}} {n}\n"))
}

impl Source for Agent {
    async fn scrape(&self, request: Scrape) -> Result<Answer, Refusal> {
        let value = |name: &str| {
            let mut pairs = request.query.iter();
            pairs.find(|(n, _)| n == name).map(|(_, value)| value.clone())
        };
        match value("do").as_deref() {
            Some("panic") => panic!("as the test asked"),
            Some("wait") => self.released.notified().await,
            Some("never") => std::future::pending().await,
            Some("refuse") => return Err(Refusal::bad_request("unknown collector")),
            Some("huge") => {
                return Ok(Answer::whole(request.format, vec![b'#'; HUGE_BYTES]));
            }
            Some("deadline") => {
                let left = request.deadline.saturating_duration_since(Instant::now());
                return Ok(Answer::whole(request.format, format!("left {}\n", left.as_millis())));
            }
            Some("stream") => {
                return Ok(Answer::stream(request.format, Body::stream(Broken(3)), false));
            }
            _ => {}
        }
        let lines = value("lines").map_or(1, |lines| lines.parse().unwrap());
        Ok(Answer::whole(request.format, exposition(lines)))
    }

    fn ready(&self) -> Result<(), String> {
        Err("the first list is not complete".to_owned())
    }

    fn landing(&self, page: &mut Landing) {
        page.name("demo").table("Collectors", &["name"]).row([Cell::good("<cpu>")]);
    }

    fn reload(&self) {
        self.reloaded.notify_one();
    }

    fn scrapes(&self, path: &str) -> bool {
        path == "/metrics/cadvisor"
    }

    async fn route(&self, visit: Visit<'_>) -> Option<Response<Body>> {
        assert!(!visit.headers.contains_key("authorization"));
        let mut response = Response::new(Body::full("targets"));
        *response.status_mut() = StatusCode::ACCEPTED;
        (visit.path == "/targets").then_some(response)
    }
}

/// A stream that breaks off after some frames.
pub(super) struct Broken(pub(super) u8);

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = crate::web::StreamError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.0 = self.0.saturating_sub(1);
        std::task::Poll::Ready(Some(match self.0 {
            0 => Err("upstream is gone".into()),
            _ => Ok(http_body::Frame::data(Bytes::from("part\n"))),
        }))
    }
}

/// A server that runs until it is stopped or dropped.
pub(super) struct Running {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) agent: Arc<Agent>,
    pub(super) stats: Arc<Stats>,
    pub(super) reload: Reload,
    stop: Option<oneshot::Sender<()>>,
    done: JoinHandle<Result<(), ServeError>>,
}

pub(super) fn start(options: WebOptions) -> Result<Running, ServeError> {
    let agent = Arc::new(Agent::default());
    let server = Server::bind(options, ":0")?;
    let (addresses, stats, reload) = (server.addresses(), server.stats(), server.reload());
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _stopped = stopped.await;
    };
    let done = tokio::spawn(server.serve(Arc::clone(&agent), shutdown));
    Ok(Running { addresses, agent, stats, reload, stop: Some(stop), done })
}

pub(super) fn started(flags: &[&str]) -> Running {
    start(options(flags)).unwrap()
}

impl Running {
    pub(super) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Begins the drain.
    pub(super) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(super) async fn ended(self) {
        self.done.await.unwrap().unwrap();
    }
}
