use super::*;
use crate::dbus::testing::{Answer, Asked, Server, serve};

/// A host with a unit of each kind that matters.
fn answer(asked: &Asked) -> Answer {
    let unit = |name, load, active, path| {
        vec![name, "What it is", load, active, "sub", "", path, "0", "", "/"]
    };
    match (asked.path.as_str(), asked.property.as_str()) {
        (_, "Version") => Answer::text("252.39-1~deb12u2"),
        (_, "Virtualization") => Answer::text(""),
        (_, "SystemState") => Answer::text("degraded"),
        ("/org/freedesktop/systemd1", _) => Answer::structs(
            "a(ssssssouso)",
            &[
                unit("a.service", "loaded", "active", "/unit/a"),
                unit("b.service", "loaded", "failed", "/unit/b"),
                unit("gone.service", "not-found", "inactive", "/unit/gone"),
                unit("home.mount", "loaded", "active", "/unit/home"),
                unit("s.socket", "loaded", "active", "/unit/s"),
                unit("t.timer", "loaded", "reloading", "/unit/t"),
            ],
        ),
        ("/unit/home", "Type") if asked.interface.ends_with(".Mount") => Answer::text("ext4"),
        ("/unit/a", "Type") => Answer::text("notify"),
        (_, "TasksMax") => Answer::u64(u64::MAX),
        (_, "TasksCurrent") => Answer::u64(7),
        (_, "NRestarts") => Answer::u32(3),
        (_, "ActiveEnterTimestamp" | "LastTriggerUSec") => Answer::u64(1_700_000_000_500_000),
        (_, "NAccepted") => Answer::u32(9),
        (_, "NConnections") => Answer::u32(2),
        _ => Answer::Error("org.freedesktop.DBus.Error.UnknownProperty".into()),
    }
}

fn samples(server: &Server, flags: &[(&str, &str)]) -> Vec<String> {
    let service = Service::at(vec![server.place(true)]);
    let mut collector = Systemd::new(service, &Flags::of(flags)).unwrap();
    let mut out = Exposition::default();
    for _ in 0..2 {
        out.restart(exporter_toolkit::Format::Text);
        collector.collect(&mut out).unwrap();
    }
    let text = std::str::from_utf8(out.text()).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("node_systemd_")).map(str::to_owned).collect()
}

#[test]
fn units_have_the_state_the_type_and_the_numbers_of_their_kind() {
    let found = samples(&serve(answer), &[]);
    let of_one = |line: &&String| line.ends_with(" 1") || !line.starts_with("unit_state");
    let found: Vec<&str> = found.iter().filter(of_one).map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "version{version=\"252.39-1~deb12u2\"} 252.39",
            "virtualization_info{virtualization_type=\"none\"} 1",
            "system_running 0",
            "units{state=\"active\"} 3",
            "units{state=\"activating\"} 0",
            "units{state=\"deactivating\"} 0",
            "units{state=\"inactive\"} 1",
            "units{state=\"failed\"} 1",
            "units{state=\"reloading\"} 1",
            "unit_state{name=\"a.service\",state=\"active\",type=\"notify\"} 1",
            "unit_state{name=\"b.service\",state=\"failed\",type=\"\"} 1",
            "unit_state{name=\"s.socket\",state=\"active\",type=\"\"} 1",
            "timer_last_trigger_seconds{name=\"t.timer\"} 1.7000000005e+09",
            "socket_current_connections{name=\"s.socket\"} 2",
            "socket_accepted_connections_total{name=\"s.socket\"} 9",
        ]
    );
}

#[test]
fn flags_add_tasks_restarts_and_start_times() {
    let flags = [
        ("collector.systemd.enable-task-metrics", "true"),
        ("collector.systemd.enable-restarts-metrics", "true"),
        ("collector.systemd.enable-start-time-metrics", "true"),
        ("collector.systemd.unit-include", "[ab]\\.service"),
    ];
    let found = samples(&serve(answer), &flags);
    let more: Vec<&str> = found
        .iter()
        .map(String::as_str)
        .filter(|line| {
            ["unit_start", "unit_tasks", "service_"].iter().any(|it| line.starts_with(it))
        })
        .collect();
    assert_eq!(
        more,
        [
            "unit_start_time_seconds{name=\"a.service\"} 1.7000000005e+09",
            "unit_start_time_seconds{name=\"b.service\"} 0",
            "unit_tasks_current{name=\"a.service\"} 7",
            "unit_tasks_current{name=\"b.service\"} 7",
            "service_restart_total{name=\"a.service\"} 3",
            "service_restart_total{name=\"b.service\"} 3",
        ]
    );
}

#[test]
fn patterns_are_for_whole_names_and_former_flags_still_serve() {
    let server = serve(answer);
    let names = |flags: &[(&str, &str)]| {
        let found = samples(&server, flags);
        found.iter().filter(|line| line.starts_with("unit_state")).count() / STATES.len()
    };
    assert_eq!(names(&[("collector.systemd.unit-include", "a")]), 0);
    assert_eq!(names(&[("collector.systemd.unit-exclude", "nothing")]), 5);
    let former = [
        ("collector.systemd.unit-whitelist", ".+\\.mount"),
        ("collector.systemd.unit-blacklist", "x"),
    ];
    assert_eq!(names(&former), 1);
    let mounts = samples(&server, &former);
    let home = "unit_state{name=\"home.mount\",state=\"active\",type=\"ext4\"} 1";
    assert!(mounts.iter().any(|line| line == home), "{mounts:?}");
    let both = [("collector.systemd.unit-include", "a"), ("collector.systemd.unit-whitelist", "b")];
    assert!(Systemd::new(Service::at(Vec::new()), &Flags::of(&both)).is_err());
}

#[test]
fn a_host_without_systemd_has_no_data() {
    let mut collector = Systemd::new(Service::at(Vec::new()), &Flags::default()).unwrap();
    assert!(collector.collect(&mut Exposition::default()).unwrap_err().is_no_data());
}
