//! What a sink holds of a target: its labels and tags, the same in every sink, and their way back from one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::group::Group;
use crate::target::{Draft, FIXED_KEYS, FIXED_TAGS, Key, Target, meta_key, meta_value, share, tag};

/// A target with its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub target: Arc<Target>,
    pub group: Option<Group>,
    /// Of everything that is registered; two rows with the same one need no write.
    pub digest: u64,
}

/// What is the same on all rows of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub cluster: Box<str>,
    /// Who may change and delete a row: it is in the row's meta and starts its id.
    pub owner: Box<str>,
    /// From the command line; a target's own value wins.
    meta: BTreeMap<Box<str>, Box<str>>,
    tags: BTreeSet<Box<str>>,
}

impl Identity {
    /// Keys, values and tags are made such that Consul takes them.
    pub fn new(cluster: &str, owner: &str, meta: &[(String, String)], tags: &[String]) -> Self {
        let pairs = meta.iter().map(|(key, value)| (meta_key(key), meta_value(value)));
        let fixed = |tag: &str| FIXED_TAGS.iter().any(|begin| tag.starts_with(begin));
        let own = pairs.filter(|(key, _)| !key.is_empty() && !FIXED_KEYS.contains(&&**key));
        Self {
            cluster: cluster.into(),
            owner: owner.into(),
            meta: own.map(|(key, value)| (key.into(), value.into())).collect(),
            tags: tags
                .iter()
                .map(|text| tag(text))
                .filter(|tag| !tag.is_empty() && !fixed(tag))
                .map(Into::into)
                .collect(),
        }
    }

    /// `bj-1/node-exporter/10.0.0.1:9100`: the same for one target after a crash and in a second replica.
    pub fn id(&self, key: &Key) -> String {
        format!("{}/{key}", self.owner)
    }

    pub fn row(&self, target: Arc<Target>, group: Option<Group>) -> Row {
        let mut row = Row { target, group, digest: 0 };
        row.digest = self.digest(&row);
        row
    }

    fn digest(&self, row: &Row) -> u64 {
        let key = &row.target.key;
        let address = key.address.to_string();
        let (tags, meta) = (self.tags(row), self.meta(row));
        digest(
            (&key.service, &address, key.port),
            tags.iter().map(|tag| &**tag),
            meta.iter().map(|(key, value)| (*key, &**value)),
        )
    }

    /// Sorted by key.
    pub fn meta<'a>(&'a self, row: &'a Row) -> BTreeMap<&'a str, Cow<'a, str>> {
        let target = &*row.target;
        let ours = self.meta.iter().map(|(key, value)| (&**key, &**value));
        let own = target.meta.iter().map(|(key, value)| (&**key, &**value));
        let mut meta: BTreeMap<&str, Cow<'_, str>> =
            ours.chain(own).map(|(key, value)| (key, Cow::Borrowed(value))).collect();
        meta.extend([
            ("cluster_name", Cow::Borrowed(&*self.cluster)),
            ("ip", Cow::Owned(target.key.address.to_string())),
            ("metrics_path", Cow::Borrowed(&*target.metrics_path)),
            ("node", Cow::Borrowed(&*target.node)),
            ("owner", Cow::Borrowed(&*self.owner)),
            ("scheme", Cow::Borrowed(target.scheme.as_str())),
        ]);
        if let Some(group) = row.group {
            meta.insert("group", Cow::Owned(group.to_string()));
        }
        meta
    }

    /// Sorted, none twice; those that shards select by, `cluster=` and `group=`, among them.
    pub fn tags<'a>(&'a self, row: &'a Row) -> Vec<Cow<'a, str>> {
        let own = self.tags.iter().chain(&row.target.tags).map(|tag| Cow::Borrowed(&**tag));
        let group = row.group.map(|group| Cow::Owned(format!("group={group}")));
        let fixed = [Some(Cow::Owned(format!("cluster={}", self.cluster))), group];
        let all: BTreeSet<Cow<'_, str>> = own.chain(fixed.into_iter().flatten()).collect();
        all.into_iter().collect()
    }

    /// The tags of the user alone, of the command line and the target.
    pub fn own_tags<'a>(&'a self, row: &'a Row) -> BTreeSet<&'a str> {
        self.tags.iter().chain(&row.target.tags).map(|tag| &**tag).collect()
    }

    /// The row that was written as these fields; `None` where it is not one that this agent would write.
    pub fn read_back<'a>(
        &self,
        key: (&str, &str, u16),
        tags: impl Iterator<Item = &'a str>,
        meta: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Option<Row> {
        let (service, address, port) = key;
        let mut draft = Draft {
            service: service.to_owned(),
            address: address.to_owned(),
            port: port.to_string(),
            origin: share("registered earlier, no source has it now"),
            ..Draft::default()
        };
        let mut group = None;
        for (key, value) in meta {
            match key {
                "group" => group = Group::parse(value),
                "scheme" => value.clone_into(&mut draft.scheme),
                "metrics_path" => value.clone_into(&mut draft.metrics_path),
                "node" => value.clone_into(&mut draft.node),
                _ if self.meta.get(key).is_some_and(|own| &**own == value) => {}
                _ => _ = draft.meta.insert(key.to_owned(), value.to_owned()),
            }
        }
        let fixed = |tag: &str| {
            FIXED_TAGS.iter().any(|begin| tag.starts_with(begin)) || self.tags.contains(tag)
        };
        draft.tags = tags.filter(|tag| !fixed(tag)).map(str::to_owned).collect();
        let target = draft.check().ok()?;
        Some(self.row(Arc::new(target), group))
    }
}

