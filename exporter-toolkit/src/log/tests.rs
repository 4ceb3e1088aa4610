use std::fs;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;

/// Takes what is written, as a log would.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn options(args: &[&str]) -> Result<LogOptions, clap::Error> {
    let args = ["demo"].iter().chain(args).map(Into::into);
    crate::options::parse::<LogOptions>(clap::Command::new("demo"), "NO_SUCH", args).map(|(o, _)| o)
}

/// What is logged by `events`, without the time.
fn logged(args: &[&str], events: impl FnOnce()) -> String {
    let memory = Memory::default();
    let writer = memory.clone();
    let subscriber = subscriber(&options(args).unwrap(), move || writer.clone());
    tracing::subscriber::with_default(subscriber, events);
    let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
    text.split_inclusive('\n').map(without_time).collect()
}

fn without_time(line: &str) -> String {
    let (start, rest) = line.split_once("20").unwrap();
    let (time, rest) = rest.split_once('Z').unwrap();
    assert_eq!(time.len(), "26-11-23T10:00:00.123".len(), "{line}");
    format!("{start}Z{rest}")
}

#[test]
fn a_line_has_the_peers_shape() {
    let text = logged(&[], || {
        tracing::info!(target: "agent", port = 9100_u64, tls = false, load = 0.5, "Listening");
        tracing::warn!(target: "agent::cpu", name = "a b", flag = "^(ram|loop)\\d+$", empty = "", "odd value");
    });
    assert_eq!(
        text,
        "time=Z level=INFO source=agent msg=Listening port=9100 tls=false load=0.5\n\
         time=Z level=WARN source=agent::cpu msg=\"odd value\" name=\"a b\" flag=^(ram|loop)\\d+$ empty=\"\"\n"
    );
}

#[test]
fn json_has_the_same_keys() {
    let text = logged(&["--log.format=json"], || {
        let cause = io::Error::other("no \"x\"\n");
        tracing::error!(target: "agent", r#type = "c", n = -1, ok = true, %cause, "a\tb\u{1}");
        tracing::info!(target: "agent", bad = f64::NAN, "");
    });
    assert_eq!(
        text,
        "{\"time\":\"Z\",\"level\":\"ERROR\",\"source\":\"agent\",\"msg\":\"a\\tb\\u0001\",\
         \"type\":\"c\",\"n\":-1,\"ok\":true,\"cause\":\"no \\\"x\\\"\\n\"}\n\
         {\"time\":\"Z\",\"level\":\"INFO\",\"source\":\"agent\",\"msg\":\"\",\"bad\":\"NaN\"}\n"
    );
}

#[test]
fn foreign_bytes_cannot_forge_a_line_or_a_key() {
    let text = logged(&[], || {
        tracing::info!(target: "a", name = "x\ntime=1 level=ERROR", sep = "a\u{2028}b\u{202e}", "m\r\n=");
    });
    assert_eq!(
        text,
        "time=Z level=INFO source=a msg=\"m\\r\\n=\" name=\"x\\ntime=1 level=ERROR\" \
         sep=\"a\\u2028b\\u202e\"\n"
    );
}

#[test]
fn a_long_value_is_cut() {
    let text = logged(&[], || tracing::info!(target: "a", "{}", "ü".repeat(100_000)));
    assert!(text.len() < 9_000 && text.ends_with("ü…\n"), "{}", text.len());
}

#[test]
fn an_error_is_logged_with_its_causes() {
    let text = logged(&[], || {
        let error = LogError::File { path: "/x".into(), source: io::Error::other("full") };
        tracing::warn!(target: "a", error = &error as &dyn std::error::Error, "m");
    });
    assert_eq!(
        text,
        "time=Z level=WARN source=a msg=m error=\"--log.path: cannot write /x: full\"\n"
    );
}

#[test]
fn what_is_less_severe_than_the_level_is_left_out() {
    let events = || {
        tracing::debug!(target: "a", "d");
        tracing::warn!(target: "a", "w");
        tracing::error!(target: "a", "e");
    };
    assert_eq!(logged(&["--log.level=debug"], events).lines().count(), 3);
    assert_eq!(logged(&[], events).lines().count(), 2);
    assert_eq!(logged(&["--log.level", "error"], events).lines().count(), 1);
}

#[test]
fn wrong_options_say_what_is_expected() {
    let error = options(&["--log.level=loud"]).unwrap_err().to_string();
    assert!(error.contains("debug, info, warn, error"), "{error}");
    let error = options(&["--log.max-size=big"]).unwrap_err().to_string();
    assert!(error.contains("such as 10MiB"), "{error}");
    assert!(options(&["--log.max-files=0"]).is_err());
}

#[test]
fn a_folder_that_cannot_be_written_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("file/logs");
    let arg = format!("--log.path={}", path.display());
    let error = start(&options(&[&arg]).unwrap(), "agent").unwrap_err();
    let expected = format!("--log.path: cannot write {}/agent.log", path.display());
    assert_eq!(error.to_string(), expected);
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn lines_go_to_the_file_of_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let file = open(&options(&[]).unwrap(), folder.path(), "agent").unwrap();
    let subscriber = subscriber(&options(&[]).unwrap(), file);
    tracing::subscriber::with_default(subscriber, || tracing::info!(target: "a", "hello"));
    let written = fs::File::open(folder.path().join("agent.log")).unwrap();
    let text = io::read_to_string(written).unwrap();
    assert!(text.ends_with("level=INFO source=a msg=hello\n"), "{text}");
}

proptest! {
    #[test]
    fn every_event_is_one_line(message: String, value: String) {
        for format in ["logfmt", "json"] {
            let arg = format!("--log.format={format}");
            let text = logged(&[&arg], || tracing::info!(target: "a", value, "{message}"));
            prop_assert_eq!(text.chars().filter(|c| c.is_control()).count(), 1);
        }
    }
}
