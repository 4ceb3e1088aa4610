//! What upstream is asked, and what it says instead of metrics.

use exporter_toolkit::Format;
use exporter_toolkit::client::{Client, Received};
use exporter_toolkit::web::Scrape;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING};
use http::{HeaderMap, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, timeout_at};

use super::{Proxy, SourceKind};

/// What of an error's text is shown.
const REASON_BYTES: usize = 4096;

/// What of the client's request goes on to upstream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passes {
    pub query: bool,
    pub authorization: bool,
}

impl Proxy {
    /// Path and headers of the request to upstream, which is asked for this format where it is an app's exporter.
    pub(super) fn question(
        &self,
        client: &Client,
        request: &Scrape,
        format: Format,
    ) -> (String, HeaderMap) {
        let open = format == Format::OpenMetrics && self.kind == SourceKind::Exporter;
        let accept = if open {
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
        } else {
            "text/plain;version=0.0.4"
        };
        // On one machine compressing costs more than carrying.
        let local = client.target().is_local() || self.kind == SourceKind::Kubelet;
        let encoding = if local { "identity" } else { "gzip" };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        if let Some(value) = request.authorization.clone().filter(|_| self.passes.authorization) {
            headers.insert(AUTHORIZATION, value);
        }
        (self.path(client, request), headers)
    }

    fn path(&self, client: &Client, request: &Scrape) -> String {
        let base = client.target().path();
        if self.kind == SourceKind::Kubelet {
            return format!("{}{}", base.trim_end_matches('/'), request.path);
        }
        let mut path = if base == "/" { "/metrics".to_owned() } else { base.to_owned() };
        for (name, value) in request.query.iter().filter(|_| self.passes.query) {
            let part = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
            let mark = if path.contains('?') { '&' } else { '?' };
            path = format!("{path}{mark}{}={}", part(name), part(value));
        }
        path
    }
}

/// Whether a body is gzip; the error names what it is and nobody asked for.
pub(super) fn is_packed(headers: &HeaderMap) -> Result<bool, String> {
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    match encoding.map(str::trim) {
        None | Some("" | "identity") => Ok(false),
        Some("gzip" | "x-gzip") => Ok(true),
        Some(other) => {
            Err(format!("upstream sends the encoding {other:?}, which was not asked for"))
        }
    }
}

/// The beginning of an error's text, without what a terminal would act on.
pub(super) async fn said(body: Received, deadline: Instant) -> String {
    let text = timeout_at(deadline, beginning(body)).await.unwrap_or_default();
    text.trim().to_owned()
}

async fn beginning(mut body: Received) -> String {
    let mut text = Vec::new();
    while let Some(Ok(chunk)) = body.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() >= REASON_BYTES {
            text.truncate(REASON_BYTES);
            break;
        }
    }
    String::from_utf8_lossy(&text).replace(|c: char| c.is_control(), " ")
}
