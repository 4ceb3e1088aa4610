//! A resource as it is answered: its families' headers and the stores that hold its objects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exporter_toolkit::Format;
use exporter_toolkit::web::{Member, Packer};
use kube_informer::{Counts, Resource, Status};

use crate::family::Header;
use crate::store::Store;

/// One resource, and a part for each namespace that is followed by itself.
pub struct Group {
    /// As `--resources` names it, or `PLURAL.VERSION.GROUP` of a custom resource.
    pub resource: String,
    headers: Vec<Headers>,
    pub parts: Vec<Arc<Part>>,
}

/// A family's header lines in both formats.
struct Headers {
    name: String,
    text: Member,
    open_metrics: Member,
}

/// What one informer follows.
pub struct Part {
    /// `None` for all namespaces, and for resources of the whole cluster.
    pub namespace: Option<String>,
    pub store: Arc<Store>,
    pub counts: Arc<Counts>,
    standing: Mutex<Standing>,
}

#[derive(Clone, Debug, Default)]
struct Standing {
    status: Option<Status>,
    served: Option<Resource>,
    /// Whether the server said once that there is nothing to list.
    unavailable: bool,
}

impl Part {
    pub fn new(namespace: Option<String>, store: Arc<Store>, counts: Arc<Counts>) -> Self {
        Self { namespace, store, counts, standing: Mutex::default() }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the informer stands; `None` while it has not said anything.
    pub fn status(&self) -> Option<Status> {
        self.standing().status.clone()
    }

    /// The version of the API that is followed; `None` before the first list.
    pub fn served(&self) -> Option<Resource> {
        self.standing().served.clone()
    }

    pub(crate) fn set_status(&self, status: Status) {
        let mut standing = self.standing();
        standing.unavailable |=
            matches!(status, Status::NotServed { .. } | Status::Forbidden { .. });
        standing.status = Some(status);
    }

    pub(crate) fn set_served(&self, resource: &Resource) {
        self.standing().served = Some(resource.clone());
    }

    /// Whether what is answered was once all that there is: a list was complete, or there was nothing that could be listed. It
    /// stays so: a server that fails for a while takes nothing from what is answered.
    pub fn is_ready(&self) -> bool {
        self.standing().unavailable || self.store.size().synced
    }
}

impl Group {
    /// Fails where a header cannot be compressed.
    pub fn new(
        resource: String,
        families: &[Header],
        parts: Vec<Arc<Part>>,
    ) -> Result<Self, PackError> {
        let mut packer = Packer::default();
        let mut member = |header: &Header, format| {
            packer.pack(&header.text(format)).map_err(|_| PackError(header.name.clone()))
        };
        let headers = families.iter().map(|header| {
            Ok(Headers {
                name: header.name.clone(),
                text: member(header, Format::Text)?,
                open_metrics: member(header, Format::OpenMetrics)?,
            })
        });
        let headers = headers.collect::<Result<_, _>>()?;
        Ok(Self { resource, headers, parts })
    }

    /// Whether a scrape that asks for this resource means the group; custom resources are meant by their plural too.
    pub fn is(&self, resource: &str) -> bool {
        let plural = self.resource.split('.').next().unwrap_or_default();
        resource == self.resource || resource == plural
    }

    /// Adds all families that have a sample, each as its header and its blocks.
    pub async fn answer<'g>(&'g self, format: Format, out: &mut Families<'g>) {
        let mut snapshots = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            snapshots.push(part.store.snapshot().await);
        }
        for (family, headers) in self.headers.iter().enumerate() {
            let header = match format {
                Format::Text => &headers.text,
                Format::OpenMetrics => &headers.open_metrics,
            };
            let blocks = snapshots.iter().flat_map(|snapshot| snapshot.members(family)).cloned();
            out.add(&headers.name, header, blocks);
        }
    }
}

/// The families of an answer. Several custom resources may share one, whose header comes once.
#[derive(Default)]
pub struct Families<'g> {
    places: HashMap<&'g str, usize>,
    members: Vec<Vec<Member>>,
}

impl<'g> Families<'g> {
    fn add(&mut self, name: &'g str, header: &Member, blocks: impl Iterator<Item = Member>) {
        let mut blocks = blocks.peekable();
        if blocks.peek().is_none() {
            return;
        }
        let place = *self.places.entry(name).or_insert(self.members.len());
        match self.members.get_mut(place) {
            Some(members) => members.extend(blocks),
            None => self.members.push(std::iter::once(header.clone()).chain(blocks).collect()),
        }
    }

    /// All members in their order.
    pub fn into_members(self) -> impl Iterator<Item = Member> {
        self.members.into_iter().flatten()
    }
}

/// A family's header could not be compressed.
#[derive(Debug, thiserror::Error)]
#[error("the header of '{0}' cannot be compressed")]
pub struct PackError(String);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use exporter_toolkit::web::Unpacker;

    use super::*;
    use crate::rendered::Rendered;
    use crate::resource::Renderer;

    struct Nothing;

    impl Renderer for Nothing {
        fn families(&self) -> &[Header] {
            &[]
        }

        fn render(&self, _: &[u8], _: &mut Rendered) -> Result<(), serde_json::Error> {
            Ok(())
        }
    }

    #[test]
    fn what_a_server_did_not_have_stays_answered_while_it_fails() {
        let retry_in = Duration::from_secs(1);
        let part = || Part::new(None, Arc::new(Store::new(Arc::new(Nothing))), Arc::default());
        let failing = || Status::Failing { error: "403".to_owned(), retry_in };
        let forbidden = Status::Forbidden { message: "no".to_owned(), retry_in };
        for said in [Status::NotServed { retry_in }, forbidden] {
            let part = part();
            part.set_status(failing());
            assert!(!part.is_ready(), "before the server has said anything");
            part.set_status(said);
            assert!(part.is_ready());
            part.set_status(failing());
            assert!(part.is_ready(), "once it fails");
        }
    }

    #[test]
    fn a_family_that_two_resources_share_has_one_header() {
        let mut packer = Packer::default();
        let mut member = |text: &str| packer.pack(text.as_bytes()).unwrap();
        let (header, other) = (member("# HELP a A.\n"), member("# HELP b B.\n"));
        let blocks = [member("a 1\n"), member("b 1\n"), member("a 2\n")];
        let mut families = Families::default();
        families.add("a", &header, blocks[..1].iter().cloned());
        families.add("b", &other, blocks[1..2].iter().cloned());
        families.add("a", &header, blocks[2..].iter().cloned());
        families.add("c", &header, std::iter::empty());
        let mut text = Vec::new();
        for member in families.into_members() {
            text.extend_from_slice(Unpacker::default().unpack(&member).unwrap());
        }
        assert_eq!(text, b"# HELP a A.\na 1\na 2\n# HELP b B.\nb 1\n");
    }
}
