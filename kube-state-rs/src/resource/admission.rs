//! The objects of admissionregistration.k8s.io, whose validating and mutating kinds look alike.

use serde::Deserialize;

use super::Version;
use crate::object::{List, Meta, objects};
use crate::rendered::Samples;

/// The versions that serve policies and their bindings: validating ones came to v1 with Kubernetes 1.30, mutating ones
/// with 1.36.
pub(super) static VERSIONS: &[Version] = &[
    Version::new("admissionregistration.k8s.io", "v1"),
    Version::new("admissionregistration.k8s.io", "v1beta1"),
    Version::new("admissionregistration.k8s.io", "v1alpha1"),
];

/// A `ValidatingWebhookConfiguration` or a `MutatingWebhookConfiguration`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WebhookConfiguration {
    metadata: Meta,
    webhooks: List<Webhook>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Webhook {
    name: String,
    client_config: ClientConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ClientConfig {
    /// Absent where the webhook is called by a URL.
    service: Option<Service>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Service {
    name: String,
    namespace: String,
}

/// A `ValidatingAdmissionPolicy` or a `MutatingAdmissionPolicy`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Policy {
    metadata: Meta,
    spec: PolicySpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PolicySpec {
    param_kind: ParamKind,
    failure_policy: Option<String>,
    /// Of a mutating policy only.
    reinvocation_policy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ParamKind {
    api_version: String,
    kind: String,
}

/// A `ValidatingAdmissionPolicyBinding` or a `MutatingAdmissionPolicyBinding`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Binding {
    metadata: Meta,
    spec: BindingSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BindingSpec {
    policy_name: String,
    param_ref: ParamRef,
    /// Of a validating policy only, and not before Kubernetes 1.27.
    validation_actions: List<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ParamRef {
    name: String,
    namespace: String,
    parameter_not_found_action: Option<String>,
}

objects!(WebhookConfiguration, Policy, Binding);

pub(super) fn services(configuration: &WebhookConfiguration, out: &mut Samples<'_, 3>) {
    for Webhook { name, client_config } in &configuration.webhooks {
        match &client_config.service {
            Some(service) => out.sample((name, &service.name, &service.namespace), 1_u8),
            None => out.sample((name, "", ""), 1_u8),
        }
    }
}

pub(super) fn policy_info(policy: &Policy, out: &mut Samples<'_, 3>) {
    let ParamKind { api_version, kind } = &policy.spec.param_kind;
    let failure = policy.spec.failure_policy.as_deref().unwrap_or_default();
    out.sample((api_version, kind, failure), 1_u8);
}

pub(super) fn reinvoked_policy_info(policy: &Policy, out: &mut Samples<'_, 4>) {
    let ParamKind { api_version, kind } = &policy.spec.param_kind;
    let failure = policy.spec.failure_policy.as_deref().unwrap_or_default();
    out.sample((api_version, kind, failure, &policy.spec.reinvocation_policy), 1_u8);
}

pub(super) fn binding_info(binding: &Binding, out: &mut Samples<'_, 4>) {
    let ParamRef { name, namespace, parameter_not_found_action } = &binding.spec.param_ref;
    let not_found = parameter_not_found_action.as_deref().unwrap_or_default();
    out.sample((&binding.spec.policy_name, name, namespace, not_found), 1_u8);
}

pub(super) fn actions(binding: &Binding, out: &mut Samples<'_, 1>) {
    for action in &binding.spec.validation_actions {
        out.sample(action, 1_u8);
    }
}
