//! Resources: for each a table of families, and the list of them all.
//!
//! A resource is a file that holds its table first and the rules below in the same order, a line for its module here and
//! one in [`RESOURCES`].

mod admission;
mod amount;
mod certificatesigningrequest;
mod clusterrole;
mod clusterrolebinding;
mod configmap;
mod cronjob;
mod daemonset;
mod deployment;
mod endpoint;
mod endpointslice;
mod horizontalpodautoscaler;
mod ingress;
mod ingressclass;
mod job;
mod lease;
mod limitrange;
mod mutatingadmissionpolicy;
mod mutatingadmissionpolicybinding;
mod mutatingwebhookconfiguration;
mod namespace;
mod networkpolicy;
mod node;
mod persistentvolume;
mod persistentvolumeclaim;
mod pod;
mod poddisruptionbudget;
mod replicaset;
mod replicationcontroller;
mod resourcequota;
mod role;
mod rolebinding;
mod secret;
mod service;
mod serviceaccount;
mod shared;
mod statefulset;
mod storageclass;
mod validatingadmissionpolicy;
mod validatingadmissionpolicybinding;
mod validatingwebhookconfiguration;
mod volumeattachment;

use std::borrow::Cow;

use crate::family::{About, AnyFamily, Given, Header};
use crate::object::{Meta, Object};
use crate::rendered::Rendered;
use crate::selection::Selection;

/// Every built-in resource, sorted by the name that `--resources` gives it.
pub static RESOURCES: &[&dyn AnyResource] = &[
    &certificatesigningrequest::CERTIFICATESIGNINGREQUESTS,
    &clusterrolebinding::CLUSTERROLEBINDINGS,
    &clusterrole::CLUSTERROLES,
    &configmap::CONFIGMAPS,
    &cronjob::CRONJOBS,
    &daemonset::DAEMONSETS,
    &deployment::DEPLOYMENTS,
    &endpoint::ENDPOINTS,
    &endpointslice::ENDPOINTSLICES,
    &horizontalpodautoscaler::HORIZONTALPODAUTOSCALERS,
    &ingressclass::INGRESSCLASSES,
    &ingress::INGRESSES,
    &job::JOBS,
    &lease::LEASES,
    &limitrange::LIMIT_RANGES,
    &mutatingadmissionpolicy::MUTATINGADMISSIONPOLICIES,
    &mutatingadmissionpolicybinding::MUTATINGADMISSIONPOLICYBINDINGS,
    &mutatingwebhookconfiguration::MUTATINGWEBHOOKCONFIGURATIONS,
    &namespace::NAMESPACES,
    &networkpolicy::NETWORKPOLICIES,
    &node::NODES,
    &persistentvolumeclaim::PERSISTENT_VOLUME_CLAIMS,
    &persistentvolume::PERSISTENT_VOLUMES,
    &poddisruptionbudget::PODDISRUPTIONBUDGETS,
    &pod::PODS,
    &replicaset::REPLICASETS,
    &replicationcontroller::REPLICATIONCONTROLLERS,
    &resourcequota::RESOURCE_QUOTAS,
    &rolebinding::ROLEBINDINGS,
    &role::ROLES,
    &secret::SECRETS,
    &serviceaccount::SERVICEACCOUNTS,
    &service::SERVICES,
    &statefulset::STATEFULSETS,
    &storageclass::STORAGECLASSES,
    &validatingadmissionpolicy::VALIDATINGADMISSIONPOLICIES,
    &validatingadmissionpolicybinding::VALIDATINGADMISSIONPOLICYBINDINGS,
    &validatingwebhookconfiguration::VALIDATINGWEBHOOKCONFIGURATIONS,
    &volumeattachment::VOLUMEATTACHMENTS,
];

/// A resource whose objects are read as `O`.
pub struct Resource<O: 'static> {
    /// As `--resources` and the API's paths name it.
    pub plural: &'static str,
    /// The API's group-versions that serve it, the one that is wanted most first.
    pub versions: &'static [Version],
    pub scope: Scope,
    /// Whether it is on without `--resources`.
    pub default: bool,
    /// How much of an object the families need.
    pub needs: Needs,
    /// The labels that each sample carries.
    pub key: Key,
    pub families: &'static [&'static dyn AnyFamily<O>],
}

/// A group-version of the API; the core group is empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version {
    pub group: &'static str,
    pub version: &'static str,
}

impl Version {
    pub const fn new(group: &'static str, version: &'static str) -> Self {
        Self { group, version }
    }
}

/// Whether objects of a resource belong to namespaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    Cluster,
    Namespaced,
}

/// How much of an object its families need.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    Everything,
    /// `metadata` alone: the API server is asked for no more.
    Metadata,
    /// `metadata` and the columns of the API server's table that are named, each put under a field: so the payload of
    /// secrets never leaves the API server.
    Columns(&'static [(&'static str, &'static str)]),
}

