//! `kube_horizontalpodautoscaler_*`: autoscaling/v2; before Kubernetes 1.23 v2beta2, else v1, which knows CPU only.

use serde::Deserialize;

use super::shared::{created, deletion, generation};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Condition, List, Meta, objects};
use crate::quantity::Quantity;
use crate::rendered::Samples;

pub(super) static HORIZONTALPODAUTOSCALERS: Resource<Autoscaler> = Resource {
    plural: "horizontalpodautoscalers",
    versions: &[
        Version::new("autoscaling", "v2"),
        Version::new("autoscaling", "v2beta2"),
        Version::new("autoscaling", "v1"),
    ],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("horizontalpodautoscaler"),
    families: &[
        &Open::annotations(
            "kube_horizontalpodautoscaler_annotations",
            "The autoscaler's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_horizontalpodautoscaler_created",
            "When the autoscaler was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_horizontalpodautoscaler_deletion_timestamp",
            "When the autoscaler is to be deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Gauge::new(
            "kube_horizontalpodautoscaler_info",
            "1, with the object that is scaled.",
            ["scaletargetref_api_version", "scaletargetref_kind", "scaletargetref_name"],
            info,
        ),
        &Open::labels(
            "kube_horizontalpodautoscaler_labels",
            "The autoscaler's labels that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_horizontalpodautoscaler_metadata_generation",
            "How often the wanted state was changed.",
            [],
            generation,
        )
        .stable(),
        &Gauge::new(
            "kube_horizontalpodautoscaler_spec_behavior_scale_down_tolerance",
            "By what share a metric may fall below its target before pods are taken away.",
            [],
            |autoscaler: &Autoscaler, out| {
                out.maybe((), autoscaler.spec.behavior.scale_down.tolerance());
            },
        ),
        &Gauge::new(
            "kube_horizontalpodautoscaler_spec_behavior_scale_up_tolerance",
            "By what share a metric may rise above its target before pods are added.",
            [],
            |autoscaler: &Autoscaler, out| {
                out.maybe((), autoscaler.spec.behavior.scale_up.tolerance());
            },
        ),
        &Gauge::new(
            "kube_horizontalpodautoscaler_spec_max_replicas",
            "Most pods to scale to.",
            [],
            max_replicas,
        )
        .stable(),
        &Gauge::new(
            "kube_horizontalpodautoscaler_spec_min_replicas",
            "Fewest pods to scale to.",
            [],
            min_replicas,
        )
        .stable(),
        &Gauge::new(
            "kube_horizontalpodautoscaler_spec_target_metric",
            "What a metric should be, in its own unit or in percent of what the pods request.",
            ["metric_name", "metric_target_type", "container"],
            target_metric,
        ),
        &Gauge::new(
            "kube_horizontalpodautoscaler_status_condition",
            "1 for the status that a condition of the autoscaler has, 0 for the others.",
            ["condition", "status"],
            condition,
        )
        .stable(),
        &Gauge::new(
            "kube_horizontalpodautoscaler_status_current_replicas",
            "Pods that there are.",
            [],
            current,
        )
        .stable(),
        &Gauge::new(
            "kube_horizontalpodautoscaler_status_desired_replicas",
            "Pods that the autoscaler last asked for.",
            [],
            desired,
        )
        .stable(),
        &Gauge::new(
            "kube_horizontalpodautoscaler_status_target_metric",
            "What a metric is, in its own unit or in percent of what the pods request.",
            ["metric_name", "metric_target_type", "container"],
            current_metric,
        )
        .stable(),
        &Open::labels("kube_hpa_labels", "The autoscaler's labels that were chosen, as labels.")
            .compat()
            .named("hpa"),
        &Gauge::new(
            "kube_hpa_metadata_generation",
            "How often the wanted state was changed.",
            [],
            generation,
        )
        .compat()
        .named("hpa"),
        &Gauge::new("kube_hpa_spec_max_replicas", "Most pods to scale to.", [], max_replicas)
            .compat()
            .named("hpa"),
        &Gauge::new("kube_hpa_spec_min_replicas", "Fewest pods to scale to.", [], min_replicas)
            .compat()
            .named("hpa"),
        &Gauge::new(
            "kube_hpa_status_condition",
            "1 for the status that a condition of the autoscaler has, 0 for the others.",
            ["condition", "status"],
            condition,
        )
        .compat()
        .named("hpa"),
        &Gauge::new("kube_hpa_status_current_replicas", "Pods that there are.", [], current)
            .compat()
            .named("hpa"),
        &Gauge::new(
            "kube_hpa_status_desired_replicas",
            "Pods that the autoscaler last asked for.",
            [],
            desired,
        )
        .compat()
        .named("hpa"),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Autoscaler {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    scale_target_ref: ScaleTarget,
    min_replicas: Option<i64>,
    max_replicas: i64,
    metrics: List<Metric>,
    behavior: Behavior,
    /// Of v1, where it stands for a metric.
    #[serde(rename = "targetCPUUtilizationPercentage")]
    cpu_percent: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScaleTarget {
    api_version: String,
    kind: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Behavior {
    scale_up: ScalingRules,
    scale_down: ScalingRules,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScalingRules {
    tolerance: Option<Quantity>,
}

impl ScalingRules {
    fn tolerance(&self) -> Option<f64> {
        self.tolerance.map(Quantity::approximate)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    current_replicas: i64,
    desired_replicas: i64,
    current_metrics: List<Metric>,
    conditions: List<Condition>,
    /// Of v1, where it stands for a metric.
    #[serde(rename = "currentCPUUtilizationPercentage")]
    cpu_percent: Option<i64>,
}

/// A metric of the spec or of the status: its type says which of the sources is there.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metric {
    #[serde(rename = "type")]
    kind: String,
    container_resource: Option<Source>,
    external: Option<Source>,
    object: Option<Source>,
    pods: Option<Source>,
    resource: Option<Source>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Source {
    /// Of resources; other metrics are named by `metric`.
    name: String,
    container: String,
    metric: Identifier,
    /// Of the spec.
    target: Amount,
    /// Of the status.
    current: Amount,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Identifier {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Amount {
    value: Option<Quantity>,
    average_value: Option<Quantity>,
    average_utilization: Option<i64>,
}

objects!(Autoscaler);

fn max_replicas(autoscaler: &Autoscaler, out: &mut Samples<'_, 0>) {
    out.sample((), autoscaler.spec.max_replicas);
}

fn min_replicas(autoscaler: &Autoscaler, out: &mut Samples<'_, 0>) {
    out.sample((), autoscaler.spec.min_replicas.unwrap_or(1));
}

fn condition(autoscaler: &Autoscaler, out: &mut Samples<'_, 2>) {
    for condition in &autoscaler.status.conditions {
        for (status, current) in condition.states() {
            out.sample((&condition.kind, status), current);
        }
    }
}

fn current(autoscaler: &Autoscaler, out: &mut Samples<'_, 0>) {
    out.sample((), autoscaler.status.current_replicas);
}

fn desired(autoscaler: &Autoscaler, out: &mut Samples<'_, 0>) {
    out.sample((), autoscaler.status.desired_replicas);
}

fn info(autoscaler: &Autoscaler, out: &mut Samples<'_, 3>) {
    let ScaleTarget { api_version, kind, name } = &autoscaler.spec.scale_target_ref;
    let api_version = Some(api_version.as_str()).filter(|version| !version.is_empty());
    out.some([api_version, Some(kind), Some(name)], 1_u8);
}

fn target_metric(autoscaler: &Autoscaler, out: &mut Samples<'_, 3>) {
    let spec = &autoscaler.spec;
    metrics(&spec.metrics, |source| &source.target, out);
    out.maybe(("cpu", "utilization", ""), spec.cpu_percent);
}

fn current_metric(autoscaler: &Autoscaler, out: &mut Samples<'_, 3>) {
    let status = &autoscaler.status;
    metrics(&status.current_metrics, |source| &source.current, out);
    out.maybe(("cpu", "utilization", ""), status.cpu_percent);
}

fn metrics(metrics: &[Metric], amount: fn(&Source) -> &Amount, out: &mut Samples<'_, 3>) {
    for metric in metrics {
        let Some((name, container, source)) = metric.source() else { continue };
        let Amount { value, average_value, average_utilization } = amount(source);
        out.maybe((name, "value", container), value.map(Quantity::as_f64));
        out.maybe((name, "average", container), average_value.map(Quantity::as_f64));
        out.maybe((name, "utilization", container), *average_utilization);
    }
}

impl Metric {
    /// Its name, its container where it has one, and its source; `None` where the type is unknown or has no source.
    fn source(&self) -> Option<(&str, &str, &Source)> {
        match self.kind.as_str() {
            "ContainerResource" => {
                let source = self.container_resource.as_ref()?;
                Some((&source.name, &source.container, source))
            }
            "Resource" => self.resource.as_ref().map(|source| (source.name.as_str(), "", source)),
            "External" => self.external.as_ref().map(Source::named),
            "Object" => self.object.as_ref().map(Source::named),
            "Pods" => self.pods.as_ref().map(Source::named),
            _ => None,
        }
    }
}

impl Source {
    fn named(&self) -> (&str, &str, &Self) {
        (&self.metric.name, "", self)
    }
}
