//! `node_zfs_*`: what `OpenZFS` counts of its caches, pools and datasets, from `/proc/spl/kstat/zfs`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use exporter_toolkit::name::LabelName;
use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::{Host, KeptFile, read_bytes};

mod kstat;
mod table;

use kstat::Cell;
use table::Table;

const FOLDER: &str = "spl/kstat/zfs";

/// Files of the whole module, and how their families' names begin. What a version of ZFS lacks is left out.
const MODULE_FILES: [(&str, &str); 11] = [
    ("abdstats", "node_zfs_abd_"),
    ("arcstats", "node_zfs_arc_"),
    ("dbufstats", "node_zfs_dbuf_"),
    ("dmu_tx", "node_zfs_dmu_tx_"),
    ("dnodestats", "node_zfs_dnode_"),
    ("fm", "node_zfs_fm_"),
    ("vdev_cache_stats", "node_zfs_vdev_cache_"),
    ("vdev_mirror_stats", "node_zfs_vdev_mirror_"),
    ("xuio_stats", "node_zfs_xuio_"),
    ("zfetchstats", "node_zfs_zfetch_"),
    ("zil", "node_zfs_zil_"),
];

/// `spa_state_to_name` of `OpenZFS`, in lower case.
const STATES: [&str; 7] =
    ["online", "degraded", "faulted", "offline", "removed", "unavail", "suspended"];

static ZPOOL: LabelName = LabelName::fixed("zpool");
static DATASET: LabelName = LabelName::fixed("dataset");

static STATE: Gauge<2> = Gauge::new(
    "node_zfs_zpool_state",
    "1 for the state the pool is in, 0 for the others.",
    ["zpool", "state"],
);

pub static SPEC: Spec = Spec {
    name: "zfs",
    enabled: true,
    about: "ZFS caches, pools and datasets, from /proc/spl/kstat/zfs.",
    flags: &[],
    families: &[&STATE],
    build: |setup| Ok(Box::new(Zfs::new(setup.host.clone()))),
};

struct Zfs {
    host: Host,
    module: Vec<(&'static str, KeptFile, Table)>,
    pools: BTreeMap<String, Pool>,
    io: Table,
    objsets: Table,
    datasets: Vec<Dataset>,
}

struct Pool {
    io: KeptFile,
    state: KeptFile,
}

struct Dataset {
    pool: usize,
    name: String,
}

impl Collector for Zfs {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let present = self.list()?;
        let module = self.write_module(&present, out);
        self.read_pools();
        let pools: Vec<&str> = self.pools.keys().map(String::as_str).collect();
        let of_pool = "for the whole pool, as its io kstat has it.";
        self.io.write(
            out,
            |row| [(&ZPOOL, pools[row])],
            |field| format!("Value of {field} {of_pool}"),
        );
        let labels = |row: usize| {
            let Dataset { pool, name } = &self.datasets[row];
            [(&ZPOOL, pools[*pool]), (&DATASET, name.as_str())]
        };
        let of_dataset = "for the dataset since it was mounted, as its objset kstat has it.";
        self.objsets.write(out, labels, |field| format!("Value of {field} {of_dataset}"));
        self.write_states(out);
        module
    }
}

impl Zfs {
    fn new(host: Host) -> Self {
        let module = MODULE_FILES.map(|(file, prefix)| {
            (file, host.keep_proc(&format!("{FOLDER}/{file}")), Table::new(prefix))
        });
        Self {
            host,
            module: module.into(),
            pools: BTreeMap::new(),
            io: Table::new("node_zfs_zpool_"),
            objsets: Table::new("node_zfs_zpool_dataset_"),
            datasets: Vec::new(),
        }
    }

    /// Brings the pools up to date, each of which has a folder; gives the names of the files beside them.
    fn list(&mut self) -> Result<HashSet<String>, CollectError> {
        let path = self.host.proc(FOLDER);
        let folder = std::fs::read_dir(&path);
        let entries = folder.map_err(|source| CollectError::Read { path, source })?;
        let (mut files, mut pools) = (HashSet::new(), HashSet::new());
        for entry in entries.filter_map(Result::ok) {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder {
                pools.insert(name)
            } else {
                files.insert(name)
            };
        }
        self.pools.retain(|name, _| pools.contains(name));
        for name in pools {
            self.pools.entry(name).or_insert_with_key(|name| {
                let kept = |file| self.host.keep_proc(&format!("{FOLDER}/{name}/{file}"));
                Pool { io: kept("io"), state: kept("state") }
            });
        }
        Ok(files)
    }

