//! `node_processes_*`: processes and threads by state, and how many there may be, from `/proc`.

use exporter_toolkit::{Exposition, Gauge};

use super::pids::Pids;
use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static THREADS: Gauge<0> = Gauge::new("node_processes_threads", "Threads of all processes.", []);
static MAX_THREADS: Gauge<0> = Gauge::new(
    "node_processes_max_threads",
    "Threads that the host can have at most (kernel.threads-max).",
    [],
);
static THREADS_STATE: Gauge<1> = Gauge::new(
    "node_processes_threads_state",
    "Threads in each state, by the letter that ps shows.",
    ["thread_state"],
);
static STATE: Gauge<1> = Gauge::new(
    "node_processes_state",
    "Processes in each state, by the letter that ps shows.",
    ["state"],
);
static PIDS: Gauge<0> = Gauge::new("node_processes_pids", "Processes that there are.", []);
static MAX_PROCESSES: Gauge<0> = Gauge::new(
    "node_processes_max_processes",
    "Numbers for processes and threads that there are at most (kernel.pid_max).",
    [],
);

pub static SPEC: Spec = Spec {
    name: "processes",
    enabled: false,
    about: "Processes and threads by state, from /proc/PID/stat and /proc/PID/task.",
    flags: &[],
    families: &[&THREADS, &MAX_THREADS, &THREADS_STATE, &STATE, &PIDS, &MAX_PROCESSES],
    build: |setup| {
        Ok(Box::new(Processes {
            pids: Pids::new(&setup.host),
            thread_limit: setup.host.keep_proc("sys/kernel/threads-max"),
            pid_limit: setup.host.keep_proc("sys/kernel/pid_max"),
        }))
    },
};

struct Processes {
    pids: Pids,
    thread_limit: KeptFile,
    pid_limit: KeptFile,
}

impl Collector for Processes {
    fn answer_by(&mut self, deadline: std::time::Instant) {
        self.pids.until = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        out.family(&MAX_THREADS).sample((), number(&mut self.thread_limit)?);
        out.family(&MAX_PROCESSES).sample((), number(&mut self.pid_limit)?);
        let counts = Counts::of(&self.pids)?;
        out.family(&PIDS).sample((), counts.processes);
        out.family(&THREADS).sample((), counts.threads);
        let mut states = out.family(&STATE);
        for (letter, count) in counts.states.each() {
            states.sample(&[letter][..], count);
        }
        let mut states = out.family(&THREADS_STATE);
        for (letter, count) in counts.thread_states.each() {
            states.sample(&[letter][..], count);
        }
        Ok(())
    }
}

fn number(file: &mut KeptFile) -> Result<u64, CollectError> {
    let text = file.read_str()?;
    text.trim_ascii().parse().map_err(|_| text.wrong("a number expected", &text))
}

#[derive(Default)]
struct Counts {
    processes: u64,
    threads: u64,
    states: States,
    thread_states: States,
}

impl Counts {
    /// What has one thread is that thread, so only the others' threads are looked at one by one.
    fn of(pids: &Pids) -> Result<Self, CollectError> {
        let mut counts = Self::default();
        let mut tasks = None;
        pids.each(|process, stat| {
            counts.processes += 1;
            counts.threads += stat.threads;
            counts.states.add(stat.state);
            // A tree that was made for a test may have no threads, which the first process tells.
            let tasks = *tasks.get_or_insert_with(|| process.numbers("task", |_| ()).is_ok());
            if !tasks {
                return Ok(());
            }
            counts.thread_states.add(stat.state);
            if stat.threads > 1 {
                process.other_threads(|state| counts.thread_states.add(state))?;
            }
            Ok(())
        })?;
        Ok(counts)
    }
}

/// Counts by letter.
struct States([u64; 128]);

impl Default for States {
    fn default() -> Self {
        Self([0; 128])
    }
}

impl States {
    fn add(&mut self, letter: u8) {
        if let Some(count) = self.0.get_mut(usize::from(letter)) {
            *count += 1;
        }
    }

    fn each(&self) -> impl Iterator<Item = (u8, u64)> {
        (0..).zip(self.0).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    fn stat(pid: u32, state: char, threads: u32) -> String {
        format!("{pid} (x) {state} 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 9 0 0 0\n")
    }

    #[test]
    fn processes_and_threads_are_counted_by_state() {
        let (one, two, three) = (stat(1, 'S', 1), stat(2, 'R', 3), stat(22, 'D', 3));
        let folder = tree(&[
            ("proc/sys/kernel/threads-max", "7801\n"),
            ("proc/sys/kernel/pid_max", "123\n"),
            ("proc/1/stat", &one),
            ("proc/1/task/1/stat", &one),
            ("proc/2/stat", &two),
            ("proc/2/task/2/stat", &two),
            ("proc/2/task/21/other", ""),
            ("proc/2/task/22/stat", &three),
            ("proc/3/other", ""),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(
            samples,
            [
                "node_processes_max_threads 7801",
                "node_processes_max_processes 123",
                "node_processes_pids 2",
                "node_processes_threads 4",
                "node_processes_state{state=\"R\"} 1",
                "node_processes_state{state=\"S\"} 1",
                "node_processes_threads_state{thread_state=\"D\"} 1",
                "node_processes_threads_state{thread_state=\"R\"} 1",
                "node_processes_threads_state{thread_state=\"S\"} 1",
            ]
        );
    }

    #[test]
    fn a_process_that_cannot_be_understood_gives_no_wrong_total() {
        let folder = tree(&[
            ("proc/sys/kernel/threads-max", "7801\n"),
            ("proc/sys/kernel/pid_max", "123\n"),
            ("proc/1/stat", "1 (x S\n"),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples.len(), 2);
        assert!(result.unwrap_err().to_string().contains("proc/1/stat: a name in parentheses"));
    }

    #[test]
    fn this_very_host_has_processes() {
        let setup = crate::collector::Setup::default();
        let mut out = Exposition::new(exporter_toolkit::Format::Text);
        (SPEC.build)(&setup).unwrap().collect(&mut out).unwrap();
        let text = String::from_utf8(out.text().to_vec()).unwrap();
        assert!(text.contains("\nnode_processes_threads_state{thread_state=\""), "{text}");
    }
}
