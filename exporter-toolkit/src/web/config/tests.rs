use std::fs;

use tempfile::TempDir;

use super::*;

const HASH: &str = "$2y$04$UuTkLRZZ6QofpDOlMz32MuuxEHA43WOemOYHPz6.SjsVsyO1tDU96";

struct Folder(TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(text);
        folder
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("web.yml")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    fn keeper(&self) -> Result<Keeper, String> {
        let opened = Keeper::open(Some(self.file()), Duration::ZERO, Arc::default());
        opened.map_err(|error| error.to_string())
    }
}

fn opened(text: &str) -> Result<Arc<Secured>, String> {
    Folder::with(text).keeper().map(|keeper| keeper.current())
}

#[test]
fn an_empty_file_secures_nothing() {
    for text in
        ["", "# nothing\n", "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n", "{}"]
    {
        let secured = opened(text).unwrap();
        assert!(
            secured.tls.is_none() && secured.login.is_none() && secured.rate.is_none(),
            "{text}"
        );
    }
}

#[test]
fn headers_are_taken_from_the_documented_set() {
    let secured = opened(
        "http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n    \
         X-XSS-Protection: 1\n    X-Content-Type-Options: \"\"\n",
    )
    .unwrap();
    let pairs: Vec<_> =
        secured.headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
    assert_eq!(pairs, [("x-frame-options", "deny"), ("x-xss-protection", "1")]);
}

