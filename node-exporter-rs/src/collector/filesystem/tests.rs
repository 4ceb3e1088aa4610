use std::ffi::CStr;
use std::sync::{Condvar, Mutex, PoisonError};

use super::*;
use crate::collector::testing::{collect, tree};
use crate::host::Host;
use exporter_toolkit::Format;

/// Holds every call whose path ends in `hung` until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn statfs(&self, path: &CStr) -> Usage {
        if path.to_bytes().ends_with(b"hung") {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            drop(self.opened.wait_while(open, |open| !*open));
        }
        Usage { size: 1.0, free: 1.0, available: 1.0, files: 1.0, files_free: 1.0 }
    }
}

struct Rig {
    folder: tempfile::TempDir,
    collector: Filesystem,
    gate: Arc<Gate>,
}

impl Rig {
    fn new(points: &[&str]) -> Self {
        let folder = tree(&[]);
        let gate = Arc::new(Gate::default());
        let (host, at_gate) = (Host::below(folder.path()), Arc::clone(&gate));
        let setup = Setup { host, flags: Flags::default() };
        let ask: Arc<StatFs> = Arc::new(move |path| Ok(at_gate.statfs(path)));
        let rig = Self { collector: Filesystem::new(&setup, ask).unwrap(), folder, gate };
        rig.mount(points);
        rig
    }

    /// The host has these mounts from now on. A mount's number is that of its name.
    fn mount(&self, points: &[&str]) {
        let line = |point: &&str| {
            let id = point.bytes().fold(0_u32, |id, byte| id * 31 % 99_991 + u32::from(byte));
            format!("{id} 1 8:1 / /{point} rw - ext4 /dev/{point} rw\n")
        };
        let folder = self.folder.path().join("proc/1");
        std::fs::create_dir_all(&folder).unwrap();
        let lines: String = points.iter().map(line).collect();
        std::fs::write(folder.join("mountinfo"), lines).unwrap();
    }

    /// One scrape: the mount points that told their size, and those with an error.
    fn scrape(&mut self, patience: Duration) -> (Vec<String>, Vec<String>) {
        let mut out = Exposition::new(Format::Text);
        self.collector.answer_by(Instant::now() + patience + MARGIN);
        self.collector.collect(&mut out).unwrap();
        let text = std::str::from_utf8(out.text()).unwrap();
        let points = |name: &str, end: &str| {
            text.lines()
                .filter(|line| line.starts_with(name) && line.ends_with(end))
                .map(|line| line.split('"').nth(3).unwrap().to_owned())
                .collect()
        };
        let failed = "device_error=\"mountpoint timeout\"} 1";
        (
            points("node_filesystem_size_bytes{", "1"),
            points("node_filesystem_device_error{", failed),
        )
    }
}

/// Longer than any test may take: a scrape that waits for it shows.
const LONG: Duration = Duration::from_mins(2);

#[test]
fn a_mount_that_hangs_is_told_in_the_first_scrape_and_costs_no_other() {
    let mut rig = Rig::new(&["a", "hung", "b"]);
    let told = (vec!["/a".to_owned(), "/b".to_owned()], vec!["/hung".to_owned()]);
    assert_eq!(rig.scrape(Duration::from_millis(400)), told);
    rig.collector.timeout = LONG;
    for _ in 0..20 {
        assert_eq!(rig.scrape(LONG), told);
    }
    rig.gate.open();
    while !rig.scrape(LONG).1.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(rig.scrape(LONG).0, ["/a", "/hung", "/b"]);
}

#[test]
fn the_flags_timeout_ends_the_wait_before_the_scrape_does() {
    let mut rig = Rig::new(&["a", "hung"]);
    rig.collector.timeout = Duration::from_millis(300);
    assert_eq!(rig.scrape(LONG), (vec!["/a".to_owned()], vec!["/hung".to_owned()]));
    rig.gate.open();
}

