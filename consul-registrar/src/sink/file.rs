//! `file_sd`: files that are replaced as a whole, and only where their text changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::text::{Form, read, write};
use crate::group::Group;
use crate::row::{Identity, Row};

/// In a path, stands for the group's name: one file a group.
const PER_GROUP: &str = "{group}";
/// Where there are no groups, one file has this name in place of the group's.
const NO_GROUP: &str = "all";
/// A file of 100,000 targets has 40 MB; a larger one is not ours.
const MOST_BYTES: u64 = 1 << 30;

/// Why a file is not as it should be; the old one stays.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{path}: cannot write, the old file stays: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path}: cannot read what was written before: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{path}: it holds something else than this cluster's targets, so it is not replaced: move it away"
    )]
    Foreign { path: PathBuf },
    #[error("--sink file={path}: the name ends in neither .json, .yml nor .yaml")]
    Form { path: PathBuf },
    #[error("--sink file={path}: {PER_GROUP} can stand once, in the file's own name")]
    PerGroup { path: PathBuf },
}

/// What became of the files: each is tried, whatever becomes of the others.
#[derive(Debug, Default)]
pub struct Written {
    pub replaced: usize,
    pub failed: Vec<FileError>,
}

impl Written {
    pub fn add(&mut self, other: Self) {
        self.replaced += other.replaced;
        self.failed.extend(other.failed);
    }

    /// How many were replaced, where none failed.
    pub fn whole(self) -> Result<usize, FileError> {
        self.failed.into_iter().next().map_or(Ok(self.replaced), Err)
    }
}

/// One file, or one for each group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSink {
    path: PathBuf,
    form: Form,
    /// Files that this process has written or found to be its own.
    ours: BTreeSet<PathBuf>,
}

