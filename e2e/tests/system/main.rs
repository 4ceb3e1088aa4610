//! The whole system as its users run it: images of all agents, the manifests applied to a real cluster, Consul and an outside
//! Prometheus beside it. `e2e/run` starts these checks; they need `e2e/testbed/install k8s` and `install modern`.
//!
//! One system is set up for all checks, which run in the order of [`CHECKS`]; those of [`ALONE`] come before it. Each is
//! counted as a test of its own, and a word on the command line chooses among them.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "support of tests: what fails is to be seen, and what is read is the test's own"
)]

mod crash;
mod found;
mod images;
mod labels;
mod numbers;
mod overlays;
mod passage;
mod rights;
mod rollout;
mod scenery;
mod servers;
mod stage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use stage::Stage;

/// A name and what is run.
type Check<F> = (&'static str, F);

/// A function with its path as a name.
macro_rules! checks {
    ($($check:path),* $(,)?) => { &[$((stringify!($check), $check)),*] };
}

/// They bring their own API server.
const ALONE: &[Check<fn()>] = checks![
    servers::the_api_server_of_1_36_takes_every_overlay,
    servers::the_api_server_of_1_20_takes_every_overlay,
    rights::the_manifests_give_what_the_programs_print,
    rights::each_right_of_kube_state_rs_is_needed,
    rights::each_right_of_consul_registrar_is_needed,
    rights::each_right_of_cadvisor_proxy_rs_is_needed,
];

const CHECKS: &[Check<fn(&Stage)>] = checks![
    found::every_target_is_up,
    found::the_rules_are_evaluated,
    numbers::the_users_query_is_what_proc_stat_says,
    numbers::memory_and_disk_are_what_the_host_says,
    numbers::pods_and_requests_are_what_kubectl_says,
    numbers::containers_are_what_docker_says,
    labels::every_series_of_a_pod_carries_its_address_and_name,
    labels::an_applications_series_lead_to_its_pod_and_its_node,
    found::a_new_deployment_is_found_and_a_deleted_one_goes,
    crash::every_agent_survives_being_killed,
    rollout::an_update_of_every_agent_is_seen_through,
    crash::a_drained_node_stays_in_sight,
    overlays::old_names_are_there_on_legacy_docker,
    overlays::a_prometheus_in_the_cluster_finds_the_same,
    overlays::an_update_in_the_pods_network_loses_no_scrape,
];

/// What has run.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<&'static str>,
}

impl Tally {
    fn run(&mut self, name: &'static str, check: impl FnOnce()) {
        println!("test {name} ...");
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(check));
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("test {name} ... {word} ({:.1} s)", start.elapsed().as_secs_f64());
        match outcome {
            Ok(()) => self.passed += 1,
            Err(_) => self.failed.push(name),
        }
    }

    /// As libtest ends.
    fn report(&self) -> ExitCode {
        let (passed, failed) = (self.passed, self.failed.len());
        if failed > 0 {
            println!("\nfailures:\n    {}", self.failed.join("\n    "));
        }
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored");
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let mut tally = Tally::default();
    for (name, check) in ALONE.iter().filter(|(name, _)| wanted(name)) {
        tally.run(name, check);
    }
    let checks: Vec<_> = CHECKS.iter().filter(|(name, _)| wanted(name)).collect();
    if !checks.is_empty() {
        let mut stage = None;
        tally.run("stage::the_system_is_set_up", || stage = Stage::set());
        if let Some(stage) = stage {
            for (name, check) in checks {
                tally.run(name, || check(&stage));
            }
            tally.run("stage::nothing_is_left_behind", || stage.clear());
        }
    }
    tally.report()
}
