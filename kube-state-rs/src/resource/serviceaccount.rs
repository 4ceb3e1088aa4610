//! `kube_serviceaccount_*`: core/v1 `ServiceAccount`.

use serde::Deserialize;

use super::shared::{created, deletion, truth};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{List, Meta, objects};
use crate::rendered::Samples;

pub(super) static SERVICEACCOUNTS: Resource<ServiceAccount> = Resource {
    plural: "serviceaccounts",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: false,
    needs: Needs::Everything,
    key: Key::NamespaceNameUid("serviceaccount"),
    families: &[
        &Open::annotations(
            "kube_serviceaccount_annotations",
            "The service account's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_serviceaccount_created",
            "When the service account was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_serviceaccount_deleted",
            "When the service account is to be deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Gauge::new(
            "kube_serviceaccount_image_pull_secret",
            "1 for each secret with which the service account's pods pull images.",
            ["name"],
            image_pull_secrets,
        ),
        &Gauge::new(
            "kube_serviceaccount_info",
            "1, with whether pods get the service account's token; empty where it does not say.",
            ["automount_token"],
            info,
        ),
        &Open::labels(
            "kube_serviceaccount_labels",
            "The service account's labels that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_serviceaccount_secret",
            "1 for each secret that the service account's pods may use.",
            ["name"],
            secrets,
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ServiceAccount {
    metadata: Meta,
    secrets: List<Reference>,
    image_pull_secrets: List<Reference>,
    automount_service_account_token: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {
    name: String,
}

objects!(ServiceAccount);

fn image_pull_secrets(account: &ServiceAccount, out: &mut Samples<'_, 1>) {
    for secret in &account.image_pull_secrets {
        out.sample(&secret.name, 1_u8);
    }
}

fn info(account: &ServiceAccount, out: &mut Samples<'_, 1>) {
    out.sample(truth(account.automount_service_account_token), 1_u8);
}

fn secrets(account: &ServiceAccount, out: &mut Samples<'_, 1>) {
    for secret in &account.secrets {
        out.sample(&secret.name, 1_u8);
    }
}
