//! The configuration files: what they say, and when they change.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use exporter_toolkit::files;

use crate::configured::Configured;
use crate::custom::Config;
use crate::options::{CustomOptions, Options};
use crate::settings::Settings;

/// A configuration is some thousand lines at most.
const LIMIT: u64 = 16 << 20;

/// The options with what the file of `--config` says, and what follows from them. How it went is noted in `configured`.
pub fn read(given: &Options, configured: &Configured) -> anyhow::Result<(Options, Settings)> {
    let (options, text) = given.with_config().inspect_err(|_| {
        note(configured, "config", given.config.as_deref(), None);
    })?;
    let custom = custom(&options.custom, configured)?;
    let settings = Settings::new(&options, custom).inspect_err(|_| {
        note(configured, "config", given.config.as_deref(), None);
    })?;
    if let Some(text) = text {
        note(configured, "config", given.config.as_deref(), Some(text.as_bytes()));
    }
    Ok((options, settings))
}

fn note(configured: &Configured, kind: &'static str, file: Option<&Path>, text: Option<&[u8]>) {
    if let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) {
        configured.read(kind, &file.display().to_string(), text);
    }
}

/// What is said about custom resources, by flag or by file.
fn custom(options: &CustomOptions, configured: &Configured) -> anyhow::Result<Config> {
    let named = |file: &&PathBuf| !file.as_os_str().is_empty();
    if let Some(text) =
        options.custom_resource_state_config.as_deref().filter(|text| !text.is_empty())
    {
        return Ok(Config::read(text, "--custom-resource-state-config")?);
    }
    let Some(file) = options.custom_resource_state_config_file.as_ref().filter(named) else {
        anyhow::ensure!(
            !options.custom_resource_state_only,
            "--custom-resource-state-only without --custom-resource-state-config or \
             --custom-resource-state-config-file: nothing would be followed"
        );
        return Ok(Config::default());
    };
    let kind = "customresourceconfig";
    if options.continue_without_custom_resource_state_config_file && !file.exists() {
        tracing::warn!(file = %file.display(), "the file of --custom-resource-state-config-file is not there yet");
        return Ok(Config::default());
    }
    let text = text(file);
    let read = text.and_then(|text| {
        let config = Config::read(&text, &file.display().to_string())?;
        note(configured, kind, Some(file), Some(text.as_bytes()));
        Ok(config)
    });
    read.inspect_err(|_| note(configured, kind, Some(file), None))
}

fn text(file: &Path) -> anyhow::Result<String> {
    files::read(file, LIMIT).with_context(|| {
        format!("cannot read '{}' (--custom-resource-state-config-file)", file.display())
    })
}

/// The configuration files, and how they looked last.
pub struct Files(Vec<(PathBuf, Option<Look>)>);

/// Differs when a file is written or replaced, as a mounted `ConfigMap` is.
type Look = (u64, u64, Option<SystemTime>);

impl Files {
    pub fn of(options: &Options) -> Self {
        let named = [&options.config, &options.custom.custom_resource_state_config_file];
        let files = named.into_iter().flatten().filter(|file| !file.as_os_str().is_empty());
        Self(files.map(|file| (file.clone(), look(file))).collect())
    }

    /// Whether one of them changed since the last call.
    pub fn changed(&mut self) -> bool {
        let mut changed = false;
        for (file, seen) in &mut self.0 {
            let now = look(file);
            changed |= now != *seen;
            *seen = now;
        }
        changed
    }
}

fn look(file: &Path) -> Option<Look> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.ino(), metadata.len(), metadata.modified().ok()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_replaced_or_comes_or_goes_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        let args = ["kube-state-rs".into(), format!("--config={}", file.display()).into()];
        let mut files = Files::of(&crate::options::parse(args).unwrap());
        assert!(!files.changed());
        fs::write(&file, "port: 1").unwrap();
        assert!(files.changed() && !files.changed());
        let other = folder.path().join("other");
        fs::write(&other, "port: 2").unwrap();
        fs::rename(&other, &file).unwrap();
        assert!(files.changed() && !files.changed());
        fs::remove_file(&file).unwrap();
        assert!(files.changed() && !files.changed());
    }

    #[test]
    fn a_broken_configuration_is_noted_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("custom.yaml");
        fs::write(&file, "kind: CustomResourceStateMetrics\nspec:\n  resources: 7\n").unwrap();
        let flag = format!("--custom-resource-state-config-file={}", file.display());
        let options = crate::options::parse(["kube-state-rs".into(), flag.into()]).unwrap();
        let configured = Configured::default();
        let error = read(&options, &configured).unwrap_err();
        assert!(format!("{error:#}").contains("custom.yaml:3"), "{error:#}");
        fs::write(&file, "kind: CustomResourceStateMetrics\nspec:\n  resources: []\n").unwrap();
        read(&options, &configured).unwrap();
    }
}