#[test]
fn mounts_that_come_and_go_while_one_hangs_leave_nothing_behind() {
    let mut rig = Rig::new(&["a", "hung"]);
    rig.scrape(Duration::from_millis(400));
    for n in 0..30 {
        let point = format!("pod{n}");
        rig.mount(&["a", "hung", &point]);
        let (good, bad) = rig.scrape(LONG);
        assert_eq!((good, bad), (vec!["/a".to_owned(), format!("/{point}")], vec!["/hung".into()]));
        assert!(rig.collector.crew.len() <= 3);
    }
    // A mount that hangs and is unmounted is not told any more, and its job is gone once it is home.
    rig.mount(&["a"]);
    assert_eq!(rig.scrape(LONG), (vec!["/a".to_owned()], vec![]));
    rig.gate.open();
    while rig.collector.crew.len() > 1 {
        rig.scrape(LONG);
        std::thread::yield_now();
    }
}

#[test]
fn however_many_mounts_hang_the_threads_are_bounded_and_the_sound_ones_are_told() {
    let hung: Vec<String> = (0..100).map(|n| format!("nfs{n}hung")).collect();
    let mut points = vec!["root"];
    points.extend(hung.iter().map(String::as_str));
    points.push("late");
    let mut rig = Rig::new(&points);
    for scrape in 0..4 {
        let (good, bad) = rig.scrape(Duration::from_millis(1500));
        assert!(good.contains(&"/root".to_owned()), "scrape {scrape}: {good:?}");
        assert!(bad.len() < THREADS, "scrape {scrape}: {}", bad.len());
        assert_eq!(bad.len(), rig.collector.crew.away());
    }
    rig.gate.open();
    while rig.scrape(LONG).0.len() < points.len() {
        std::thread::yield_now();
    }
}

const MOUNTS: &str = "1 0 8:1 / / rw - ext4 /dev/root rw\n\
    2 1 0:5 / /none rw - tmpfs tmpfs rw\n\
    not a mount\n\
    3 1 0:6 / /none ro - tmpfs tmpfs rw\n\
    4 1 0:7 / /proc rw - proc proc rw\n\
    5 1 0:8 / /var/lib/docker/x rw - ext4 /dev/b rw\n";

#[test]
fn of_mounts_on_one_another_the_last_is_told_and_a_malformed_line_costs_only_itself() {
    let folder = tree(&[("proc/1/mountinfo", MOUNTS)]);
    let (samples, result) = collect(&SPEC, folder.path(), &[]);
    let of = |name: &str| -> Vec<&String> {
        samples.iter().filter(|sample| sample.starts_with(name)).collect()
    };
    assert_eq!(
        of("node_filesystem_device_error"),
        [
            "node_filesystem_device_error{device=\"/dev/root\",mountpoint=\"/\",fstype=\"ext4\",device_error=\"\"} 0",
            "node_filesystem_device_error{device=\"tmpfs\",mountpoint=\"/none\",fstype=\"tmpfs\",device_error=\"no such file or directory\"} 1"
        ]
    );
    assert!(of("node_filesystem_readonly")[1].ends_with(" 1"));
    assert_eq!(of("node_filesystem_size_bytes").len(), 1);
    let error = result.unwrap_err().to_string();
    assert!(error.ends_with("1/mountinfo: not a mount: \"not a mount\""), "{error}");
}

#[test]
fn without_process_1_our_own_mounts_serve() {
    let folder = tree(&[("proc/self/mountinfo", MOUNTS)]);
    let flags = [
        ("collector.filesystem.mount-points-include", "^/$"),
        ("collector.filesystem.fs-types-include", "^ext4$"),
    ];
    let (samples, _) = collect(&SPEC, folder.path(), &flags);
    assert_eq!(samples.len(), 9, "{samples:?}");
    assert!(samples.iter().all(|sample| sample.contains("mountpoint=\"/\"")));
}

#[test]
fn the_former_flag_names_work_and_exclude_the_new_ones() {
    let folder = tree(&[("proc/1/mountinfo", MOUNTS)]);
    let flags = [
        ("collector.filesystem.ignored-mount-points", "^/(none|var)"),
        ("collector.filesystem.ignored-fs-types", "^ext4$"),
    ];
    let (samples, _) = collect(&SPEC, folder.path(), &flags);
    assert!(samples.iter().all(|sample| sample.contains("mountpoint=\"/proc\"")), "{samples:?}");
    for other in [&POINTS_EXCLUDE, &POINTS_INCLUDE] {
        let mut both = Flags::default();
        both.set("collector.filesystem.ignored-mount-points", "x");
        both.set(crate::flags::AnyFlag::name(other), "y");
        assert!(Filters::from_flags(&both).is_err());
    }
}
