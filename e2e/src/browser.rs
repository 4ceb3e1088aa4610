//! A page as a person sees it: headless Chromium, told what to do by chromedriver.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use exporter_toolkit::base64;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Connection, Request};
use crate::{Server, agent, free_port, servers, wait_until};

/// How long a browser may take to start, or a page to be there, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(3);

/// Nothing of this machine is shown, kept or asked, and no name but this machine's is looked up: a page that loads
/// something from elsewhere has a failed request in its [console](Browser::problems).
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.*",
];

/// A browser with one window and nothing of an earlier one. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    address: SocketAddr,
    /// `/session/ID`
    session: String,
    /// Chromium itself, should it not end when it is asked to.
    process: Option<Pid>,
    _driver: Server,
    _home: TempDir,
}

/// What `prefers-color-scheme` says.
#[derive(Clone, Copy, Debug)]
pub enum Scheme {
    Light,
    Dark,
}

impl Browser {
    /// `None` where there is no browser, and the test is skipped.
    pub fn start(test: &str) -> Option<Result<Self>> {
        let (chromium, driver) =
            (servers::need(test, "chromium")?, servers::need(test, "chromedriver")?);
        Some(Self::launch(&chromium, &driver))
    }

    /// As [`start`](Self::start), where no test is skipped.
    pub fn launch(chromium: &Path, driver: &Path) -> Result<Self> {
        let (home, port) = (tempfile::tempdir()?, free_port()?);
        let address = agent::local(port);
        let mut command = Command::new(driver);
        command.arg(format!("--port={port}")).env("HOME", home.path());
        let driver = Server::start("chromedriver", &mut command)?;
        wait_until("chromedriver", PATIENCE, || {
            let status = call(address, "GET", "/status", None)?;
            ensure!(status["ready"] == true, "{status}");
            Ok::<_, anyhow::Error>(())
        })
        .with_context(|| driver.log())?;
        let wanted = capabilities(chromium, home.path());
        let made =
            call(address, "POST", "/session", Some(&wanted)).with_context(|| driver.log())?;
        let id = made["sessionId"].as_str().with_context(|| format!("no session: {made}"))?;
        let process = made["capabilities"]["goog:processID"].as_i64();
        let process = process.and_then(|process| Pid::from_raw(process.try_into().ok()?));
        let session = format!("/session/{id}");
        let browser = Self { address, session, process, _driver: driver, _home: home };
        browser.size(1280, 900)?;
        Ok(browser)
    }

