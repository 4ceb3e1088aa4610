//! `cargo demo` as a newcomer runs it, its page in a browser, and its end. `UPDATE_SCREENSHOTS=1` takes the picture of the
//! README again: `cargo xtask screenshot`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "support of tests: what fails is to be seen, and what is read is the test's own"
)]

mod metrics;
mod run;

use std::time::Duration;

use e2e::browser::{Browser, Scheme};
use e2e::cluster::Cluster;
use e2e::http::get;
use e2e::{servers, wait_until};
use rustix::process::Signal;

use run::{Demo, once, processes_below};

/// How long something may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(3);

/// The least contrast of a text of this selector against what is behind it.
const CONTRAST: &str = "
    const parts = color => color.match(/[0-9.]+/g).map(Number);
    const light = color => parts(color).slice(0, 3).map(c => c / 255)
        .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
    const ground = element => {
        for (; element; element = element.parentElement) {
            const color = getComputedStyle(element).backgroundColor, alpha = parts(color)[3];
            if (alpha === undefined || alpha === 1) return color;
        }
    };
    return Math.min(...[...document.querySelectorAll(arguments[0])].map(element => {
        const [one, two] = [light(getComputedStyle(element).color), light(ground(element))];
        return (Math.max(one, two) + .05) / (Math.min(one, two) + .05);
    }))";

#[test]
fn a_report_names_all_targets_and_nothing_is_left_running() {
    let demo = once(&[]);
    assert!(demo.status.success(), "{demo:?}");
    for service in ["node-exporter", "kube-state", "kube-state-self", "consul-registrar"] {
        let row = demo.out.lines().find(|line| line.contains(&format!("up  {service} ")));
        assert!(row.is_some_and(|row| row.contains(" series")), "{service}: {}", demo.out);
    }
    assert!(demo.out.contains("a sample, as there is no kubeconfig: 47 objects"), "{}", demo.out);
    assert!(demo.out.contains("pods: 1 pending, 13 running, 1 succeeded"), "{}", demo.out);
    assert_eq!(demo.left, [""; 0]);
}

#[test]
fn what_is_not_up_is_named_and_an_error_and_a_cluster_that_is_away_gives_way_to_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let config = "{apiVersion: v1, kind: Config, current-context: c, users: [], \
        clusters: [{name: k, cluster: {server: 'http://127.0.0.1:1'}}], contexts: [{name: c, context: {cluster: k, user: ''}}]}";
    std::fs::write(&kubeconfig, config).unwrap();
    let demo =
        once(&[("NODE_EXPORTER_RS", "/bin/false"), ("KUBECONFIG", kubeconfig.to_str().unwrap())]);
    assert_eq!(demo.status.code(), Some(1), "{demo:?}");
    assert!(demo.err.contains("not all is up: node-exporter: cannot connect"), "{}", demo.err);
    let away = format!("a sample, as {}: ", kubeconfig.display());
    assert!(demo.out.contains(&away), "{}", demo.out);
    assert!(demo.out.contains("up    kube-state "), "{}", demo.out);
    assert_eq!(demo.left, [""; 0]);
}

#[test]
fn a_cluster_that_answers_is_followed() {
    let Some(cluster) = Cluster::old("cargo demo with a cluster") else { return };
    let demo = once(&[("KUBECONFIG", cluster.kubeconfig.to_str().unwrap())]);
    assert!(demo.status.success(), "{demo:?}");
    assert!(demo.out.contains(&format!("the cluster of {}", cluster.kubeconfig.display())));
}

