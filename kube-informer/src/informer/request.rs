//! The URLs and `Accept` headers of lists and watches.

use std::fmt::Write as _;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Selection, View};
use crate::Resource;

/// What may stand in a query as it is (RFC 3986).
const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b',');

/// For a list; a server that knows no partial objects sends whole ones.
pub(crate) const fn accept_list(view: View) -> &'static str {
    match view {
        View::Full => "application/json",
        View::Metadata => {
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
        }
        View::Table(_) => "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    }
}

pub(crate) const fn accept_watch(view: View) -> &'static str {
    match view {
        View::Metadata => {
            "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
        }
        View::Full | View::Table(_) => accept_list(view),
    }
}

/// One page of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    /// Objects; 0: all of them.
    pub(crate) limit: u64,
    /// `continue` of the page before; empty for the first one.
    pub(crate) next: String,
}

pub(crate) fn list(resource: &Resource, selection: &Selection, view: View, page: &Page) -> String {
    let mut url = Url::new(resource, selection, view);
    if page.limit > 0 {
        url.add("limit", &page.limit.to_string());
    }
    if !page.next.is_empty() {
        url.add("continue", &page.next);
    } else if selection.use_cache {
        url.add("resourceVersion", "0");
    }
    url.text
}

/// The shortest list that tells at which version etcd is.
pub(crate) fn shortest(resource: &Resource, selection: &Selection) -> String {
    let selection = Selection { use_cache: false, ..selection.clone() };
    list(resource, &selection, View::Metadata, &Page { limit: 1, next: String::new() })
}

/// A list that comes as the first events of a watch (KEP-3157).
pub(crate) fn streaming(
    resource: &Resource,
    selection: &Selection,
    view: View,
    timeout: Duration,
) -> String {
    let mut url = Url::new(resource, selection, view);
    url.watch(timeout);
    url.add("sendInitialEvents", "true");
    url.add("resourceVersionMatch", "NotOlderThan");
    if selection.use_cache {
        url.add("resourceVersion", "0");
    }
    url.text
}

/// Changes since `version`.
pub(crate) fn watch(
    resource: &Resource,
    selection: &Selection,
    view: View,
    version: &str,
    timeout: Duration,
) -> String {
    let mut url = Url::new(resource, selection, view);
    url.watch(timeout);
    if !version.is_empty() {
        url.add("resourceVersion", version);
    }
    url.text
}

struct Url {
    text: String,
    separator: char,
}

impl Url {
    fn new(resource: &Resource, selection: &Selection, view: View) -> Self {
        let namespace = selection.namespace.as_deref().filter(|_| resource.namespaced);
        let mut url = Self { text: resource.gvr.path(namespace), separator: '?' };
        if let View::Table(_) = view {
            // The object beside the cells of each row: its metadata alone.
            url.add("includeObject", "Metadata");
        }
        for (name, value) in [
            ("fieldSelector", &selection.field_selector),
            ("labelSelector", &selection.label_selector),
        ] {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                url.add(name, value);
            }
        }
        url
    }

    fn watch(&mut self, timeout: Duration) {
        self.add("watch", "true");
        self.add("allowWatchBookmarks", "true");
        self.add("timeoutSeconds", &timeout.as_secs().max(1).to_string());
    }

    fn add(&mut self, name: &str, value: &str) {
        let value = utf8_percent_encode(value, KEPT);
        // Writing to a string cannot fail.
        write!(self.text, "{}{name}={value}", self.separator).unwrap_or_default();
        self.separator = '&';
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gvr;

    fn pods() -> Resource {
        let gvr = Gvr::new("", "v1", "pods");
        Resource { gvr, kind: "Pod".to_owned(), namespaced: true }
    }

    fn selection() -> Selection {
        Selection {
            namespace: Some("shop".to_owned()),
            field_selector: Some("spec.nodeName=n1,metadata.namespace!=kube-system".to_owned()),
            ..Selection::of([pods().gvr])
        }
    }

    #[test]
    fn a_page_carries_its_selectors_and_the_token_of_the_page_before() {
        let page = Page { limit: 500, next: "a+b=".to_owned() };
        assert_eq!(
            list(&pods(), &selection(), View::Full, &page),
            "/api/v1/namespaces/shop/pods?fieldSelector=spec.nodeName%3Dn1,metadata.namespace%21%3Dkube-system\
             &limit=500&continue=a%2Bb%3D"
        );
    }

    #[test]
    fn only_the_first_page_may_come_from_the_cache() {
        // The API refuses a version beside a continue token: the token holds one.
        let cached = Selection { use_cache: true, ..Selection::of([pods().gvr]) };
        let first = list(&pods(), &cached, View::Full, &Page::default());
        assert_eq!(first, "/api/v1/pods?resourceVersion=0");
        let page = Page { limit: 0, next: "t".to_owned() };
        assert_eq!(list(&pods(), &cached, View::Full, &page), "/api/v1/pods?continue=t");
    }

    #[test]
    fn a_streaming_list_is_a_watch_with_initial_events() {
        let all = Selection::of([pods().gvr]);
        assert_eq!(
            streaming(&pods(), &all, View::Table(&[]), Duration::from_mins(5)),
            "/api/v1/pods?includeObject=Metadata&watch=true&allowWatchBookmarks=true&timeoutSeconds=300\
             &sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        );
    }

    #[test]
    fn a_watch_starts_at_a_version_and_a_cluster_resource_has_no_namespace() {
        let nodes = Resource { namespaced: false, gvr: Gvr::new("", "v1", "nodes"), ..pods() };
        let selection = Selection { field_selector: None, ..selection() };
        assert_eq!(
            watch(&nodes, &selection, View::Full, "17", Duration::from_secs(1)),
            "/api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=17"
        );
    }
}