/// The digest of a row by its fields, in the order that they are written in.
pub fn digest<'a>(
    key: (&str, &str, u16),
    tags: impl Iterator<Item = &'a str>,
    meta: impl Iterator<Item = (&'a str, &'a str)>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    tags.for_each(|tag| tag.hash(&mut hasher));
    hasher.write_u8(0);
    meta.for_each(|pair| pair.hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(identity: &Identity) -> Row {
        let draft = Draft {
            service: "node-exporter".into(),
            address: "fd00::1".into(),
            port: "9100".into(),
            node: "n1".into(),
            meta: [("namespace".into(), "shop".into()), ("zone".into(), "b".into())].into(),
            tags: vec!["prod".into()],
            ..Draft::default()
        };
        identity.row(Arc::new(draft.check().unwrap()), Some(Group(3)))
    }

    #[test]
    fn a_row_has_the_labels_of_its_target_its_agent_and_its_cluster() {
        let pairs = [("zone".to_owned(), "a".to_owned()), ("team".to_owned(), "x".to_owned())];
        let identity = Identity::new("bj-1", "bj-1", &pairs, &["t".to_owned()]);
        let row = row(&identity);
        assert_eq!(identity.id(&row.target.key), "bj-1/node-exporter/[fd00::1]:9100");
        let meta: Vec<String> =
            identity.meta(&row).iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            meta.join(" "),
            "cluster_name=bj-1 group=g3 ip=fd00::1 metrics_path=/metrics namespace=shop node=n1 \
             owner=bj-1 scheme=http team=x zone=b"
        );
        assert_eq!(identity.tags(&row), ["cluster=bj-1", "group=g3", "prod", "t"]);
    }

    #[test]
    fn a_row_that_was_written_is_read_back_the_same() {
        let pairs = [("team".to_owned(), "x".to_owned())];
        let identity = Identity::new("bj-1", "bj-1", &pairs, &["t".to_owned()]);
        let row = row(&identity);
        let (tags, meta) = (identity.tags(&row), identity.meta(&row));
        let read = identity.read_back(
            ("node-exporter", "fd00::1", 9100),
            tags.iter().map(|tag| &**tag),
            meta.iter().map(|(key, value)| (*key, &**value)),
        );
        let read = read.unwrap();
        assert_eq!((read.digest, read.group), (row.digest, row.group));
        assert_eq!(read.target.meta, row.target.meta);
    }
}