#[test]
fn the_page_shows_without_a_reload_what_goes_down_and_all_ends_with_ctrl_c() {
    let test = "the page of cargo demo in a browser";
    let Some(browser) = Browser::start(test) else { return };
    let (browser, mut demo) = (browser.unwrap(), Demo::start());
    browser.size(1240, 1130).unwrap();
    browser.open(&demo.url).unwrap();
    let all_up = |texts: &[String]| texts.iter().any(|text| text.starts_with("All "));
    browser.wait_for("#summary", all_up).unwrap();
    let with_prometheus = servers::find("prometheus").is_some();
    if with_prometheus {
        let up = |texts: &[String]| !texts.is_empty() && texts.iter().all(|text| text == "up");
        browser.wait_for("td[data-label=Prometheus]", up).unwrap();
    }
    // Enough scrapes for a picture of them.
    let bars = "return Math.min(...[...document.querySelectorAll('tbody svg')].map(svg => svg.childElementCount))";
    wait_until("the pictures of the scrapes", PATIENCE, || {
        let count = browser.evaluate(bars, &[])?.as_i64().unwrap_or(0);
        anyhow::ensure!(count >= 12, "{count} bars");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    browser.document("docs/demo.png").unwrap();
    assert_eq!(browser.problems().unwrap(), [""; 0]);

    // A page that was loaded again would know neither of these.
    browser
        .evaluate("window.same = 'page'; document.querySelector('.links a').focus()", &[])
        .unwrap();
    let row = "tr[id^='node-exporter-']";
    let own = processes_below(demo.server.pid());
    let (node, _) = own.iter().find(|(_, name)| name.starts_with("node-exporter")).unwrap();
    run::kill(*node);
    browser.wait_for(&format!("{row} strong"), |texts| texts == ["down"]).unwrap();
    let others = browser.texts("tr:not([id^='node-exporter-']) strong").unwrap();
    assert!(others.len() >= 4 && others.iter().all(|state| state == "up"), "{others:?}");
    assert!(browser.texts("#summary").unwrap()[0].starts_with("1 of "));
    let title = browser.evaluate("return document.title", &[]).unwrap();
    assert!(title.as_str().unwrap().ends_with("is down"), "{title}");
    assert!(browser.texts(&format!("{row} p.bad")).unwrap()[0].contains("cannot connect"));
    assert_eq!(browser.evaluate("return window.same", &[]).unwrap(), "page");
    let focus = browser.evaluate("return document.activeElement.textContent", &[]).unwrap();
    assert_eq!(focus, "page");
    if with_prometheus {
        let said = format!("{row} td[data-label=Prometheus]");
        browser.wait_for(&said, |texts| texts == ["down"]).unwrap();
    }

    for (service, file) in [
        ("kube-state", "kube-state-rs/docs/metrics.md"),
        ("cadvisor-proxy", "cadvisor-proxy-rs/docs/metrics.md"),
        ("cadvisor-proxy-self", "cadvisor-proxy-rs/docs/metrics.md"),
        ("consul-registrar", "consul-registrar/docs/metrics.md"),
    ] {
        // A machine without cgroups has no proxy to ask.
        if let Some(url) = demo.url_of(service) {
            metrics::are_documented(&url, file);
        }
    }

    looks_right(&browser);
    assert_eq!(browser.problems().unwrap(), [""; 0]);
    let foreign = browser.resources().unwrap();
    assert!(foreign.iter().all(|url| url.starts_with(&demo.url)), "{foreign:?}");
    works_without_scripts(&demo);

    let own = processes_below(demo.server.pid());
    demo.server.signal(Signal::INT).unwrap();
    assert!(demo.server.wait(PATIENCE).unwrap().success(), "{}", demo.server.log());
    assert_eq!(run::alive(&own), [""; 0]);
    browser.wait_for("#lost", |texts| texts.len() == 1 && !texts[0].is_empty()).unwrap();
}

fn looks_right(browser: &Browser) {
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.scheme(scheme).unwrap();
        for selector in [
            "#summary",
            "h1",
            "small",
            "th",
            "td",
            "td a",
            "td strong",
            ".labels span",
            "td p",
            "dt",
            "dd",
        ] {
            let contrast = browser.evaluate(CONTRAST, &[selector.into()]).unwrap();
            assert!(contrast.as_f64().unwrap() >= 4.5, "{selector} {scheme:?}: {contrast}");
        }
        for width in [320, 390, 800, 1056, 1060, 1240, 1920] {
            browser.size(width, 900).unwrap();
            assert_eq!(browser.overflow().unwrap(), 0, "{width}");
        }
    }
}

/// What the server writes is the whole page, and asks a browser without scripts to come again.
fn works_without_scripts(demo: &Demo) {
    let page = get(demo.address, "/").unwrap();
    let text = page.text().unwrap();
    assert!(text.contains("<noscript><meta http-equiv=refresh"), "{text}");
    assert!(text.contains("<strong class=bad>down</strong>"), "{text}");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}
