//! Shards by `StatefulSet`: the number is the end of the pod's name, the total its replicas.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use http::Request;
use kube_informer::{
    Client, Cluster, Gvr, Handler, Informer, Object, Problem, RequestError, Resource, Selection,
};
use serde::Deserialize;
use tokio::sync::watch;

use crate::object::Meta;
use crate::options::ShardOptions;
use crate::shard::Shard;

/// A pod's JSON has some kilobytes.
const POD_LIMIT: usize = 8 << 20;
/// Between two attempts to find the own pod.
const RETRY: Duration = Duration::from_secs(5);

/// The shard that the command line names; `None` where a `StatefulSet` is to say it.
pub fn fixed(options: &ShardOptions) -> Option<Shard> {
    options.pod.is_empty().then(|| Shard::new(options.shard, options.total_shards))
}

/// Follows the `StatefulSet` that owns the pod which the options name, and tells when the shard changes.
pub async fn follow(
    cluster: Cluster,
    options: ShardOptions,
    shards: watch::Sender<Option<Shard>>,
) -> Infallible {
    if options.pod.is_empty() {
        return pending().await;
    }
    let owner = loop {
        match owner(&cluster.client, &options).await {
            Ok(owner) => break owner,
            Err(error) => {
                let retry_in = RETRY.as_secs();
                tracing::warn!(%error, retry_in, "the shard is not known yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    let selection = Selection {
        namespace: Some(options.pod_namespace.clone()),
        field_selector: Some(format!("metadata.name={owner}")),
        ..Selection::of([Gvr::new("apps", "v1", "statefulsets")])
    };
    let informer = Informer::new(&cluster, selection);
    informer.run(&mut Sets { owner, pod: options.pod, shards }).await
}

/// Why the shard cannot be found.
#[derive(Debug, thiserror::Error)]
enum OwnerError {
    #[error("cannot get the pod '{pod}' in '{namespace}' (--pod, --pod-namespace): {source}")]
    Request { pod: String, namespace: String, source: RequestError },
    #[error(
        "the pod '{0}' belongs to no StatefulSet: give --shard and --total-shards instead of --pod"
    )]
    NoSet(String),
}

#[derive(Deserialize)]
struct Pod {
    metadata: Meta,
}

async fn owner(client: &Client, options: &ShardOptions) -> Result<String, OwnerError> {
    let ShardOptions { pod, pod_namespace: namespace, .. } = options;
    let failed =
        |source| OwnerError::Request { pod: pod.clone(), namespace: namespace.clone(), source };
    let request = Request::get(format!("/api/v1/namespaces/{namespace}/pods/{pod}"))
        .body(Vec::new())
        .map_err(|error| failed(RequestError::Unreadable(error.to_string())))?;
    let found: Pod = client.json(request, POD_LIMIT).await.map_err(failed)?;
    let owner = found.metadata.controller().filter(|owner| owner.kind == "StatefulSet");
    owner.map(|owner| owner.name.clone()).ok_or_else(|| OwnerError::NoSet(pod.clone()))
}

/// Takes the one `StatefulSet`.
struct Sets {
    owner: String,
    pod: String,
    shards: watch::Sender<Option<Shard>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Set {
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    replicas: Option<u32>,
}

impl Handler for Sets {
    async fn begin(&mut self, _resource: &Resource) {}

    async fn apply(&mut self, object: Object<'_>) -> Result<(), Problem> {
        let set: Set = serde_json::from_str(object.raw)?;
        let shard = shard(&self.owner, &self.pod, set.spec.replicas.unwrap_or(1))?;
        self.shards.send_if_modified(|known| known.replace(shard) != Some(shard));
        Ok(())
    }

    async fn delete(&mut self, _object: Object<'_>) -> Result<(), Problem> {
        Ok(())
    }

    async fn listed(&mut self) {}
}

/// The pod of number 2 of the set `state` is `state-2`.
fn shard(set: &str, pod: &str, replicas: u32) -> Result<Shard, Problem> {
    let number = pod.strip_prefix(set).and_then(|rest| rest.strip_prefix('-'));
    let number = number.and_then(|number| number.parse().ok());
    let number = number.ok_or_else(|| {
        Problem(format!("'{pod}' is no name of a pod of the StatefulSet '{set}': no shard number"))
    })?;
    Ok(Shard::new(number, replicas))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_is_the_end_of_the_pods_name() {
        assert_eq!(shard("state", "state-2", 5).unwrap(), Shard::new(2, 5));
        for pod in ["state", "state-", "state-x", "other-2", "state2"] {
            assert!(shard("state", pod, 5).is_err(), "{pod}");
        }
    }
}
