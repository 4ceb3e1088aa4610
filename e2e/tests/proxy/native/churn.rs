//! Containers that come, die, are killed and start again while they are read: missing now and then, never wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::docker::docker;
use e2e::{Agent, wait_until};

use super::loads::{IDLE, Loads};
use super::look::{Look, family, is, label};
use super::{FLAGS, PATIENCE, has_docker};
use crate::subject::proxy;

/// How many come and go, some of them at the same time.
const CONTAINERS: u64 = 24;
const AT_ONCE: usize = 4;
/// Ends by itself, and is started again by docker.
const RESTARTS: &str = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 1";

/// The limit of the container with this number: its name and its numbers must stay together.
fn limit(number: u64) -> u64 {
    (64 + number) << 20
}

/// What is true, by name: the id and the limit.
type Truth = BTreeMap<String, (String, u64)>;

/// All that was ever made, and what ran and what had gone at a moment.
#[derive(Clone, Default)]
struct Account {
    ever: Truth,
    started: BTreeSet<String>,
    gone: BTreeSet<String>,
}

/// The counters of each life of a container: `id` and start.
type Lives = BTreeMap<(String, String), f64>;

/// `before` is what was known when the look began.
fn is_right(look: &Look, ever: &Truth, before: &Account, lives: &mut Lives) {
    for (key, sample) in &look.series {
        assert!(sample.value >= 0.0, "{key} {}", sample.value);
        let (Some(id), Some(name)) = (label(key, "id"), label(key, "name")) else { continue };
        assert!(!before.gone.contains(name), "{name} had gone: {key}");
        let Some((known, limit)) = ever.get(name) else { continue };
        assert!(id.ends_with(known.as_str()), "{key} is not {known}");
        let value = sample.value;
        match family(key) {
            "container_spec_memory_limit_bytes" => {
                // The runtime makes a cgroup first and limits it then.
                let new = !before.started.contains(name) && value == 0.0;
                assert!(new || is(value, *limit), "{key} {value}");
            }
            "container_memory_usage_bytes" => assert!(value <= *limit as f64, "{key} {value}"),
            "container_cpu_usage_seconds_total" => {
                let start = look.value("container_start_time_seconds", &[("name", name)]);
                let life = (name.to_owned(), format!("{start:?}"));
                let past = lives.insert(life, value);
                // One that starts again within a second has no other start than before.
                let restarts = name.ends_with("restarts");
                assert!(
                    restarts || past.is_none_or(|past| past <= value),
                    "{key}: {past:?}, then {value}"
                );
            }
            _ => {}
        }
    }
}

/// Starts and ends containers; what has gone is noted only when docker says so.
fn come_and_go(account: &Mutex<Account>, loads: &mut Loads) {
    let mut running = Vec::new();
    for number in 0..CONTAINERS {
        let memory = format!("--memory={}", limit(number));
        let name = loads.name(&number.to_string());
        // Whoever reads meanwhile may meet it from now on.
        let id =
            docker(&["create", "--name", &name, &memory, super::loads::IMAGE, "sh", "-c", IDLE]);
        account.lock().unwrap().ever.insert(name.clone(), (id, limit(number)));
        loads.names.insert(name.clone());
        docker(&["start", &name]);
        account.lock().unwrap().started.insert(name.clone());
        running.push(name);
        if running.len() > AT_ONCE {
            let name = running.remove(0);
            loads.stop(&name);
            account.lock().unwrap().gone.insert(name);
        }
    }
}

/// Ends the reader, also where this test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn read(agent: &Agent, account: &Mutex<Account>, done: &AtomicBool) -> usize {
    let (mut lives, mut looks) = (Lives::new(), 0);
    while !done.load(Ordering::SeqCst) {
        let before = account.lock().unwrap().clone();
        let look = Look::take(|| agent.text("/metrics")).unwrap();
        is_right(&look, &account.lock().unwrap().ever, &before, &mut lives);
        looks += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    looks
}

#[test]
fn containers_that_come_and_go_are_missing_at_times_and_never_wrong() {
    if !has_docker("cadvisor-proxy-rs reads cgroups that come and go") {
        return;
    }
    let mut loads = Loads::new("churn");
    let (agent, _own) = proxy(FLAGS);
    let restarting = loads.start("restarts", &["--restart=always", "--memory=40m"], RESTARTS);
    let id = docker(&["inspect", "--format={{.Id}}", &restarting]);
    let account = Mutex::new(Account::default());
    account.lock().unwrap().ever.insert(restarting.clone(), (id, 40 << 20));
    let done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(&agent, &account, &done));
        let end = End(&done);
        come_and_go(&account, &mut loads);
        drop(end);
        reader.join().unwrap()
    });
    assert!(looks > 20, "{looks} looks");
    // The last ones are there by their names, and so is the one that starts again and again.
    wait_until("all containers that run", PATIENCE, || {
        let look = Look::take(|| agent.text("/metrics"))?;
        let missing = loads.names.iter().find(|name| {
            look.value("container_spec_memory_limit_bytes", &[("name", name)]).is_none()
        });
        anyhow::ensure!(missing.is_none(), "no {missing:?}");
        Ok(())
    })
    .unwrap();
}
