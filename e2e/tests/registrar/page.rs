//! The page on `/` in a browser, as a person meets it. `UPDATE_SCREENSHOTS=1` takes the picture of the documentation again.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use e2e::agent::{Agent, consul_registrar, local};
use e2e::browser::{Browser, Scheme};
use e2e::free_port;

use crate::consul::{self, CONVERGED, Consul};

/// Twelve nodes of a cluster and what else there is in one; two targets cannot be shown.
fn cluster() -> String {
    let mut text = String::new();
    for (service, port, scheme) in
        [("node-exporter", 9100, "http"), ("cadvisor", 4194, "http"), ("kubelet", 10250, "https")]
    {
        for n in 1..=12 {
            _ = writeln!(
                text,
                "- {{service: {service}, targets: ['10.20.0.{n}:{port}'], node: node-{n:02}, scheme: {scheme}}}"
            );
        }
    }
    text + "
- {service: kube-apiserver, targets: ['10.20.0.250:6443'], scheme: https}
- {service: etcd, targets: ['10.20.0.1:2379', '[fd00::1]:2379'], node: node-01, scheme: https}
- {service: app, targets: ['10.30.4.7:8080'], node: '<b>node</b>', meta: {namespace: shop, pod_name: web-1}}
- {service: app, targets: ['10.30.4.8:70000'], node: node-07, meta: {namespace: shop, pod_name: web-2}}
- {service: app, targets: ['10.30.4.300:8080'], node: node-08, meta: {namespace: shop, pod_name: web-3}}
"
}

fn registrar(folder: &Path, consul: &Consul) -> Agent {
    std::fs::create_dir(folder.join("targets")).unwrap();
    std::fs::write(folder.join("targets/bj-1.yaml"), cluster()).unwrap();
    let mut command = Command::new(consul_registrar().unwrap());
    command.current_dir(folder);
    command.args(["static", "--cluster-name=bj-1", "--group-size=16", "--file=targets/*.yaml"]);
    command.args(["--sink=consul", "--sink=file=out/targets-{group}.json"]);
    command.arg(format!("--consul={}", consul.url()));
    std::fs::create_dir(folder.join("out")).unwrap();
    Agent::start_at(local(free_port().unwrap()), command).unwrap()
}

/// The least contrast of a text of this selector against the page.
const CONTRAST: &str = "
    const numbers = color => color.match(/[0-9.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
    const canvas = document.createElement('canvas').getContext('2d');
    const opaque = color => {
        canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const page = getComputedStyle(document.documentElement).backgroundColor;
    const ground = opaque(/, 0\\)$/.test(page) ? 'Canvas' : page);
    return Math.min(...[...document.querySelectorAll(arguments[0])].map(element => {
        const style = getComputedStyle(element), opacity = Number(style.opacity);
        const text = numbers(style.color).slice(0, 3)
            .map((c, i) => c * opacity + ground[i] * (1 - opacity));
        const [one, two] = [light(text), light(ground)];
        return (Math.max(one, two) + .05) / (Math.min(one, two) + .05);
    }))";

#[test]
fn a_person_finds_every_target_and_what_is_held_back_and_why() {
    let test = "the registrar's page in a browser";
    let Some(browser) = Browser::start(test) else { return };
    let Some(consul) = consul::start(test) else { return };
    let (browser, folder) = (browser.unwrap(), tempfile::tempdir().unwrap());
    let registrar = registrar(folder.path(), &consul);
    browser.size(1100, 860).unwrap();
    browser.open(&registrar.url("/")).unwrap();

    assert_eq!(
        browser.texts(".verdict").unwrap(),
        ["All sources are read, and all sinks are as they should be."]
    );
    let titles = browser.texts("h2").unwrap();
    assert_eq!(titles, ["Held back", "Sources", "Sinks", "Groups and services", "Targets: 40"]);
    let held = browser.texts("#held + div tr").unwrap().join("\n");
    for part in [
        "10.30.4.8:70000",
        "port \"70000\" is not one of 1 to 65535",
        "10.30.4.300",
        "targets/bj-1.yaml, line 41",
    ] {
        assert!(held.contains(part), "{part} in {held}");
    }
    let targets = browser.texts("#targets ~ div tr").unwrap();
    assert_eq!(targets.len(), 41);
    let app = targets.iter().find(|row| row.starts_with("app")).unwrap();
    assert!(app.contains("http://10.30.4.7:8080/metrics") && app.contains("<b>node</b>"), "{app}");
    assert!(
        targets.iter().any(|row| row.contains("https://[fd00::1]:2379/metrics")),
        "{targets:?}"
    );
    browser.document("consul-registrar/docs/page.png").unwrap();

    // From the count of a service in a group to its targets, and from there to one of them.
    browser.click("a[href*='group=g1'][href*='service=kubelet']").unwrap();
    let rows = browser.wait_for("#targets ~ div tr", |rows| rows.len() < 41).unwrap();
    assert!(rows.iter().skip(1).all(|row| row.starts_with("kubelet\tg1\t")), "{rows:?}");
    browser.enter("input[name=find]", "NODE-07").unwrap();
    browser.click("form button").unwrap();
    let rows = browser.wait_for("#targets ~ div tr", |rows| rows.len() == 2).unwrap();
    assert!(rows[1].contains("10.20.0.7:10250"), "{rows:?}");
    browser.open(&registrar.url("/?find=nowhere")).unwrap();
    assert_eq!(browser.texts("#targets ~ p").unwrap(), ["There is no such target."]);

    assert_eq!(browser.problems().unwrap(), [""; 0]);
    assert_eq!(browser.resources().unwrap(), [""; 0]);
}

#[test]
fn the_page_is_read_on_a_phone_and_in_the_dark_and_tells_that_consul_is_away() {
    let test = "the registrar's page on a phone";
    let Some(browser) = Browser::start(test) else { return };
    let Some(consul) = consul::start(test) else { return };
    let (browser, folder) = (browser.unwrap(), tempfile::tempdir().unwrap());
    let registrar = registrar(folder.path(), &consul);
    browser.open(&registrar.url("/")).unwrap();
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.scheme(scheme).unwrap();
        for selector in ["p", "a", ".good", ".bad", ".faint", "td", "small"] {
            let contrast = browser.evaluate(CONTRAST, &[selector.into()]).unwrap();
            assert!(contrast.as_f64().unwrap() >= 4.5, "{selector} {scheme:?}: {contrast}");
        }
        browser.size(390, 844).unwrap();
        assert_eq!(browser.overflow().unwrap(), 0);
        browser.size(1280, 900).unwrap();
        assert_eq!(browser.overflow().unwrap(), 0);
    }
    assert_eq!(browser.problems().unwrap(), [""; 0]);

    drop(consul);
    e2e::wait_until("the end of Consul on the page", CONVERGED, || {
        browser.open(&registrar.url("/"))?;
        let verdict = browser.texts(".bad.verdict")?;
        anyhow::ensure!(verdict.iter().any(|text| text.starts_with("Consul: ")), "{verdict:?}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    assert_eq!(browser.texts("#targets").unwrap(), ["Targets: 40"]);
}
