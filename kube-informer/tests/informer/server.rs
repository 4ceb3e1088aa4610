//! An API server that does what a test tells it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A request as the script sees it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) accept: String,
    pub(crate) token: String,
    /// How many requests for this path came before.
    pub(crate) before: usize,
}

impl Asked {
    pub(crate) fn has(&self, part: &str) -> bool {
        self.query.split('&').any(|found| found == part)
    }

    pub(crate) fn is_streaming_list(&self) -> bool {
        self.has("sendInitialEvents=true")
    }

    pub(crate) fn is_watch(&self) -> bool {
        self.has("watch=true") && !self.is_streaming_list()
    }

    pub(crate) fn is_list(&self) -> bool {
        !self.has("watch=true")
    }
}

/// What it answers: a status, a `Retry-After`, and a body in steps.
pub(crate) struct Answer {
    status: u16,
    retry_after: Option<u64>,
    steps: Vec<Step>,
    end: Option<mpsc::Sender<()>>,
}

pub(crate) enum Step {
    Send(Bytes),
    /// The connection stays open and nothing comes.
    Hang,
    /// The connection is closed in the middle.
    Cut,
}

impl Answer {
    pub(crate) fn of(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, retry_after: None, steps: vec![Step::Send(body.into())], end: None }
    }

    pub(crate) fn ok(body: impl Into<Bytes>) -> Self {
        Self::of(200, body)
    }

    pub(crate) fn refused(status: u16, reason: &str) -> Self {
        Self::of(status, status_object(status, reason))
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The lines of a watch that stays open after them.
    pub(crate) fn watch(lines: &[String]) -> Self {
        Self::ok(lines.concat()).then(Step::Hang)
    }

    /// Says when the client closes a connection that hangs.
    pub(crate) fn tells_its_end(mut self, end: mpsc::Sender<()>) -> Self {
        self.end = Some(end);
        self
    }

    pub(crate) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

pub(crate) fn status_object(code: u16, reason: &str) -> String {
    format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"told {reason}","reason":"{reason}","code":{code}}}"#
    )
}

pub(crate) fn object(name: &str, version: u64) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"shop","uid":"u-{name}","resourceVersion":"{version}"}}}}"#
    )
}

pub(crate) fn list(version: u64, next: &str, items: &[String]) -> String {
    let items = items.join(",");
    format!(
        r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[{items}]}}"#
    )
}

pub(crate) fn event(kind: &str, object: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

pub(crate) fn bookmark(version: u64) -> String {
    event("BOOKMARK", &format!(r#"{{"metadata":{{"resourceVersion":"{version}"}}}}"#))
}

pub(crate) fn end_of_list(version: u64) -> String {
    let annotations = r#"{"k8s.io/initial-events-end":"true"}"#;
    let metadata = format!(r#"{{"resourceVersion":"{version}","annotations":{annotations}}}"#);
    event("BOOKMARK", &format!(r#"{{"metadata":{metadata}}}"#))
}

/// What a server of Kubernetes 1.`minor` says of itself where the script has no answer: pods, and cronjobs in both
/// versions that there were.
pub(crate) fn about_itself(minor: u32, asked: &Asked) -> Answer {
    let resources = |name: &str, kind: &str| {
        Answer::ok(format!(
            r#"{{"kind":"APIResourceList","resources":[{{"name":"{name}","namespaced":true,"kind":"{kind}","verbs":["list","watch"]}}]}}"#
        ))
    };
    match asked.path.as_str() {
        "/version" => Answer::ok(format!(r#"{{"major":"1","minor":"{minor}+"}}"#)),
        "/api" => Answer::ok(r#"{"kind":"APIVersions","versions":["v1"]}"#),
        "/apis" => Answer::ok(
            r#"{"groups":[{"name":"batch","versions":[{"version":"v1"},{"version":"v1beta1"}]}]}"#,
        ),
        "/api/v1" => resources("pods", "Pod"),
        "/apis/batch/v1" | "/apis/batch/v1beta1" => resources("cronjobs", "CronJob"),
        _ => Answer::refused(404, "NotFound"),
    }
}

type Script = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// Listens on 127.0.0.1 until it is dropped.
pub(crate) struct Api {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _server: JoinSet<()>,
}

impl Api {
    /// Answers each request by `script`; where that is `None`, as Kubernetes 1.36 does of itself.
    pub(crate) async fn new(
        script: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self::of_version(36, script).await
    }

    pub(crate) async fn of_version(
        minor: u32,
        script: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let script: Script =
            Arc::new(move |asked| script(asked).unwrap_or_else(|| about_itself(minor, asked)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, script, Arc::clone(&asked)));
        Self { address, asked, _server: server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests up to now that were not about the server itself.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let all = self.asked.lock().unwrap();
        let about = |path: &str| {
            ["/version", "/api", "/apis"].contains(&path)
                || path.rsplit('/').next().is_some_and(|last| last.starts_with("v1"))
        };
        all.iter().filter(|asked| !about(&asked.path)).cloned().collect()
    }

    /// How often a path was asked for.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.path == path).count()
    }
}

async fn serve(listener: TcpListener, script: Script, asked: Arc<Mutex<Vec<Asked>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = script(&note(&asked, &request));
                async move { Ok::<_, Infallible>(respond(answer)) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // A client that goes away is no error here.
            connection.serve_connection(TokioIo::new(stream), service).await.unwrap_or_default();
        });
    }
}

fn note(all: &Mutex<Vec<Asked>>, request: &Request<Incoming>) -> Asked {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let path = request.uri().path().to_owned();
    let mut all = all.lock().unwrap();
    let before = all.iter().filter(|asked| asked.path == path).count();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let asked =
        Asked { path, query, accept: header("accept"), token: header("authorization"), before };
    all.push(asked.clone());
    asked
}

fn respond(answer: Answer) -> Response<Channel> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for step in answer.steps {
            let sent = match step {
                Step::Send(bytes) => sender.send(Ok(bytes)).await,
                Step::Cut => {
                    // What was sent before must be on its way.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    sender.send(Err(io::ErrorKind::ConnectionReset.into())).await
                }
                Step::Hang => {
                    sender.closed().await;
                    break;
                }
            };
            if sent.is_err() {
                break;
            }
        }
        if let Some(end) = answer.end {
            end.send(()).await.unwrap_or_default();
        }
    });
    let mut response = Response::builder().status(answer.status);
    if let Some(seconds) = answer.retry_after {
        response = response.header("retry-after", seconds);
    }
    response.body(Channel(receiver)).unwrap()
}

struct Channel(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Channel {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|next| next.map(|next| next.map(Frame::data)))
    }
}
