//! Custom resources, which come and go while kube-state-rs runs.

use std::time::Duration;

use anyhow::ensure;
use e2e::{exposition, wait_until};

use crate::checker::Checker;
use crate::subject::{Subject, everything};
use e2e::cluster::Cluster;

const CONFIG: &str = include_str!("objects/widgets.yaml");
const DEFINITION: &str = include_str!("objects/definition.yaml");

/// Discovery is asked twice a minute, and what it said last may be as old.
const PATIENCE: Duration = Duration::from_secs(100);

#[test]
fn custom_resources_appear_with_their_definition_and_go_with_it() {
    let test = "custom resources";
    let Some(cluster) = Cluster::modern(test, &[]) else { return };
    let file = cluster.folder().join("widgets.yaml");
    std::fs::write(&file, CONFIG).unwrap();
    let flag = format!("--custom-resource-state-config-file={}", file.display());
    let subject = Subject::with(&cluster.kubeconfig, everything(), &[&flag]);
    let checker = Checker::start(subject.agent.address, "e2e-custom");
    let sizes = |due: &[(&str, f64)]| {
        wait_until("widgets", PATIENCE, || {
            let scrape = subject.scrape()?;
            let told = scrape.of("kube_customresource_widget_size");
            let told: Vec<_> = told
                .map(|(key, value)| (exposition::label(key, "name").unwrap_or_default(), value))
                .collect();
            let due: Vec<_> = due.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
            ensure!(told == due, "{told:?} instead of {due:?}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    };
    sizes(&[]);
    cluster.apply(DEFINITION);
    let established = ["wait", "--for=condition=Established", "crd/widgets.e2e.example"];
    cluster.kubectl(&established).unwrap();
    let space = cluster.space("custom");
    let widget = |name: &str, size: u32| {
        let yaml = "apiVersion: e2e.example/v1\nkind: Widget\nmetadata: {name: NAME, namespace: SPACE}\nspec: {size: SIZE}\n";
        let yaml = yaml.replace("SPACE", &space.name).replace("NAME", name);
        cluster.apply(&yaml.replace("SIZE", &size.to_string()));
    };
    widget("one", 1);
    widget("two", 2);
    sizes(&[("one", 1.0), ("two", 2.0)]);
    widget("one", 11);
    cluster.kubectl(&["delete", "widget/two", "--namespace", &space.name]).unwrap();
    sizes(&[("one", 11.0)]);
    cluster.kubectl(&["delete", "crd/widgets.e2e.example"]).unwrap();
    sizes(&[]);
    checker.finish(test);
}
