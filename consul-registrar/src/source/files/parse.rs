//! How a file of targets is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::source::kubernetes::Found;
use crate::source::text::{self, Many, Problem, Scalar, host_and_port};
use crate::target::Draft;

/// Targets that have everything else in common. `targets` and `labels` are those of `file_sd`; the rest is ours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    targets: Many<String>,
    /// `job`, `node`, `__scheme__` and `__metrics_path__` mean what they say; others become meta keys.
    #[serde(default)]
    labels: BTreeMap<String, Scalar>,
    service: Option<String>,
    scheme: Option<String>,
    #[serde(alias = "metrics_path")]
    path: Option<String>,
    node: Option<String>,
    #[serde(default)]
    meta: BTreeMap<String, Scalar>,
    #[serde(default)]
    tags: Many<String>,
}

/// Reads a whole file. `service` is that of targets that name none.
pub(super) fn parse(path: &Path, text: &str, service: &str) -> Result<Vec<Found>, Problem> {
    let file = path.display().to_string();
    if super::is_json(path) {
        let entries: Vec<Entry> = text::json(text)?;
        let numbered = entries.into_iter().enumerate();
        let found = numbered
            .flat_map(|(i, entry)| entry.found(service, &format!("entry {} of {file}", i + 1)));
        return Ok(found.collect());
    }
    let entries: Vec<Spanned<Entry>> = text::yaml(text)?;
    let found = entries.into_iter().flat_map(|entry| {
        let line = entry.referenced.line();
        entry.value.found(service, &format!("{file}, line {line}"))
    });
    Ok(found.collect())
}

impl Entry {
    fn found(mut self, service: &str, origin: &str) -> Vec<Found> {
        let draft = self.draft(service, &origin.into());
        let targets = self.targets.0.iter().map(|target| {
            let (address, port) = host_and_port(target.trim());
            let draft =
                Draft { address: address.to_owned(), port: port.to_owned(), ..draft.clone() };
            draft.check().map(Arc::new)
        });
        targets.collect()
    }

    /// What the targets have in common.
    fn draft(&mut self, service: &str, origin: &Arc<str>) -> Draft {
        let mut label = |name: &str| self.labels.remove(name).map(|scalar| scalar.0);
        let [job, scheme, path, node] =
            ["job", "__scheme__", "__metrics_path__", "node"].map(&mut label);
        let text =
            |own: &Option<String>, label: Option<String>| own.clone().or(label).unwrap_or_default();
        let mut draft = Draft {
            service: text(&self.service, job),
            scheme: text(&self.scheme, scheme),
            metrics_path: text(&self.path, path),
            node: text(&self.node, node),
            tags: self.tags.0.clone(),
            origin: Arc::clone(origin),
            ..Draft::default()
        };
        if draft.service.is_empty() {
            service.clone_into(&mut draft.service);
        }
        // Names that begin so belong to Prometheus' relabelling.
        let labels = self.labels.iter().filter(|(name, _)| !name.starts_with("__"));
        let pairs = labels.chain(&self.meta).map(|(key, value)| (key.clone(), value.0.clone()));
        draft.meta.extend(pairs);
        draft
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(name: &str, text: &str) -> Vec<String> {
        let found = parse(Path::new(name), text, "default").unwrap();
        let row = |one: Found| match one {
            Ok(target) => {
                let meta: Vec<String> =
                    target.meta.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let (scheme, path, node) = (target.scheme, &target.metrics_path, &target.node);
                let tags = target.tags.join(",");
                let (key, meta) = (&target.key, meta.join(","));
                format!("{key} {scheme} {path} {node} [{meta}] [{tags}]")
            }
            Err(held) => format!("{}: {}", held.origin, held.reason),
        };
        found.into_iter().map(row).collect()
    }

    #[test]
    fn files_of_prometheus_and_our_own_are_read() {
        let file_sd = r#"[{"targets":["10.0.0.1:9100","[fd00::1]:9100"],
            "labels":{"job":"node","env":"prod","__metrics_path__":"/m"}}]"#;
        let expected = [
            "node/10.0.0.1:9100 http /m 10.0.0.1 [env=prod] []",
            "node/[fd00::1]:9100 http /m fd00::1 [env=prod] []",
        ];
        assert_eq!(rows("a.json", file_sd), expected);
        assert_eq!(rows("a.yaml", file_sd), expected);
        let ours = "- service: etcd\n  targets: etcd-1:2379\n  scheme: https\n  path: /metrics\n  node: m1\n  \
                    meta: {rack: 7}\n  tags: [blue]\n- targets: [10.0.0.1:1]\n";
        assert_eq!(
            rows("a.yml", ours),
            [
                "etcd/etcd-1:2379 https /metrics m1 [rack=7] [blue]",
                "default/10.0.0.1:1 http /metrics 10.0.0.1 [] []"
            ]
        );
    }

    #[test]
    fn a_bad_target_is_held_back_with_its_line_and_the_others_go_on() {
        let text =
            "- targets: [10.0.0.1:1]\n\n- targets: ['10.0.0.2:99999', 10.0.0.3, 10.0.0.4:4]\n";
        assert_eq!(
            rows("a.yaml", text),
            [
                "default/10.0.0.1:1 http /metrics 10.0.0.1 [] []",
                "a.yaml, line 3: port \"99999\" is not one of 1 to 65535",
                "a.yaml, line 3: port \"\" is not one of 1 to 65535",
                "default/10.0.0.4:4 http /metrics 10.0.0.4 [] []",
            ]
        );
    }

    #[test]
    fn a_broken_file_names_its_line() {
        let wrong = |name, text| parse(Path::new(name), text, "").unwrap_err().to_string();
        let yaml = wrong("a.yaml", "- targets: [a:1]\n- targts: [b:1]\n");
        assert!(yaml.starts_with("line 2: "), "{yaml}");
        let json = wrong("a.json", "[{\"targets\":[\"a:1\"]},\n{\"targets\":[\"b:1\"");
        assert!(json.starts_with("line 2: "), "{json}");
    }

    proptest! {
        #[test]
        fn no_file_panics(text in "(- |\\{|\\}|\\[|\\]|targets|labels|meta|: |\"|[a-z0-9:,. \\n\u{e4}]){0,60}") {
            drop(parse(Path::new("a.yaml"), &text, ""));
            drop(parse(Path::new("a.json"), &text, ""));
        }
    }
}
