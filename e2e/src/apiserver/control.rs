//! Changes and faults on demand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, Deed, present};
use super::http::Request;
use super::objects::{KINDS, POD};
use super::{Refusal, Shared};

pub(super) fn run(shared: &Arc<Shared>, request: &Request) -> Result<String, Refusal> {
    let command = request.path.trim_start_matches("/control/");
    if request.method != "POST" && command != "state" {
        return Err(Refusal::new(405, "MethodNotAllowed", "a command is a POST"));
    }
    if let Some(deed) = Deed::named(command) {
        let share = parameter(request, "share")?;
        let pods = shared.tell(|cluster| cluster.does_to_share(deed, share));
        return Ok(format!(r#"{{"pods":{pods}}}"#));
    }
    match command {
        "state" => return Ok(state(&shared.cluster())),
        "create" => {
            let count = parameter(request, "count")?;
            shared.tell(|cluster| cluster.create(count));
        }
        "churn" => churn(Arc::clone(shared), request)?,
        _ => {
            let fault = fault(command, request)?;
            shared.tell(fault);
        }
    }
    Ok("{}".to_owned())
}

type Fault = Box<dyn FnOnce(&mut Cluster)>;

fn fault(command: &str, request: &Request) -> Result<Fault, Refusal> {
    let resource = || parameter::<String>(request, "resource");
    Ok(match command {
        "compact" => Box::new(Cluster::compact),
        "cut" => Box::new(|cluster| cluster.faults.cuts += 1),
        "stall" => {
            let until = Instant::now() + Duration::from_secs(parameter(request, "seconds")?);
            Box::new(move |cluster| cluster.faults.stalled_until = Some(until))
        }
        "forbid" => {
            let resource = resource()?;
            Box::new(move |cluster| cluster.faults.forbidden.push(resource))
        }
        "allow" => {
            let resource = resource()?;
            Box::new(move |cluster| cluster.faults.forbidden.retain(|other| *other != resource))
        }
        "fail" => {
            let failing = (parameter(request, "status")?, parameter(request, "count")?);
            Box::new(move |cluster| cluster.faults.failing = failing)
        }
        _ => return Err(Refusal::not_found()),
    })
}

fn parameter<T: std::str::FromStr>(request: &Request, name: &str) -> Result<T, Refusal> {
    let missing = || Refusal::new(400, "BadRequest", format!("{name}=VALUE is needed"));
    request.number(name).ok_or_else(missing)
}

/// Changes pods one by one, evenly in time.
fn churn(shared: Arc<Shared>, request: &Request) -> Result<(), Refusal> {
    let unknown = || Refusal::new(400, "BadRequest", "what=restart, touch, replace or delete");
    let deed = Deed::named(request.parameter("what").unwrap_or("restart")).ok_or_else(unknown)?;
    let rate: f64 = parameter(request, "rate")?;
    let seconds: f64 = parameter(request, "seconds")?;
    let change = move || {
        let (start, mut done) = (Instant::now(), 0_u64);
        while (done as f64) < rate * seconds {
            let due = start + Duration::from_secs_f64(done as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            shared.tell(|cluster| cluster.does_to_any(deed, done));
            done += 1;
        }
    };
    let started = std::thread::Builder::new().name("churn".to_owned()).spawn(change);
    started.map(drop).map_err(|error| Refusal::new(500, "InternalError", error.to_string()))
}

fn state(cluster: &Cluster) -> String {
    let counts = &cluster.counts;
    let objects: Vec<String> = KINDS
        .iter()
        .enumerate()
        .map(|(kind, known)| {
            format!(r#""{}":{}"#, known.plural, present(&cluster.now(kind)).count())
        })
        .collect();
    let restarts: u64 = present(&cluster.now(POD)).map(|(_, pod)| u64::from(pod.restarts)).sum();
    format!(
        r#"{{"resourceVersion":{},{},"restarts":{restarts},"changes":{},"lists":{},"pages":{},"watches":{},"streamingLists":{},"openWatches":{}}}"#,
        cluster.version(),
        objects.join(","),
        counts.changes,
        counts.lists,
        counts.pages,
        counts.watches,
        counts.streaming_lists,
        counts.open_watches,
    )
}
