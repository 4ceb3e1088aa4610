//! `kube_pod_*`: core/v1 Pod.

mod container;
mod object;
mod spec;
mod status;

use super::shared::{created, deletion, owners};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Counter, Gauge, Open};
use container::{Init, Main};
use object::Pod;

pub(super) static PODS: Resource<Pod> = Resource {
    plural: "pods",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceNameUid("pod"),
    families: &[
        &Open::annotations(
            "kube_pod_annotations",
            "The pod's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_pod_completion_time",
            "When the last of the pod's containers ended, in seconds since 1970.",
            [],
            status::completed,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_container_info",
            "1 for each container, with its images and ID.",
            ["container", "image_spec", "image", "image_id", "container_id"],
            container::info,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_container_resource_limits",
            "How much of a resource the container may use at most, in the unit given.",
            ["container", "node", "resource", "unit"],
            container::limits::<Main>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_container_resource_limits_cpu_cores",
            "How many CPU cores the container may use at most.",
            ["container", "node"],
            container::cpu_limits,
        )
        .compat(),
        &Gauge::new(
            "kube_pod_container_resource_limits_memory_bytes",
            "How many bytes of memory the container may use at most.",
            ["container", "node"],
            container::memory_limits,
        )
        .compat(),
        &Gauge::new(
            "kube_pod_container_resource_requests",
            "How much of a resource the container asks for, in the unit given.",
            ["container", "node", "resource", "unit"],
            container::requests::<Main>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_container_resource_requests_cpu_cores",
            "How many CPU cores the container asks for.",
            ["container", "node"],
            container::cpu_requests,
        )
        .compat(),
        &Gauge::new(
            "kube_pod_container_resource_requests_memory_bytes",
            "How many bytes of memory the container asks for.",
            ["container", "node"],
            container::memory_requests,
        )
        .compat(),
        &Gauge::new(
            "kube_pod_container_state_started",
            "When the container started, if it runs or has ended, in seconds since 1970.",
            ["container"],
            container::started::<Main>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_container_status_last_terminated_exitcode",
            "The exit code that the container ended with before it was restarted.",
            ["container"],
            container::last_exit_code::<Main>,
        ),
        &Gauge::new(
            "kube_pod_container_status_last_terminated_reason",
            "1 for the reason that the container ended for before it was restarted.",
            ["container", "reason"],
            container::last_reason::<Main>,
        ),
        &Gauge::new(
            "kube_pod_container_status_last_terminated_timestamp",
            "When the container ended before it was restarted, in seconds since 1970.",
            ["container"],
            container::last_finished::<Main>,
        ),
        &Gauge::new(
            "kube_pod_container_status_ready",
            "1 if the container is ready, else 0.",
            ["container"],
            container::ready::<Main>,
        )
        .stable(),
        &Counter::new(
            "kube_pod_container_status_restarts_total",
            "How often the container was restarted.",
            ["container"],
            container::restarts::<Main>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_container_status_running",
            "1 if the container runs, else 0.",
            ["container"],
            container::running::<Main>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_container_status_terminated",
            "1 if the container has ended, else 0.",
            ["container"],
            container::terminated::<Main>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_container_status_terminated_reason",
            "1 for the reason that the container ended for.",
            ["container", "reason"],
            container::terminated_reason::<Main>,
        ),
        &Gauge::new(
            "kube_pod_container_status_waiting",
            "1 if the container waits to start, else 0.",
            ["container"],
            container::waiting::<Main>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_container_status_waiting_reason",
            "1 for the reason that the container waits for.",
            ["container", "reason"],
            container::waiting_reason::<Main>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_created",
            "When the pod object was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_deletion_timestamp",
            "When the pod is to be gone, if it is being deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Gauge::new(
            "kube_pod_info",
            "1 for each pod, with its addresses, node, controller and priority class.",
            [
                "host_ip",
                "pod_ip",
                "node",
                "created_by_kind",
                "created_by_name",
                "priority_class",
                "host_network",
            ],
            spec::info,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_init_container_info",
            "1 for each init container, with its images, ID and restart policy.",
            ["container", "image_spec", "image", "image_id", "container_id", "restart_policy"],
            container::init_info,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_init_container_resource_limits",
            "How much of a resource the init container may use at most, in the unit given.",
            ["container", "node", "resource", "unit"],
            container::limits::<Init>,
        ),
        &Gauge::new(
            "kube_pod_init_container_resource_requests",
            "How much of a resource the init container asks for, in the unit given.",
            ["container", "node", "resource", "unit"],
            container::requests::<Init>,
        ),
        &Gauge::new(
            "kube_pod_init_container_state_started",
            "When the init container started, if it runs or has ended, in seconds since 1970.",
            ["container"],
            container::started::<Init>,
        ),
        &Gauge::new(
            "kube_pod_init_container_status_last_terminated_exitcode",
            "The exit code that the init container ended with before it was restarted.",
            ["container"],
            container::last_exit_code::<Init>,
        ),
        &Gauge::new(
            "kube_pod_init_container_status_last_terminated_reason",
            "1 for the reason that the init container ended for before it was restarted.",
            ["container", "reason"],
            container::last_reason::<Init>,
        ),
        &Gauge::new(
            "kube_pod_init_container_status_last_terminated_timestamp",
            "When the init container ended before it was restarted, in seconds since 1970.",
            ["container"],
            container::last_finished::<Init>,
        ),
        &Gauge::new(
            "kube_pod_init_container_status_ready",
            "1 if the init container is ready, else 0.",
            ["container"],
            container::ready::<Init>,
        )
        .stable(),
        &Counter::new(
            "kube_pod_init_container_status_restarts_total",
            "How often the init container was restarted.",
            ["container"],
            container::restarts::<Init>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_init_container_status_running",
            "1 if the init container runs, else 0.",
            ["container"],
            container::running::<Init>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_init_container_status_terminated",
            "1 if the init container has ended, else 0.",
            ["container"],
            container::terminated::<Init>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_init_container_status_terminated_reason",
            "1 for the reason that the init container ended for.",
            ["container", "reason"],
            container::terminated_reason::<Init>,
        ),
        &Gauge::new(
            "kube_pod_init_container_status_waiting",
            "1 if the init container waits to start, else 0.",
            ["container"],
            container::waiting::<Init>,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_init_container_status_waiting_reason",
            "1 for the reason that the init container waits for.",
            ["container", "reason"],
            container::waiting_reason::<Init>,
        ),
        &Gauge::new(
            "kube_pod_ips",
            "1 for each address of the pod, with its IP version.",
            ["ip", "ip_family"],
            status::ips,
        ),
        &Open::labels("kube_pod_labels", "The pod's labels that were chosen, as labels.").stable(),
        &Open::new(
            "kube_pod_nodeselectors",
            "The labels that the pod wants its node to have, as labels.",
            spec::node_selectors,
        )
        .opt_in(),
        &Gauge::new(
            "kube_pod_overhead_cpu_cores",
            "What running the pod costs beyond its containers, in CPU cores.",
            [],
            spec::overhead_cpu,
        ),
        &Gauge::new(
            "kube_pod_overhead_memory_bytes",
            "What running the pod costs beyond its containers, in bytes of memory.",
            [],
            spec::overhead_memory,
        ),
        &Gauge::new(
            "kube_pod_owner",
            "1 for each owner of the pod; without owner one with empty labels.",
            ["owner_kind", "owner_name", "owner_is_controller"],
            owners,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_resourceclaim_info",
            "1 for each resource claim of the pod, with the claim object that it stands for.",
            ["claim_name", "resourceclaim_name", "resourceclaim_template_name"],
            spec::resource_claims,
        ),
        &Gauge::new(
            "kube_pod_restart_policy",
            "1 for the restart policy of the pod.",
            ["type"],
            spec::restart_policy,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_runtimeclass_name_info",
            "1 for the runtime class of the pod, if it names one.",
            ["runtimeclass_name"],
            spec::runtime_class,
        ),
        &Gauge::new(
            "kube_pod_scheduler",
            "1 for the scheduler that places the pod.",
            ["name"],
            spec::scheduler,
        ),
        &Gauge::new(
            "kube_pod_service_account",
            "1 for the service account that the pod runs as.",
            ["service_account"],
            spec::service_account,
        ),
        &Gauge::new(
            "kube_pod_spec_volumes_persistentvolumeclaims_info",
            "1 for each volume of the pod that a claim stands behind.",
            ["volume", "persistentvolumeclaim", "ephemeral"],
            spec::claims,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_spec_volumes_persistentvolumeclaims_readonly",
            "1 for a claimed volume that is mounted read only, 0 for others.",
            ["volume", "persistentvolumeclaim", "ephemeral"],
            spec::claims_read_only,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_start_time",
            "When the kubelet took up the pod, in seconds since 1970.",
            [],
            status::start_time,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_status_container_ready_time",
            "Since when all containers are ready, if they are, in seconds since 1970.",
            [],
            |pod, out| status::since(pod, "ContainersReady", "True", out),
        ),
        &Gauge::new(
            "kube_pod_status_disruption_reason",
            "1 for the reason that the pod is taken away for, Other for an unknown one.",
            ["reason"],
            status::disruption_reason,
        ),
        &Gauge::new(
            "kube_pod_status_initialized_time",
            "Since when the init containers are done, if they are, in seconds since 1970.",
            [],
            |pod, out| status::since(pod, "Initialized", "True", out),
        ),
        &Gauge::new(
            "kube_pod_status_phase",
            "1 for the phase the pod is in, 0 for the others.",
            ["phase"],
            status::phase,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_status_qos_class",
            "1 for the quality of service class of the pod, 0 for the others.",
            ["qos_class"],
            status::qos_class,
        ),
        &Gauge::new(
            "kube_pod_status_ready",
            "1 for the status of the pod's readiness, 0 for the others.",
            ["condition"],
            |pod, out| status::condition(pod, "Ready", out),
        )
        .stable(),
        &Gauge::new(
            "kube_pod_status_ready_time",
            "Since when the pod is ready, if it is, in seconds since 1970.",
            [],
            |pod, out| status::since(pod, "Ready", "True", out),
        ),
        &Gauge::new(
            "kube_pod_status_reason",
            "1 for each reason that the pod stopped for, Other for an unknown one.",
            ["reason"],
            status::reason,
        ),
        &Gauge::new(
            "kube_pod_status_scheduled",
            "1 for the status of the pod's placement on a node, 0 for the others.",
            ["condition"],
            |pod, out| status::condition(pod, "PodScheduled", out),
        )
        .stable(),
        &Gauge::new(
            "kube_pod_status_scheduled_time",
            "Since when the pod has a node, if it has, in seconds since 1970.",
            [],
            |pod, out| status::since(pod, "PodScheduled", "True", out),
        )
        .stable(),
        &Gauge::new(
            "kube_pod_status_unschedulable",
            "1 if the pod found no node.",
            [],
            status::unschedulable,
        )
        .stable(),
        &Gauge::new(
            "kube_pod_status_unscheduled_time",
            "Since when the pod has found no node, if it has none, in seconds since 1970.",
            [],
            |pod, out| status::since(pod, "PodScheduled", "False", out),
        ),
        &Gauge::new(
            "kube_pod_tolerations",
            "1 for each toleration of the pod.",
            ["key", "operator", "value", "effect", "toleration_seconds"],
            spec::tolerations,
        ),
    ],
};