/// The labels that say which object a sample is about; the string is the label of the object's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Key {
    Name(&'static str),
    /// `namespace` (empty for what has none) and the name.
    NamespaceName(&'static str),
    NamespaceNameUid(&'static str),
}

impl Key {
    pub fn labels(self) -> Vec<&'static str> {
        match self {
            Self::Name(name) => vec![name],
            Self::NamespaceName(name) => vec!["namespace", name],
            Self::NamespaceNameUid(name) => vec!["namespace", name, "uid"],
        }
    }

    /// The same key with the object's name under another label, where there is one.
    fn named(self, label: Option<&'static str>) -> Self {
        match (self, label) {
            (_, None) => self,
            (Self::Name(_), Some(label)) => Self::Name(label),
            (Self::NamespaceName(_), Some(label)) => Self::NamespaceName(label),
            (Self::NamespaceNameUid(_), Some(label)) => Self::NamespaceNameUid(label),
        }
    }

    fn write(self, meta: &Meta, out: &mut Rendered) {
        out.restart_key();
        let (Self::Name(name) | Self::NamespaceName(name) | Self::NamespaceNameUid(name)) = self;
        if !matches!(self, Self::Name(_)) {
            out.key("namespace", &meta.namespace);
        }
        out.key(name, &meta.name);
        if matches!(self, Self::NamespaceNameUid(_)) {
            out.key("uid", &meta.uid);
        }
    }
}

/// A resource, whatever its objects are.
pub trait AnyResource: Sync {
    fn plural(&self) -> &'static str;
    fn versions(&self) -> &'static [Version];
    fn scope(&self) -> Scope;
    fn default(&self) -> bool;
    fn needs(&self) -> Needs;
    fn key(&self) -> Key;
    fn families(&self) -> Vec<About>;

    /// Reads an object from its JSON text and writes those families of the table that `wanted` names by their place.
    fn render(
        &self,
        json: &str,
        wanted: &[usize],
        selection: &Selection,
        out: &mut Rendered,
    ) -> Result<(), serde_json::Error>;
}

impl<O: Object> AnyResource for Resource<O> {
    fn plural(&self) -> &'static str {
        self.plural
    }

    fn versions(&self) -> &'static [Version] {
        self.versions
    }

    fn scope(&self) -> Scope {
        self.scope
    }

    fn default(&self) -> bool {
        self.default
    }

    fn needs(&self) -> Needs {
        self.needs
    }

    fn key(&self) -> Key {
        self.key
    }

    fn families(&self) -> Vec<About> {
        self.families.iter().map(|family| family.about()).collect()
    }

    fn render(
        &self,
        json: &str,
        wanted: &[usize],
        selection: &Selection,
        out: &mut Rendered,
    ) -> Result<(), serde_json::Error> {
        let object: O = serde_json::from_str(json)?;
        out.restart();
        self.key.write(object.meta(), out);
        let mut name_label = None;
        for &place in wanted {
            let family = self.families[place];
            if family.name_label() != name_label {
                name_label = family.name_label();
                self.key.named(name_label).write(object.meta(), out);
            }
            family.render(&object, selection, out);
            out.end_family();
        }
        Ok(())
    }
}

/// What turns the objects of one resource, built-in or custom, into samples.
pub trait Renderer: Send + Sync {
    /// The families that are given, in their order.
    fn families(&self) -> &[Header];

    /// Reads an object from its JSON text and writes its samples, ended family by family. After an error `out` holds
    /// nothing of use.
    fn render(&self, json: &[u8], out: &mut Rendered) -> Result<(), serde_json::Error>;
}

/// A built-in resource with the families that are wanted of it.
pub struct BuiltIn {
    pub resource: &'static dyn AnyResource,
    wanted: Vec<usize>,
    headers: Vec<Header>,
    selection: Selection,
}

impl BuiltIn {
    /// `wants` decides on each family of the table.
    pub fn new(
        resource: &'static dyn AnyResource,
        selection: Selection,
        wants: impl Fn(&About) -> bool,
    ) -> Self {
        let families = resource.families();
        let wanted: Vec<usize> =
            (0..families.len()).filter(|&place| wants(&families[place])).collect();
        let headers = wanted.iter().map(|&place| Header::from(families[place])).collect();
        Self { resource, wanted, headers, selection }
    }

    /// With the families that are given unless something else is said.
    pub fn default_of(resource: &'static dyn AnyResource) -> Self {
        Self::new(resource, Selection::default(), |about| about.given == Given::Always)
    }
}

impl Renderer for BuiltIn {
    fn families(&self) -> &[Header] {
        &self.headers
    }

    fn render(&self, json: &[u8], out: &mut Rendered) -> Result<(), serde_json::Error> {
        // To look at all of it at once costs less than at each string, and `from_utf8` looks faster than `from_utf8_lossy`.
        // What is no UTF-8 becomes a letter that says so, as in the peer, whose reader of JSON does the same.
        let json =
            std::str::from_utf8(json).map_or_else(|_| String::from_utf8_lossy(json), Cow::Borrowed);
        self.resource.render(&json, &self.wanted, &self.selection, out)
    }
}

/// The built-in resource of this name.
pub fn find(plural: &str) -> Option<&'static dyn AnyResource> {
    RESOURCES.iter().copied().find(|resource| resource.plural() == plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf8_costs_a_letter_and_not_the_object() {
        let pods = BuiltIn::default_of(find("pods").unwrap());
        let mut out = Rendered::default();
        let json = b"{\"metadata\":{\"name\":\"a\xff\",\"namespace\":\"b\",\"uid\":\"c\"},\"spec\":{\"skipped\":\"\xfe\"}}";
        pods.render(json, &mut out).unwrap();
        let text = String::from_utf8(out.text().to_vec()).unwrap();
        assert!(text.contains("pod=\"a\u{fffd}\",uid=\"c\""), "{text}");
    }
}
