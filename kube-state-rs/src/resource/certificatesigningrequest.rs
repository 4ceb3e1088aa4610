//! `kube_certificatesigningrequest_*`: certificates.k8s.io/v1; before Kubernetes 1.19 v1beta1.

use serde::Deserialize;

use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Condition, List, Meta, Time, objects};
use crate::rendered::{OpenSamples, Samples};
use crate::selection::Selection;

pub(super) static CERTIFICATESIGNINGREQUESTS: Resource<SigningRequest> = Resource {
    plural: "certificatesigningrequests",
    versions: &[
        Version::new("certificates.k8s.io", "v1"),
        Version::new("certificates.k8s.io", "v1beta1"),
    ],
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::Name("certificatesigningrequest"),
    families: &[
        &Open::new(
            "kube_certificatesigningrequest_annotations",
            "The request's annotations that were chosen, as labels.",
            annotations,
        ),
        &Gauge::new(
            "kube_certificatesigningrequest_cert_length",
            "How long the certificate is, in bytes; 0 before there is one.",
            ["signer_name"],
            cert_length,
        )
        .stable(),
        &Gauge::new(
            "kube_certificatesigningrequest_condition",
            "How many conditions of each kind the request has.",
            ["signer_name", "condition"],
            condition,
        )
        .stable(),
        &Gauge::new(
            "kube_certificatesigningrequest_created",
            "When the request was created, in seconds since 1970.",
            ["signer_name"],
            created,
        )
        .stable(),
        &Open::new(
            "kube_certificatesigningrequest_labels",
            "The request's labels that were chosen, as labels.",
            labels,
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SigningRequest {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    signer_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    /// PEM, as base64.
    certificate: String,
    conditions: List<Condition>,
}

objects!(SigningRequest);

fn annotations(request: &SigningRequest, selection: &Selection, out: &mut OpenSamples<'_>) {
    if let Some(keys) = &selection.annotations {
        let chosen = keys.of(&request.metadata.annotations);
        out.mapped_after([("signer_name", &request.spec.signer_name)], "annotation_", chosen);
    }
}

fn cert_length(request: &SigningRequest, out: &mut Samples<'_, 1>) {
    let base64 = request.status.certificate.as_bytes();
    let padding = base64.iter().rev().take_while(|&&byte| byte == b'=').count();
    out.sample(&request.spec.signer_name, (base64.len() - padding) * 3 / 4);
}

fn condition(request: &SigningRequest, out: &mut Samples<'_, 2>) {
    for (kind, label) in [("Approved", "approved"), ("Denied", "denied"), ("Failed", "failed")] {
        let conditions = request.status.conditions.iter();
        let count = conditions.filter(|condition| condition.kind == kind).count();
        out.sample((&request.spec.signer_name, label), count);
    }
}

fn created(request: &SigningRequest, out: &mut Samples<'_, 1>) {
    let created = request.metadata.creation_timestamp.map(Time::seconds);
    out.maybe(&request.spec.signer_name, created);
}

fn labels(request: &SigningRequest, selection: &Selection, out: &mut OpenSamples<'_>) {
    if let Some(keys) = &selection.labels {
        let chosen = keys.of(&request.metadata.labels);
        out.mapped_after([("signer_name", &request.spec.signer_name)], "label_", chosen);
    }
}