impl FileSink {
    /// The name's end says the form; `{group}` in it makes one file a group.
    pub fn new(path: &Path) -> Result<Self, FileError> {
        let form = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Form::Json,
            Some("yml" | "yaml") => Form::Yaml,
            _ => return Err(FileError::Form { path: path.to_owned() }),
        };
        let count = |text: &str| text.matches(PER_GROUP).count();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let all = count(&path.to_string_lossy());
        if all > 1 || all != count(&name) {
            return Err(FileError::PerGroup { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), form, ours: BTreeSet::new() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was written before, of all files. Missing ones hold nothing.
    pub fn read(&self, identity: &Identity) -> Result<Vec<Row>, FileError> {
        let mut rows = Vec::new();
        for path in self.present()? {
            rows.extend(self.read_one(identity, &path)?.unwrap_or_default());
        }
        rows.sort_by(|a, b| a.target.key.cmp(&b.target.key));
        rows.dedup_by(|next, kept| next.target.key == kept.target.key);
        Ok(rows)
    }

    /// The rows of a file; `None` where it is not there.
    fn read_one(&self, identity: &Identity, path: &Path) -> Result<Option<Vec<Row>>, FileError> {
        let text = match contents(path) {
            Ok(None) => return Ok(None),
            Ok(Some(text)) => text,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(FileError::Foreign { path: path.to_owned() });
            }
            Err(source) => return Err(FileError::Read { path: path.to_owned(), source }),
        };
        // Made beforehand so that somebody may watch it.
        if text.trim_ascii().is_empty() {
            return Ok(Some(Vec::new()));
        }
        let rows = read(self.form, identity, &text);
        rows.map(Some).ok_or_else(|| FileError::Foreign { path: path.to_owned() })
    }

    /// Makes the files say `rows`. A group that has no rows any more has an empty list.
    pub fn write(&mut self, identity: &Identity, rows: &[Row]) -> Written {
        let present = match self.present() {
            Ok(present) => present,
            Err(error) => return Written { replaced: 0, failed: vec![error] },
        };
        let mut files: BTreeMap<PathBuf, Vec<&Row>> =
            present.into_iter().map(|path| (path, Vec::new())).collect();
        if !self.is_per_group() {
            files.entry(self.path.clone()).or_default();
        }
        for row in rows {
            files.entry(self.path_of(row)).or_default().push(row);
        }
        let mut written = Written::default();
        for (path, rows) in files {
            let mut text = Vec::new();
            write(self.form, identity, rows.into_iter(), &mut text);
            match self.replace(identity, path, &text) {
                Ok(replaced) => written.replaced += usize::from(replaced),
                Err(error) => written.failed.push(error),
            }
        }
        written
    }

    fn replace(
        &mut self,
        identity: &Identity,
        path: PathBuf,
        text: &[u8],
    ) -> Result<bool, FileError> {
        if !self.ours.contains(&path) {
            self.read_one(identity, &path)?;
        }
        match replace(&path, text) {
            Ok(replaced) => {
                self.ours.insert(path);
                Ok(replaced)
            }
            Err(source) => Err(FileError::Write { path, source }),
        }
    }

    /// Removes what processes that were killed have left beside the files.
    pub fn sweep(&self) {
        let Ok(entries) = fs::read_dir(folder(&self.path)) else { return };
        for entry in entries.flatten() {
            let file = entry.file_name();
            let Some((name, process)) = file.to_str().and_then(beside) else { continue };
            let runs = Path::new("/proc").join(process).exists();
            if self.is_named(name) && !runs {
                tracing::info!(file = %entry.path().display(), "removed: its writer was killed");
                // Somebody else may have done so.
                _ = fs::remove_file(entry.path());
            }
        }
    }

    fn is_per_group(&self) -> bool {
        self.path.to_string_lossy().contains(PER_GROUP)
    }

    fn path_of(&self, row: &Row) -> PathBuf {
        if !self.is_per_group() {
            return self.path.clone();
        }
        let group = row.group.map_or_else(|| NO_GROUP.to_owned(), |group| group.to_string());
        self.path.to_string_lossy().replace(PER_GROUP, &group).into()
    }

    /// The files that are there: those whose name has a group's in place of `{group}`.
    fn present(&self) -> Result<Vec<PathBuf>, FileError> {
        if !self.is_per_group() {
            return Ok(if self.path.exists() { vec![self.path.clone()] } else { Vec::new() });
        }
        let folder = folder(&self.path);
        let failed = |source| FileError::Read { path: folder.to_owned(), source };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_str().is_some_and(|name| self.is_named(name)) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Whether one of our files has this name.
    fn is_named(&self, file: &str) -> bool {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let Some((before, after)) = name.split_once(PER_GROUP) else { return name == file };
        let group = file.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        group.is_some_and(|group| group == NO_GROUP || Group::parse(group).is_some())
    }
}

/// The file and the process of `.FILE.PROCESS.tmp`.
fn beside(name: &str) -> Option<(&str, &str)> {
    let (file, process) = name.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.')?;
    process.bytes().all(|byte| byte.is_ascii_digit()).then_some((file, process))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn contents(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Writes beside the file, syncs and renames: a reader sees the old text or the new one, also after a crash, and a full disk
/// leaves the old one.
fn replace(path: &Path, text: &[u8]) -> io::Result<bool> {
    if fs::metadata(path).is_ok_and(|old| old.len() == text.len() as u64)
        && contents(path).is_ok_and(|old| old.is_some_and(|old| old.as_bytes() == text))
    {
        return Ok(false);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = File::create(&beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder(path))?.sync_all()
    })();
    if let Err(error) = written {
        // It may not be there at all.
        let _removed = fs::remove_file(&beside);
        return Err(error);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::group::Group;
    use crate::target::Draft;

    fn row(identity: &Identity, address: &str, group: u32) -> Row {
        let draft = Draft {
            service: "a".into(),
            address: address.into(),
            port: "1".into(),
            ..Draft::default()
        };
        identity.row(Arc::new(draft.check().unwrap()), Some(Group(group)))
    }

    #[test]
    fn a_file_is_replaced_only_where_its_text_changes() {
        let identity = Identity::new("c", "c", &[], &[]);
        let folder = tempfile::tempdir().unwrap();
        let mut sink = FileSink::new(&folder.path().join("targets.json")).unwrap();
        let rows = [row(&identity, "10.0.0.1", 0)];
        assert_eq!(sink.write(&identity, &rows).whole().unwrap(), 1);
        assert_eq!(sink.write(&identity, &rows).whole().unwrap(), 0);
        assert_eq!(sink.read(&identity).unwrap()[0].digest, rows[0].digest);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_group_without_rows_has_an_empty_file() {
        let identity = Identity::new("c", "c", &[], &[]);
        let folder = tempfile::tempdir().unwrap();
        let mut sink = FileSink::new(&folder.path().join("t-{group}.yaml")).unwrap();
        let rows = [row(&identity, "10.0.0.1", 0), row(&identity, "10.0.0.2", 1)];
        assert_eq!(sink.write(&identity, &rows).whole().unwrap(), 2);
        assert_eq!(sink.read(&identity).unwrap().len(), 2);
        assert_eq!(sink.write(&identity, &rows[..1]).whole().unwrap(), 1);
        assert_eq!(contents(&folder.path().join("t-g1.yaml")).unwrap().unwrap(), "[]\n");
        for wrong in ["{group}/t.json", "{group}-{group}.json", "t.txt"] {
            assert!(FileSink::new(&folder.path().join(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_never_replaced_and_an_empty_file_is() {
        let identity = Identity::new("c", "c", &[], &[]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets.json");
        let mut sink = FileSink::new(&path).unwrap();
        let own = [row(&identity, "10.0.0.1", 0)];
        for foreign in [
            &b"not a list"[..],
            b"\xff\xfe",
            br#"[{"targets":["10.0.0.9:1"]}]"#,
            br#"[{"targets":["10.0.0.9:1"],"labels":{"cluster_name":"d"}}]"#,
        ] {
            fs::write(&path, foreign).unwrap();
            assert!(matches!(sink.read(&identity), Err(FileError::Foreign { .. })));
            let written = sink.write(&identity, &own);
            assert!(matches!(&*written.failed, [FileError::Foreign { .. }]), "{written:?}");
            assert_eq!(fs::metadata(&path).unwrap().len(), foreign.len() as u64);
        }
        fs::write(&path, "").unwrap();
        assert_eq!(sink.read(&identity).unwrap(), []);
        assert_eq!(sink.write(&identity, &own).whole().unwrap(), 1);
        // A second process knows it as its own.
        let mut again = FileSink::new(&path).unwrap();
        assert_eq!(again.write(&identity, &[]).whole().unwrap(), 1);
    }

    #[test]
    fn one_file_that_cannot_be_written_does_not_stop_the_others() {
        let identity = Identity::new("c", "c", &[], &[]);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("t-g0.json")).unwrap();
        let mut sink = FileSink::new(&folder.path().join("t-{group}.json")).unwrap();
        let rows = [row(&identity, "10.0.0.1", 0), row(&identity, "10.0.0.2", 1)];
        let written = sink.write(&identity, &rows);
        assert_eq!((written.replaced, written.failed.len()), (1, 1));
        let mut missing = FileSink::new(&folder.path().join("no/such/t.json")).unwrap();
        assert!(matches!(missing.write(&identity, &[]).whole(), Err(FileError::Write { .. })));
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            // Of a process that no kernel has.
            ".t-g0.json.99999999.tmp".to_owned(),
            ".other.json.99999999.tmp".to_owned(),
            ".t-g0.json.old.tmp".to_owned(),
            format!(".t-g1.json.{}.tmp", std::process::id()),
        ];
        for name in &names {
            fs::write(folder.path().join(name), "[").unwrap();
        }
        FileSink::new(&folder.path().join("t-{group}.json")).unwrap().sweep();
        let there = names.map(|name| folder.path().join(name).exists());
        assert_eq!(there, [false, true, true, true]);
    }
}