    /// The counters of the module; the first file that is malformed is the verdict, after all others are written.
    fn write_module(
        &mut self,
        present: &HashSet<String>,
        out: &mut Exposition,
    ) -> Result<(), CollectError> {
        let mut verdict = Ok(());
        for (name, file, table) in &mut self.module {
            if !present.contains(*name) {
                continue;
            }
            table.clear();
            // ZFS may be unloaded while we look.
            let Ok(text) = file.read() else { continue };
            let Some(rows) = kstat::rows(text) else {
                let problem = "no line that says: name type data";
                let first =
                    String::from_utf8_lossy(text.split(|b| *b == b'\n').next().unwrap_or_default())
                        .into_owned();
                let wrong = CollectError::parse(file.path(), problem, &first);
                verdict = verdict.and(Err(wrong));
                continue;
            };
            for (field, cell) in rows {
                if let Cell::Number(value) = cell {
                    table.put(0, field, value);
                }
            }
            table.write(out, |_| [], |field| format!("Value of {field} in the kstat zfs/{name}."));
        }
        verdict
    }

    /// Reads what each pool and its datasets did. A pool that is exported meanwhile is left out.
    fn read_pools(&mut self) {
        self.io.clear();
        self.objsets.clear();
        self.datasets.clear();
        let folder = self.host.proc(FOLDER);
        for (at, (name, pool)) in self.pools.iter_mut().enumerate() {
            if let Ok(text) = pool.io.read() {
                for (field, value) in kstat::io(text).into_iter().flatten() {
                    self.io.put(at, field, value);
                }
            }
            let mut seen = HashSet::new();
            for text in objset_texts(&folder.join(name)) {
                let Some(dataset) = dataset_name(&text) else { continue };
                // A dataset made anew under its old name may be listed twice for a moment.
                if !seen.insert(dataset.clone()) {
                    continue;
                }
                for (field, cell) in kstat::rows(&text).into_iter().flatten() {
                    if let Cell::Number(value) = cell {
                        self.objsets.put(self.datasets.len(), field, value);
                    }
                }
                self.datasets.push(Dataset { pool: at, name: dataset });
            }
        }
    }

    fn write_states(&mut self, out: &mut Exposition) {
        let mut family = out.family(&STATE);
        for (name, pool) in &mut self.pools {
            let Ok(text) = pool.state.read() else { continue };
            let now = text.trim_ascii();
            for state in STATES {
                let active = now.eq_ignore_ascii_case(state.as_bytes());
                family.sample((name, state), active);
            }
        }
    }
}

/// The texts of a pool's `objset-*` files, one a dataset, in the order of their names.
fn objset_texts(folder: &Path) -> impl Iterator<Item = Vec<u8>> {
    let mut names = crate::host::names(folder).unwrap_or_default();
    names.retain(|name| name.starts_with("objset-"));
    names.into_iter().filter_map(move |name| read_bytes(&folder.join(name)).ok())
}

fn dataset_name(text: &[u8]) -> Option<String> {
    kstat::rows(text)?.find_map(|(field, cell)| match cell {
        Cell::Text(name) if field == b"dataset_name" => {
            Some(String::from_utf8_lossy(name).into_owned())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    const HEAD: &str = "1 1 0x01 2 96 1 2\nname type data\n";

    fn file(name: &str) -> String {
        format!("proc/{FOLDER}/{name}")
    }

    #[test]
    fn without_the_module_there_is_no_data() {
        let folder = tree(&[("proc/uptime", "1 1\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(samples.is_empty());
        assert!(result.unwrap_err().is_no_data());
    }

    #[test]
    fn a_malformed_file_does_not_spoil_the_others() {
        let zil = format!("{HEAD}zil_commit_count 4 10\n");
        let folder = tree(&[(&file("arcstats"), "nonsense\nx\n"), (&file("zil"), &zil)]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples, ["node_zfs_zil_zil_commit_count 10"]);
        let error = result.unwrap_err().to_string();
        assert!(
            error.ends_with("arcstats: no line that says: name type data: \"nonsense\""),
            "{error}"
        );
    }

    #[test]
    fn a_dataset_that_is_listed_twice_is_written_once() {
        let text = |reads: u8| format!("{HEAD}dataset_name 7 tank/data\nreads 4 {reads}\n");
        let folder =
            tree(&[(&file("tank/objset-0x1"), &text(1)), (&file("tank/objset-0x2"), &text(2))]);
        let (samples, _) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(
            samples,
            ["node_zfs_zpool_dataset_reads{zpool=\"tank\",dataset=\"tank/data\"} 1"]
        );
    }

    #[test]
    fn a_state_that_we_do_not_know_is_none_of_the_known() {
        let folder = tree(&[(&file("tank/state"), "Degraded\n"), (&file("odd/state"), "NEW\n")]);
        let (samples, _) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples.len(), 14);
        let active: Vec<_> = samples.iter().filter(|line| line.ends_with(" 1")).collect();
        assert_eq!(active, ["node_zfs_zpool_state{zpool=\"tank\",state=\"degraded\"} 1"]);
    }
}
