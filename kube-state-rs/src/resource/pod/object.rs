//! What the families read of a pod.

use serde::Deserialize;

use crate::object::{Condition, List, Map, Meta, Time, objects};
use crate::quantity::Quantity;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::resource) struct Pod {
    pub(super) metadata: Meta,
    pub(super) spec: Spec,
    pub(super) status: Status,
}

objects!(Pod);

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) containers: List<Container>,
    pub(super) init_containers: List<Container>,
    pub(super) host_network: bool,
    pub(super) node_name: String,
    pub(super) node_selector: Map<String>,
    pub(super) overhead: Map<Quantity>,
    pub(super) priority_class_name: String,
    pub(super) resource_claims: List<PodClaim>,
    pub(super) restart_policy: String,
    pub(super) runtime_class_name: Option<String>,
    pub(super) scheduler_name: String,
    pub(super) service_account_name: String,
    pub(super) tolerations: List<Toleration>,
    pub(super) volumes: List<Volume>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) resources: Resources,
    /// Of init containers only: `Always` for a sidecar.
    pub(super) restart_policy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Resources {
    pub(super) limits: Map<Quantity>,
    pub(super) requests: Map<Quantity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodClaim {
    pub(super) name: String,
    pub(super) resource_claim_name: Option<String>,
    pub(super) resource_claim_template_name: Option<String>,
}

#[derive(Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Toleration {
    pub(super) key: String,
    pub(super) operator: String,
    pub(super) value: String,
    pub(super) effect: String,
    #[serde(rename = "tolerationSeconds")]
    pub(super) seconds: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) persistent_volume_claim: Option<VolumeClaim>,
    pub(super) ephemeral: Option<Ephemeral>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct VolumeClaim {
    pub(super) claim_name: String,
    pub(super) read_only: bool,
}

/// A volume with a claim of its own; what the claim asks for is in the claim.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ephemeral {}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) conditions: List<Condition>,
    pub(super) container_statuses: List<ContainerStatus>,
    #[serde(rename = "hostIP")]
    pub(super) host_ip: String,
    pub(super) init_container_statuses: List<ContainerStatus>,
    pub(super) phase: String,
    #[serde(rename = "podIP")]
    pub(super) pod_ip: String,
    #[serde(rename = "podIPs")]
    pub(super) pod_ips: List<PodIp>,
    pub(super) qos_class: String,
    pub(super) reason: String,
    pub(super) resource_claim_statuses: List<PodClaimStatus>,
    pub(super) start_time: Option<Time>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodIp {
    pub(super) ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodClaimStatus {
    pub(super) name: String,
    pub(super) resource_claim_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) name: String,
    #[serde(rename = "containerID")]
    pub(super) container_id: String,
    pub(super) image: String,
    #[serde(rename = "imageID")]
    pub(super) image_id: String,
    pub(super) last_state: State,
    pub(super) ready: bool,
    pub(super) restart_count: i64,
    pub(super) state: State,
}

/// What a container does or did last: one of these at most.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) running: Option<Running>,
    pub(super) terminated: Option<Terminated>,
    pub(super) waiting: Option<Waiting>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Running {
    pub(super) started_at: Option<Time>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Terminated {
    pub(super) exit_code: i64,
    pub(super) finished_at: Option<Time>,
    pub(super) reason: String,
    pub(super) started_at: Option<Time>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Waiting {
    pub(super) reason: String,
}
