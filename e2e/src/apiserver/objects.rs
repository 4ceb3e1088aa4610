//! The objects: a cluster's kinds, and every field of an object from nothing but its number and its small state.

use super::cluster::State;
use super::fields::{Write, name, namespace, node, put};
use super::template::{Template, Whole, plain};

/// A kind of core/v1.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) plural: &'static str,
    pub(super) name: &'static str,
    pub(super) namespaced: bool,
    template: &'static str,
    /// Before the number, in its objects' names.
    pub(super) prefix: &'static str,
    /// How many there are where there are so many pods.
    pub(super) count: fn(usize) -> usize,
}

/// Pods of one namespace, of one Deployment, and on one node.
pub(super) const PODS: [usize; 3] = [50, 10, 30];

pub(super) static KINDS: [Kind; 5] = [
    Kind {
        plural: "pods",
        name: "Pod",
        namespaced: true,
        template: include_str!("templates/pod.json"),
        prefix: "",
        count: |pods| pods,
    },
    Kind {
        plural: "nodes",
        name: "Node",
        namespaced: false,
        template: include_str!("templates/node.json"),
        prefix: "node-",
        count: |pods| pods.div_ceil(PODS[2]),
    },
    Kind {
        plural: "namespaces",
        name: "Namespace",
        namespaced: false,
        template: include_str!("templates/namespace.json"),
        prefix: "team-",
        count: |pods| pods.div_ceil(PODS[0]),
    },
    Kind {
        plural: "configmaps",
        name: "ConfigMap",
        namespaced: true,
        template: include_str!("templates/configmap.json"),
        prefix: "settings-",
        count: |pods| pods.div_ceil(PODS[0]),
    },
    Kind {
        plural: "secrets",
        name: "Secret",
        namespaced: true,
        template: include_str!("templates/secret.json"),
        prefix: "sh.helm.release.v1.shop.v",
        count: |pods| pods.div_ceil(PODS[0]),
    },
];

/// Where pods are in [`KINDS`].
pub(super) const POD: usize = 0;

/// What is the same for all objects.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) nodes: usize,
    /// Ids count up instead of being as random as a real cluster's.
    pub(super) counted_ids: bool,
    templates: Vec<Whole>,
    pub(super) last_state: Template,
}

impl Shape {
    pub(super) fn new(pods: usize, counted_ids: bool) -> Self {
        Self {
            nodes: pods.div_ceil(PODS[2]).max(1),
            counted_ids,
            templates: KINDS.iter().map(|kind| Whole::new(kind.template)).collect(),
            last_state: plain(include_str!("templates/last_state.json")),
        }
    }
}

/// How an object is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// In a list of its kind: without `kind` and `apiVersion`, as API servers do.
    Item,
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
}

/// One object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'a> {
    pub(super) shape: &'a Shape,
    pub(super) kind: usize,
    pub(super) number: usize,
    pub(super) state: State,
}

impl Object<'_> {
    pub(super) fn write(&self, form: Form, out: &mut Vec<u8>) {
        let template = &self.shape.templates[self.kind];
        match form {
            Form::Item => out.push(b'{'),
            Form::Whole => {
                put(out, r#"{"kind":""#);
                put(out, KINDS[self.kind].name);
                put(out, r#"","apiVersion":"v1","#);
            }
            Form::Metadata => {
                put(out, r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","#);
            }
        }
        put(out, r#""metadata":"#);
        template.metadata.write(self, out);
        match form {
            Form::Metadata => out.push(b'}'),
            Form::Item | Form::Whole => template.rest.write(self, out),
        }
    }

    pub(super) fn namespace(&self) -> Option<String> {
        KINDS[self.kind].namespaced.then(|| self.text(namespace))
    }

    pub(super) fn name(&self) -> String {
        self.text(name)
    }

    /// Of a pod.
    pub(super) fn node(&self) -> String {
        self.text(node)
    }

    fn text(&self, field: Write) -> String {
        let mut out = Vec::new();
        field(self, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    pub(super) fn is_pod(&self) -> bool {
        self.kind == POD
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::cluster::{Cluster, Deed, one};
    use super::super::fields::number_in;
    use super::*;

    fn written(kind: usize, number: usize, deeds: &[Deed], form: Form) -> Value {
        let (shape, mut cluster) = (Shape::new(100, false), Cluster::new(100));
        for &deed in deeds {
            cluster.does(deed, number);
        }
        let state = one(&cluster.now(kind), number).unwrap();
        let mut json = Vec::new();
        Object { shape: &shape, kind, number, state }.write(form, &mut json);
        assert!(!json.contains(&b'$'), "{}", String::from_utf8_lossy(&json));
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn every_kind_is_json_in_every_form() {
        for (kind, about) in KINDS.iter().enumerate() {
            assert_eq!(written(kind, 1, &[], Form::Whole)["kind"], about.name);
            let item = written(kind, 1, &[], Form::Item);
            assert_eq!(item["kind"], Value::Null);
            let metadata = written(kind, 1, &[], Form::Metadata);
            assert_eq!(metadata["metadata"], item["metadata"]);
            assert_eq!(metadata.as_object().unwrap().len(), 3);
        }
    }

    #[test]
    fn a_pod_has_the_size_that_the_reference_measured() {
        let length = written(POD, 77, &[], Form::Whole).to_string().len();
        assert!((4000..4400).contains(&length), "{length}");
    }

    #[test]
    fn a_restart_leaves_a_last_state_and_a_touch_only_another_time_of_its_manager() {
        let [fresh, touched, restarted] = [&[][..], &[Deed::Touch], &[Deed::Restart]]
            .map(|deeds| written(POD, 5, deeds, Form::Whole));
        assert_eq!(fresh["status"], touched["status"]);
        assert_ne!(fresh["metadata"]["managedFields"], touched["metadata"]["managedFields"]);
        let container = &restarted["status"]["containerStatuses"][0];
        assert_eq!(container["restartCount"], 1);
        let before = &fresh["status"]["containerStatuses"][0];
        assert_eq!(
            container["lastState"]["terminated"]["containerID"].as_str(),
            before["containerID"].as_str()
        );
        assert_ne!(container["containerID"], before["containerID"]);
    }

    #[test]
    fn a_pod_is_found_by_its_name_also_when_it_came_in_anothers_place() {
        for deeds in [&[][..], &[Deed::Replace], &[Deed::Replace; 20]] {
            let pod = written(POD, 42, deeds, Form::Item);
            let name = pod["metadata"]["name"].as_str().unwrap();
            assert_eq!(number_in(POD, name), Some(42), "{name}");
        }
        assert_eq!(number_in(1, "node-00003"), Some(3));
        assert_eq!(number_in(POD, "no-such-n@me"), None);
    }
}
