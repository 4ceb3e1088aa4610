//! Applications whose series are known: one with the sidecar that is shipped, one without.

use e2e::cluster::Cluster;

use crate::images::{Images, PREFIX};
use crate::stage::{APPS, Files};

const PLAIN: &str = include_str!("objects/plain.yaml");

/// What `your-app` of the sidecar's overlay is here. Its own metrics are where the overlay says that they are.
const SERVES: &str = r#"mkdir -p /www; printf '# TYPE app_requests_total counter\napp_requests_total{path="/"} 42\n' > /www/metrics; exec httpd -f -p 127.0.0.1:9090 -h /www"#;

pub(crate) fn raise(files: &Files<'_>, cluster: &Cluster, images: &Images) {
    cluster.kubectl(&["create", "namespace", APPS]).unwrap();
    let tag = &images.tag;
    files.overlay(
        "beside",
        &format!(
            "namespace: {APPS}
resources: [../sidecar]
images:
- {{name: your-app, newName: testbed/busybox, newTag: \"1\"}}
- {{name: cadvisor-proxy-rs, newName: {PREFIX}cadvisor-proxy-rs, newTag: {tag:?}}}
patches:
- target: {{kind: Deployment, name: app}}
  patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: app}}
    spec:
      template:
        spec:
          terminationGracePeriodSeconds: 1
          containers:
          - {{name: app, command: [/bin/sh, -c, {SERVES:?}]}}
"
        ),
    );
    files.apply("beside").unwrap();
    cluster.apply(&plain("plain", 2));
}

/// A Deployment of so many annotated pods.
pub(crate) fn plain(name: &str, replicas: usize) -> String {
    PLAIN.replace("SPACE", APPS).replace("NAME", name).replace("REPLICAS", &replicas.to_string())
}
