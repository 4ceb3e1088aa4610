//! Beside an app in its pod: images with nothing in them but the program, the pod's facts by the downward API.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::cluster::{Cluster, Space};
use e2e::{Image, Scrape, agent, servers, wait_until};

use crate::subject::label;
use crate::truth;

const POD: &str = include_str!("objects/sidecar.yaml");
const PATIENCE: Duration = Duration::from_mins(3);

/// A scrape of the proxy at the pod's own address, which is answered too.
fn scrape(cluster: &Cluster, space: &str) -> Result<(Scrape, String)> {
    let shown = truth::now(cluster, space)?;
    let ip = shown.values().next().context("the pod has no address yet")?;
    let response = e2e::http::get(format!("{ip}:4194").parse()?, "/metrics")?;
    let text = response.text()?;
    ensure!(response.status == 200, "{} {text}", response.status);
    Ok((Scrape::parse(&text)?, ip.clone()))
}

/// Starts the pod with these flags of the proxy; answers its first whole scrape.
fn started(cluster: &Cluster, space: &Space<'_>, images: [&Image; 2], flags: &[&str]) -> Scrape {
    let flags: Vec<String> = flags.iter().map(|flag| format!("{flag:?}")).collect();
    let [app, proxy] = images.map(Image::name);
    let manifest = POD.replace("HERE", &space.name).replace("FLAGS", &flags.join(", "));
    cluster.apply(&manifest.replace("APP", app).replace("PROXY", proxy));
    let (scrape, ip) = wait_until("pod", PATIENCE, || {
        let (found, ip) = scrape(cluster, &space.name)?;
        ensure!(found.of("node_load1").next().is_some(), "the app is not there yet");
        Ok::<_, anyhow::Error>((found, ip))
    })
    .unwrap();
    for key in scrape.series.keys() {
        assert_eq!(label(key, "pod_name"), Some("app"), "{key}");
        assert_eq!(label(key, "pod_ip"), Some(ip.as_str()), "{key}");
    }
    scrape
}

/// The pod is gone before its images are; its namespace takes a minute more, and nobody waits for it.
fn end(cluster: &Cluster, space: Space<'_>) {
    let delete = ["delete", "pod", "app", "--namespace", &space.name, "--timeout=240s"];
    cluster.kubectl(&delete).unwrap();
    drop(space);
}

#[test]
fn an_app_and_its_exporters_carry_the_pods_name_and_address() {
    let test = "cadvisor-proxy-rs beside an app in a pod";
    let Some(cluster) = Cluster::old(test) else { return };
    let Some(app) = servers::need(test, "node_exporter") else { return };
    let images = [Image::of(&app), Image::of(&agent::cadvisor_proxy_rs().unwrap())];
    let images = [&images[0], &images[1]];
    let space = cluster.space("sidecar");
    let one = ["--source=exporter", "--target=http://127.0.0.1:9100/metrics"];
    let scrape = started(&cluster, &space, images, &one);
    assert!(scrape.series.keys().all(|key| label(key, "exporter").is_none()));
    end(&cluster, space);
    let space = cluster.space("sidecars");
    let several = [
        "--source=exporter",
        "--labels=namespace",
        "--target=app=http://127.0.0.1:9100/metrics",
        "--target=http://127.0.0.1:4195/metrics",
        "--target=away=http://127.0.0.1:1/metrics",
    ];
    let scrape = started(&cluster, &space, images, &several);
    for (key, _) in scrape.of("node_load1") {
        assert_eq!(label(key, "exporter"), Some("app"), "{key}");
        assert_eq!(label(key, "namespace"), Some(space.name.as_str()), "{key}");
    }
    for (key, _) in scrape.of("cadvisor_proxy_build_info") {
        assert_eq!(label(key, "exporter"), Some("127.0.0.1:4195"), "{key}");
    }
    for (key, up) in scrape.of("cadvisor_proxy_target_up") {
        assert_eq!(up == 0.0, label(key, "exporter") == Some("away"), "{key} {up}");
    }
    end(&cluster, space);
}