    /// Opens a page and waits until it is loaded. What the console said before is forgotten.
    pub fn open(&self, url: &str) -> Result<()> {
        self.problems()?;
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// The part of a page that is seen. A narrow one behaves as a phone's.
    pub fn size(&self, width: u32, height: u32) -> Result<()> {
        let mobile = width < 600;
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.protocol("Emulation.setDeviceMetricsOverride", &metrics).map(drop)
    }

    pub fn scheme(&self, scheme: Scheme) -> Result<()> {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let feature = json!({"name": "prefers-color-scheme", "value": value});
        self.protocol("Emulation.setEmulatedMedia", &json!({"features": [feature]})).map(drop)
    }

    /// Runs the body of a function: `return document.title`. `arguments[0]` and so on are what is given.
    pub fn evaluate(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        self.post("/execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// The texts of all elements of a CSS selector that are shown, as a person reads them.
    pub fn texts(&self, selector: &str) -> Result<Vec<String>> {
        const SCRIPT: &str = "return [...document.querySelectorAll(arguments[0])]\
            .filter(e => e.checkVisibility()).map(e => e.innerText.trim())";
        let texts = self.evaluate(SCRIPT, &[selector.into()])?;
        Ok(serde_json::from_value(texts)?)
    }

    /// Waits until the texts of a selector's elements are right, and returns them.
    pub fn wait_for(
        &self,
        selector: &str,
        right: impl Fn(&[String]) -> bool,
    ) -> Result<Vec<String>> {
        wait_until(selector, PATIENCE, || {
            let texts = self.texts(selector)?;
            ensure!(right(&texts), "{texts:?}");
            Ok::<_, anyhow::Error>(texts)
        })
    }

    /// Clicks where the first element of a selector is; an error where something else is in front of it.
    pub fn click(&self, selector: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.post(&format!("/element/{element}/click"), &json!({})).map(drop)
    }

    /// Types into the first element of a selector, after what is in it.
    pub fn enter(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.post(&format!("/element/{element}/value"), &json!({ "text": text })).map(drop)
    }

    /// Warnings and errors of the console since the last call, failed requests among them. None is what a page should have.
    pub fn problems(&self) -> Result<Vec<String>> {
        let log = self.post("/se/log", &json!({"type": "browser"}))?;
        let entries = log.as_array().into_iter().flatten();
        let bad = entries.filter(|entry| matches!(text(&entry["level"]), "SEVERE" | "WARNING"));
        Ok(bad.map(|entry| text(&entry["message"]).to_owned()).collect())
    }

    /// The URLs of all that the page has asked for beside itself.
    pub fn resources(&self) -> Result<Vec<String>> {
        const SCRIPT: &str = "return performance.getEntriesByType('resource').map(e => e.name)";
        Ok(serde_json::from_value(self.evaluate(SCRIPT, &[])?)?)
    }

    /// By how many pixels the page is wider than what is seen of it: what a person would have to scroll sideways.
    pub fn overflow(&self) -> Result<i64> {
        const SCRIPT: &str = "const page = document.documentElement;\
            return page.scrollWidth - page.clientWidth";
        self.evaluate(SCRIPT, &[])?.as_i64().context("no number")
    }

    /// What is seen, as a PNG file.
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        self.capture(file, &json!({"format": "png"}))
    }

    /// A picture of the documentation, by its path in the workspace: taken again where `UPDATE_SCREENSHOTS` is set.
    pub fn document(&self, file: &str) -> Result<()> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
        match std::env::var_os("UPDATE_SCREENSHOTS") {
            Some(_) => self.screenshot(&workspace.join(file)),
            None => Ok(()),
        }
    }

    /// The whole page, as a PNG file; at most 10,000 pixels high.
    pub fn whole_page(&self, file: &Path) -> Result<()> {
        const SCRIPT: &str = "const page = document.documentElement;\
            return [page.clientWidth, Math.min(page.scrollHeight, 10000)]";
        let size = self.evaluate(SCRIPT, &[])?;
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        self.capture(file, &json!({"format": "png", "captureBeyondViewport": true, "clip": clip}))
    }

    fn capture(&self, file: &Path, how: &Value) -> Result<()> {
        let shot = self.protocol("Page.captureScreenshot", how)?;
        let png = base64::decode(text(&shot["data"])).context("no picture")?;
        std::fs::write(file, png).with_context(|| file.display().to_string())
    }

    fn element(&self, selector: &str) -> Result<String> {
        let how = json!({"using": "css selector", "value": selector});
        let found = self.post("/element", &how).with_context(|| selector.to_owned())?;
        let id = found.as_object().and_then(|found| found.values().next()?.as_str());
        Ok(id.with_context(|| format!("no element: {found}"))?.to_owned())
    }

    /// Chromium's own protocol, for what there is no other command for.
    fn protocol(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        call(self.address, "POST", &format!("{}{path}", self.session), Some(body))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let ended = Request::new(self.address, &self.session).timeout(Duration::from_secs(20));
        let ended = ended.sending("DELETE", "application/json", Vec::new());
        let ended = Connection::default().send(&ended);
        if let (Err(_), Some(process)) = (ended, self.process) {
            // It may be what has ended.
            _ = kill_process(process, Signal::KILL);
        }
    }
}

fn capabilities(chromium: &Path, home: &Path) -> Value {
    let profile = format!("--user-data-dir={}", home.join("profile").display());
    let flags: Vec<&str> = FLAGS.into_iter().chain([&*profile]).collect();
    let always = json!({
        "browserName": "chrome",
        "timeouts": {"pageLoad": PATIENCE.as_millis(), "script": PATIENCE.as_millis()},
        "goog:chromeOptions": {"binary": chromium, "args": flags},
        "goog:loggingPrefs": {"browser": "ALL"},
    });
    json!({"capabilities": {"alwaysMatch": always}})
}

/// A command's value.
fn call(
    address: SocketAddr,
    method: &'static str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value> {
    // The command's own end comes first.
    let request = Request::new(address, path).timeout(PATIENCE + Duration::from_secs(10));
    let request = match body {
        Some(body) => request.sending(method, "application/json", serde_json::to_vec(body)?),
        None => request,
    };
    // chromedriver keeps a connection open although it is asked not to.
    let answer = Connection::default().send(&request)?;
    let body = answer.text()?;
    let mut value: Value =
        serde_json::from_str(&body).with_context(|| format!("{path}: {body}"))?;
    let value = value["value"].take();
    if answer.status != 200 {
        let said = text(&value["message"]).lines().next().unwrap_or_default();
        bail!("{}: {said}", text(&value["error"]));
    }
    Ok(value)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const PAGE: &str = "<!doctype html><title>t</title><meta name=viewport content='width=device-width'><link rel=icon href='data:,'>\
        <style>:root{color-scheme:light dark}p{color:red}@media(prefers-color-scheme:dark){p{color:blue}}</style>\
        <p>one<p hidden>two<p>three</p><input><button onclick='document.title=document.querySelector(\"input\").value'>b</button>\
        <div style='width:900px'>wide</div>";

    /// Answers each request with a page.
    fn serve(page: &'static str) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    page.len()
                );
                // Who asks may be gone.
                _ = stream.read(&mut [0; 4096]);
                _ = stream.write_all(&[head.as_bytes(), page.as_bytes()].concat());
            }
        });
        address
    }

    #[test]
    fn a_page_is_read_used_and_seen() {
        let Some(browser) = Browser::start("a page in a browser") else { return };
        let browser = browser.unwrap();
        browser.open(&format!("http://{}", serve(PAGE))).unwrap();
        assert_eq!(browser.texts("p").unwrap(), ["one", "three"]);
        browser.enter("input", "typed").unwrap();
        browser.click("button").unwrap();
        assert_eq!(browser.evaluate("return document.title", &[]).unwrap(), "typed");
        assert!(browser.click("table").is_err());
        let color = "return getComputedStyle(document.querySelector('p')).color";
        browser.scheme(Scheme::Light).unwrap();
        assert_eq!(browser.evaluate(color, &[]).unwrap(), "rgb(255, 0, 0)");
        browser.scheme(Scheme::Dark).unwrap();
        assert_eq!(browser.evaluate(color, &[]).unwrap(), "rgb(0, 0, 255)");
        assert_eq!(browser.overflow().unwrap(), 0);
        browser.size(390, 844).unwrap();
        assert!(browser.overflow().unwrap() > 0);
        let file = tempfile::NamedTempFile::new().unwrap();
        browser.whole_page(file.path()).unwrap();
        let mut png = Vec::new();
        std::fs::File::open(file.path()).unwrap().read_to_end(&mut png).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{} bytes", png.len());
        assert_eq!(browser.problems().unwrap(), [""; 0]);
    }

    #[test]
    fn what_a_page_does_wrong_is_told() {
        let Some(browser) = Browser::start("the console of a browser") else { return };
        let browser = browser.unwrap();
        let page = serve(
            "<!doctype html><link rel=icon href='data:,'><script>console.error('oh no')</script>\
            <script>nothing.at.all()</script><img src='http://elsewhere.example/a.png'>",
        );
        browser.open(&format!("http://{page}")).unwrap();
        let problems = browser.problems().unwrap();
        for part in ["oh no", "nothing is not defined", "elsewhere.example"] {
            assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:?}");
        }
        assert_eq!(browser.resources().unwrap(), ["http://elsewhere.example/a.png"]);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = browser.open(&format!("http://{free}")).unwrap_err().to_string();
        assert!(refused.contains("ERR_CONNECTION_REFUSED"), "{refused}");
    }

    #[test]
    fn a_browser_ends_with_its_guard() {
        let Some(browser) = Browser::start("the end of a browser") else { return };
        let process = browser.unwrap().process.unwrap();
        wait_until("end of Chromium", PATIENCE, || {
            let runs = rustix::process::test_kill_process(process).is_ok();
            if runs { Err("it runs") } else { Ok(()) }
        })
        .unwrap();
    }
}
