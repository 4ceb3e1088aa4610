//! What kubectl shows of a namespace's pods, and what it has ever shown.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use e2e::cluster::Cluster;

/// The address of each pod that has one, by name and uid.
pub(crate) type Addresses = BTreeMap<(String, String), String>;

pub(crate) fn now(cluster: &Cluster, space: &str) -> Result<Addresses> {
    let list = cluster.get(&format!("/api/v1/namespaces/{space}/pods"))?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let pods = list["items"].as_array().into_iter().flatten();
    let known = pods.filter_map(|pod| {
        let key = (text(&pod["metadata"]["name"])?, text(&pod["metadata"]["uid"])?);
        Some((key, text(&pod["status"]["podIP"])?))
    });
    Ok(known.collect())
}

/// The flag with the node's address, as pods in its network have it.
pub(crate) fn host_ip(cluster: &Cluster) -> String {
    let node = cluster.get("/api/v1/nodes/testbed-node").unwrap();
    let addresses = node["status"]["addresses"].as_array().unwrap();
    let internal = addresses.iter().find(|address| address["type"] == "InternalIP").unwrap();
    format!("--identity.host-ip={}", internal["address"].as_str().unwrap())
}

/// All containers that go on sleeping have been started again.
pub(crate) fn restarted(cluster: &Cluster, space: &str) -> Result<bool> {
    let list = cluster.get(&format!("/api/v1/namespaces/{space}/pods"))?;
    let pods = list["items"].as_array().into_iter().flatten();
    let mut sleeping = pods.filter(|pod| pod["metadata"]["name"] != "crash");
    Ok(sleeping.all(|pod| {
        let status = &pod["status"]["containerStatuses"][0];
        status["restartCount"].as_u64() >= Some(1) && status["ready"] == true
    }))
}

/// All pairs of uid and address that were ever right.
#[derive(Debug, Default)]
pub(crate) struct Past(BTreeSet<(String, String)>);

impl Past {
    pub(crate) fn add(&mut self, now: &Addresses) {
        self.0.extend(now.iter().map(|((_, uid), ip)| (uid.clone(), ip.clone())));
    }

    pub(crate) fn holds(&self, uid: &str, ip: &str) -> bool {
        self.0.contains(&(uid.to_owned(), ip.to_owned()))
    }
}
