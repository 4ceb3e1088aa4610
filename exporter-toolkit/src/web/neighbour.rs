//! Who serves on our address already, where addresses are shared (`--web.reuse-port`): another process of this agent, or a
//! mistake. The kernel shares an address among all processes of a user that ask for it, whatever they are.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::ServeError;
use super::landing::Landing;
use super::listen::Listener;
use super::source::Source;
use crate::client::{Client, ClientError, ClientSettings, Target, TlsSettings};

/// For somebody who is as quick as we are.
const PATIENCE: Duration = Duration::from_secs(2);
/// The title of a page is in its first bytes.
const PAGE_BYTES: usize = 16 * 1024;

/// Asks those who were there before us for their page. That another agent is there is an error; that nobody says who is
/// there, is not: with passwords or client certificates it does not tell.
pub(crate) async fn check<S: Source>(
    listeners: &[Listener],
    source: &S,
    tls: bool,
) -> Result<(), ServeError> {
    let own = || {
        let mut page = Landing::default();
        source.landing(&mut page);
        page.title()
    };
    for address in listeners.iter().filter_map(Listener::taken) {
        match title(address, tls).await {
            Ok(Some(title)) if title == own() => {
                tracing::info!(%address, "Another process of this agent serves there until it ends");
            }
            Ok(Some(agent)) => {
                return Err(ServeError::Another { address: address.to_string(), agent });
            }
            Ok(None) => tracing::warn!(%address, "somebody serves there and does not say who"),
            Err(error) => tracing::warn!(%address, %error, "who serves there is not known"),
        }
    }
    Ok(())
}

async fn title(address: SocketAddr, tls: bool) -> Result<Option<String>, ClientError> {
    let scheme = if tls { "https" } else { "http" };
    let target: Target = format!("{scheme}://{address}/").parse()?;
    // It is this host, and it is told nothing.
    let tls = TlsSettings { insecure: true, ..TlsSettings::default() };
    let settings = ClientSettings { tls, connections: 1, ..ClientSettings::default() };
    let client = Client::new(target, settings)?;
    let response = client.get("/", HeaderMap::new(), Instant::now() + PATIENCE).await?;
    let (mut body, mut page) = (response.into_body(), Vec::new());
    while let Some(chunk) = body.chunk().await {
        page.extend_from_slice(&chunk?);
        let found = title_of(&String::from_utf8_lossy(&page));
        if found.is_some() || page.len() > PAGE_BYTES {
            return Ok(found);
        }
    }
    Ok(None)
}

fn title_of(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("<title>")?;
    let (title, _) = rest.split_once("</title>")?;
    Some(title.chars().take(100).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_ours_has_the_title_that_is_looked_for() {
        let mut page = Landing::default();
        page.name("demo <agent>");
        assert_eq!(title_of(&page.render()), Some(page.title()));
        assert_eq!(title_of("<title>half"), None);
        assert_eq!(title_of("ok\n"), None);
    }
}
