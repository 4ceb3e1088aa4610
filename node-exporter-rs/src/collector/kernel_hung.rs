//! `node_kernel_hung_tasks_total`: from `/proc/sys/kernel/hung_task_detect_count`.

use exporter_toolkit::{Counter, Exposition};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static TASKS: Counter<0> = Counter::new(
    "node_kernel_hung_tasks_total",
    "Tasks that the kernel found stuck in an uninterruptible sleep for longer than hung_task_timeout_secs since boot.",
    [],
);

pub static SPEC: Spec = Spec {
    name: "kernel_hung",
    enabled: true,
    about: "Tasks found hung, from /proc/sys/kernel/hung_task_detect_count (Linux 6.13 and later).",
    flags: &[],
    families: &[&TASKS],
    build: |setup| {
        Ok(Box::new(KernelHung { file: setup.host.keep_proc("sys/kernel/hung_task_detect_count") }))
    },
};

struct KernelHung {
    file: KeptFile,
}

impl Collector for KernelHung {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let count: u64 =
            text.trim_ascii().parse().map_err(|_| text.wrong("no count of tasks", &text))?;
        out.family(&TASKS).sample((), count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn an_older_kernel_has_no_data() {
        let folder = tree(&[]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(samples.is_empty());
        assert!(result.unwrap_err().is_no_data());
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        let folder = tree(&[("proc/sys/kernel/hung_task_detect_count", "-1\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(samples.is_empty());
        assert!(!result.unwrap_err().is_no_data());
    }
}
