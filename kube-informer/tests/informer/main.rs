//! Informers against a scripted API server: everything that a real one does on some day.
#![expect(clippy::unwrap_used, reason = "support of tests: what fails is to be seen")]

mod credentials;
mod discovering;
mod failing;
mod listing;
mod recorder;
mod server;
mod views;
mod watching;

use std::time::Duration;

use kube_informer::{Access, Client, Cluster, Gvr, Informer, Patience, Selection};
use recorder::{Log, Recorder};
use server::Api;

/// So short that a test that has to wait takes little time, and so long that a busy machine keeps up.
const PATIENCE: Patience = Patience {
    gather: Duration::from_millis(20),
    answer: Duration::from_secs(10),
    streaming: Duration::from_millis(300),
    silence: Duration::from_millis(300),
    watch: Duration::from_mins(5),
    absent: Duration::from_millis(20),
    first_retry: Duration::from_millis(10),
    last_retry: Duration::from_millis(50),
};

/// A watch that says nothing is left alone.
const CALM: Patience = Patience { silence: Duration::from_mins(1), ..PATIENCE };

fn pods() -> Selection {
    Selection::of([Gvr::new("", "v1", "pods")])
}

async fn connect(api: &Api) -> Client {
    let access =
        Access { apiserver: Some(api.url()), user_agent: "test/1".to_owned(), ..Access::default() };
    access.connect().await.unwrap()
}

/// Runs an informer until `enough` is true of what it told.
async fn follow(api: &Api, selection: Selection, enough: impl Fn(&[String]) -> bool) -> Log {
    let cluster = Cluster::new(connect(api).await);
    follow_on(&cluster, selection, CALM, enough).await
}

async fn follow_on(
    cluster: &Cluster,
    selection: Selection,
    patience: Patience,
    enough: impl Fn(&[String]) -> bool,
) -> Log {
    let informer = Informer::new(cluster, selection).with_patience(patience);
    run(&informer, enough).await
}

async fn run(informer: &Informer, enough: impl Fn(&[String]) -> bool) -> Log {
    let log = Log::default();
    let mut recorder = Recorder::new(&log);
    tokio::select! {
        never = informer.run(&mut recorder) => match never {},
        () = log.until(enough) => {}
    }
    log
}

/// True where all of `wanted` were told, in any order.
fn told<const N: usize>(wanted: [&'static str; N]) -> impl Fn(&[String]) -> bool {
    move |log| wanted.iter().all(|wanted| log.iter().any(|line| line == wanted))
}
