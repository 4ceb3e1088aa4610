//! Objects that change all the time, whatever the API server does meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use e2e::cluster::{Api, Cluster};

/// Between two changes.
const INTERVAL: Duration = Duration::from_millis(10);

/// Changes pods, makes and deletes config maps, until it is dropped or asked for its count.
pub(crate) struct Churn {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<usize>>,
}

impl Churn {
    /// Config maps come and go in this namespace; pods of all namespaces stay, with another phase, start and label.
    pub(crate) fn start(cluster: &Cluster, space: &str) -> Self {
        let pods = cluster.get("/api/v1/pods?limit=300").unwrap();
        let path = |pod: &serde_json::Value| -> Option<String> {
            let meta = &pod["metadata"];
            let (space, name) = (meta["namespace"].as_str()?, meta["name"].as_str()?);
            Some(format!("/api/v1/namespaces/{space}/pods/{name}"))
        };
        let pods: Vec<String> = pods["items"].as_array().unwrap().iter().filter_map(path).collect();
        assert!(!pods.is_empty());
        let (api, stop) = (cluster.api(), Arc::<AtomicBool>::default());
        let (stopped, maps) = (Arc::clone(&stop), format!("/api/v1/namespaces/{space}/configmaps"));
        let thread = std::thread::spawn(move || {
            let mut done = 0;
            for round in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let pod = pods.get(round * 7 % pods.len()).unwrap();
                done += change(&api, pod, &maps, round);
                std::thread::sleep(INTERVAL);
            }
            done
        });
        Self { stop, thread: Some(thread) }
    }

    /// Ends it; returns how many changes the API server took.
    pub(crate) fn finish(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// One change; while the API server is away there is none.
fn change(api: &Api, pod: &str, maps: &str, round: usize) -> usize {
    let done = match round % 4 {
        0 => api.patch(pod, &json!({"metadata": {"labels": {"churn": round.to_string()}}})),
        1 => {
            let start = format!("2026-01-01T00:{:02}:{:02}Z", round / 60 % 60, round % 60);
            let phase = if round.is_multiple_of(3) { "Failed" } else { "Running" };
            let status = json!({"status": {"phase": phase, "startTime": start}});
            api.patch(&format!("{pod}/status"), &status)
        }
        2 => {
            let name = format!("churn-{}", round / 4);
            api.post(maps, &json!({"metadata": {"name": name}, "data": {"a": "b"}}))
        }
        // Every third one stays.
        _ if round.is_multiple_of(3) => return 0,
        _ => api.delete(&format!("{maps}/churn-{}", round / 4)),
    };
    usize::from(done.is_ok())
}