#[test]
fn an_error_names_file_line_and_what_is_allowed() {
    for (text, line, parts) in [
        ("a: 1\n", 1, &["unknown field", "`a`", "rate_limit"][..]),
        ("\ntls_server_config:\n  certfile: x\n", 3, &["`certfile`", "cert_file"]),
        ("http_server_config:\n  headers:\n    Server: x\n", 3, &["`Server`", "X-Frame-Options"]),
        ("http_server_config:\n  headers:\n    X-Frame-Options: maybe\n", 3, &["deny, sameorigin"]),
        ("http_server_config:\n  headers:\n    X-XSS-Protection: \"a\\nb\"\n", 3, &["characters"]),
        ("basic_auth_users:\n  bob: hunter2\n", 2, &["bcrypt", "htpasswd"]),
        ("basic_auth_users: hunter2\n", 1, &["name: hash"]),
        ("rate_limit:\n  interval: soon\n", 2, &["interval: ", "soon", "1m30s"]),
        ("rate_limit:\n  burst: -1\n", 2, &["burst"]),
        ("tls_server_config:\n  min_version: SSL3\n", 2, &["SSL3", "TLS12"]),
        (
            "tls_server_config:\n  cipher_suites: [RC4]\n",
            2,
            &["RC4", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
        ),
        ("tls_server_config:\n  curve_preferences: [P1]\n", 2, &["P1", "X25519"]),
        (
            "tls_server_config:\n  client_auth_type: Ask\n",
            2,
            &["Ask", "RequireAndVerifyClientCert"],
        ),
        ("tls_server_config: [\n", 1, &["tls_server_config: "]),
    ] {
        let folder = Folder::with(text);
        let error = folder.keeper().unwrap_err();
        let place = format!("{}:{line}: ", folder.file().display());
        assert!(error.starts_with(&place), "{error}, expected line {line} of {text}");
        assert!(parts.iter().all(|part| error.contains(part)), "{error} lacks one of {parts:?}");
        assert!(error.contains("--web.config.file") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn errors_that_belong_to_no_line_name_the_key() {
    for (text, part) in [
        ("tls_server_config:\n  key: x\n", "needs cert_file or cert"),
        ("tls_server_config:\n  cert: x\n", "no certificate in PEM form"),
        ("tls_server_config:\n  cert_file: missing.pem\n", "missing.pem: cannot be read"),
        (
            "tls_server_config:\n  cert: x\n  min_version: TLS13\n  max_version: TLS12\n",
            "above max_version",
        ),
        (
            "tls_server_config:\n  cert: x\n  min_version: TLS10\n  max_version: TLS11\n",
            "below TLS12",
        ),
        ("tls_server_config:\n  cert: x\n  curve_preferences: [CurveP521]\n", "none of CurveP256"),
        (
            "tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n",
            "needs client_ca_file",
        ),
        (
            "tls_server_config:\n  cert: x\n  client_allowed_sans: [a]\n",
            "client_allowed_sans without",
        ),
    ] {
        let error = opened(text).unwrap_err();
        assert!(error.contains(part), "{error} lacks {part}");
    }
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let file = PathBuf::from("/nowhere/web.yml");
    let error = Keeper::open(Some(file), Duration::ZERO, Arc::default()).unwrap_err().to_string();
    assert!(error.contains("/nowhere/web.yml: cannot be read"), "{error}");
}

#[test]
fn secrets_are_not_in_debug_output() {
    let text = format!("tls_server_config:\n  key: hunter2\nbasic_auth_users:\n  bob: {HASH}\n");
    let parsed = parse(Path::new("x"), &text).unwrap();
    let shown = format!("{parsed:?}");
    assert!(
        shown.contains("<secret>") && !shown.contains("hunter2") && !shown.contains("$2y"),
        "{shown}"
    );
}

#[test]
fn a_change_is_noticed_and_a_broken_one_keeps_the_old() {
    let headers =
        |value: &str| format!("http_server_config:\n  headers:\n    X-XSS-Protection: {value}\n");
    let folder = Folder::with(&headers("first"));
    let keeper = folder.keeper().unwrap();
    let shown = || keeper.current().headers[0].1.clone();
    assert_eq!(shown(), "first");

    folder.write(&headers("the second"));
    assert_eq!(shown(), "the second");
    assert_eq!((keeper.counts.reloads.get(), keeper.counts.reload_errors.get()), (1, 0));

    folder.write("junk: [");
    assert_eq!([shown(), shown(), shown()], ["the second"; 3]);
    assert_eq!(keeper.counts.reload_errors.get(), 1, "one error for one change");

    fs::remove_file(folder.file()).unwrap();
    assert_eq!(shown(), "the second");
    assert_eq!(keeper.counts.reload_errors.get(), 2);

    folder.write(&headers("third"));
    assert_eq!(shown(), "third");
    assert_eq!((keeper.counts.reloads.get(), keeper.counts.reload_errors.get()), (2, 2));
}

#[test]
fn a_file_that_is_emptied_does_not_switch_authentication_off() {
    let folder = Folder::with(&format!("basic_auth_users:\n  bob: {HASH}\n"));
    let keeper = folder.keeper().unwrap();
    folder.write("");
    assert!(keeper.current().login.is_some());
    assert_eq!(keeper.counts.reload_errors.get(), 1);
}

#[test]
fn between_two_looks_nothing_is_read() {
    let folder = Folder::with("");
    let hour = Duration::from_hours(1);
    let keeper = Keeper::open(Some(folder.file()), hour, Arc::default()).unwrap();
    folder.write("junk: [");
    keeper.current();
    assert_eq!(keeper.counts.reload_errors.get(), 0);
    keeper.reload();
    assert_eq!(keeper.counts.reload_errors.get(), 1);
}

#[test]
fn a_reload_does_not_refill_the_bucket() {
    let limit = "rate_limit:\n  interval: 1h\n  burst: 1\n";
    let folder = Folder::with(limit);
    let keeper = folder.keeper().unwrap();
    let allows = || keeper.current().rate.as_ref().unwrap().allows(Instant::now());
    assert!(allows());
    folder.write(&format!("{limit}# changed\n"));
    assert!(!allows());
    assert_eq!(keeper.counts.reloads.get(), 1);
    folder.write("rate_limit:\n  interval: 1h\n  burst: 2\n");
    assert!(allows());
}
