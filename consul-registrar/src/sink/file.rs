//! `file_sd`: files that are replaced as a whole, and only where their text changes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::text::{Form, read, write};
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
    #[error("{path}: it is not a list of targets, so it is not replaced: move it away")]
    Foreign { path: PathBuf },
    #[error("--sink file={path}: the name ends in neither .json, .yml nor .yaml")]
    Form { path: PathBuf },
}

/// One file, or one for each group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSink {
    path: PathBuf,
    form: Form,
}

impl FileSink {
    /// The name's end says the form; `{group}` in it makes one file a group.
    pub fn new(path: &Path) -> Result<Self, FileError> {
        let form = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Form::Json,
            Some("yml" | "yaml") => Form::Yaml,
            _ => return Err(FileError::Form { path: path.to_owned() }),
        };
        Ok(Self { path: path.to_owned(), form })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was written before, of all files. Missing ones hold nothing.
    pub fn read(&self, identity: &Identity) -> Result<Vec<Row>, FileError> {
        let mut rows = Vec::new();
        for path in self.present()? {
            let text =
                contents(&path).map_err(|source| FileError::Read { path: path.clone(), source })?;
            let Some(text) = text else { continue };
            let read = read(self.form, identity, &text);
            rows.extend(read.ok_or(FileError::Foreign { path })?);
        }
        rows.sort_by(|a, b| a.target.key.cmp(&b.target.key));
        rows.dedup_by(|next, kept| next.target.key == kept.target.key);
        Ok(rows)
    }

    /// Makes the files say `rows`. Returns how many were replaced. A group that has no rows any more has an empty list.
    pub fn write(&self, identity: &Identity, rows: &[Row]) -> Result<usize, FileError> {
        let mut files: BTreeMap<PathBuf, Vec<&Row>> =
            self.present()?.into_iter().map(|path| (path, Vec::new())).collect();
        if !self.is_per_group() {
            files.entry(self.path.clone()).or_default();
        }
        for row in rows {
            files.entry(self.path_of(row)).or_default().push(row);
        }
        let mut replaced = 0;
        for (path, rows) in files {
            let mut text = Vec::new();
            write(self.form, identity, rows.into_iter(), &mut text);
            let done = replace(&path, &text);
            replaced += usize::from(done.map_err(|source| FileError::Write { path, source })?);
        }
        Ok(replaced)
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
        let (folder, name) = (folder(&self.path), self.path.file_name().unwrap_or_default());
        let name = name.to_string_lossy();
        let Some((before, after)) = name.split_once(PER_GROUP) else { return Ok(Vec::new()) };
        let failed = |source| FileError::Read { path: folder.to_owned(), source };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let file = entry.file_name();
            let Some(group) = file.to_str().and_then(|name| name.strip_prefix(before)) else {
                continue;
            };
            let Some(group) = group.strip_suffix(after) else { continue };
            if group == NO_GROUP || crate::group::Group::parse(group).is_some() {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    }
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
        let sink = FileSink::new(&folder.path().join("targets.json")).unwrap();
        let rows = [row(&identity, "10.0.0.1", 0)];
        assert_eq!(sink.write(&identity, &rows).unwrap(), 1);
        assert_eq!(sink.write(&identity, &rows).unwrap(), 0);
        assert_eq!(sink.read(&identity).unwrap()[0].digest, rows[0].digest);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_group_without_rows_has_an_empty_file() {
        let identity = Identity::new("c", "c", &[], &[]);
        let folder = tempfile::tempdir().unwrap();
        let sink = FileSink::new(&folder.path().join("t-{group}.yaml")).unwrap();
        let rows = [row(&identity, "10.0.0.1", 0), row(&identity, "10.0.0.2", 1)];
        assert_eq!(sink.write(&identity, &rows).unwrap(), 2);
        assert_eq!(sink.read(&identity).unwrap().len(), 2);
        assert_eq!(sink.write(&identity, &rows[..1]).unwrap(), 1);
        assert_eq!(contents(&folder.path().join("t-g1.yaml")).unwrap().unwrap(), "[]\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_keeps_its_text_and_a_foreign_one_is_told() {
        let identity = Identity::new("c", "c", &[], &[]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets.json");
        fs::write(&path, "not a list").unwrap();
        let sink = FileSink::new(&path).unwrap();
        assert!(matches!(sink.read(&identity), Err(FileError::Foreign { .. })));
        let missing = FileSink::new(&folder.path().join("no/such/t.json")).unwrap();
        assert!(matches!(missing.write(&identity, &[]), Err(FileError::Write { .. })));
    }
}
