//! Lists, whole or in pages.

use std::io;
use std::net::TcpStream;

use super::cluster::{Objects, State, present};
use super::fields::put;
use super::http::{Chunks, Request};
use super::objects::{Form, KINDS, Object};
use super::{Refusal, Scope, Shared};

/// A part of the objects of one resourceVersion.
struct Page {
    version: u64,
    items: Vec<(usize, State)>,
    /// The number at which the next one begins, and how many objects are from there on.
    next: Option<(usize, usize)>,
}

pub(super) fn serve(
    shared: &Shared,
    scope: &Scope,
    request: &Request,
    stream: &mut TcpStream,
) -> io::Result<Option<Refusal>> {
    match page(shared, scope, request) {
        Ok(page) => write(shared, scope, &page, stream).map(|()| None),
        Err(refusal) => Ok(Some(refusal)),
    }
}

fn page(shared: &Shared, scope: &Scope, request: &Request) -> Result<Page, Refusal> {
    let (version, start, objects) = found(shared, scope.kind, request)?;
    // As the watch cache does: what may be of any version is not cut into pages.
    let any = request.parameter("resourceVersion") == Some("0") && start == 0;
    let limit = request.number("limit").filter(|&limit| limit > 0 && !any).unwrap_or(usize::MAX);
    let mut rest =
        present(&objects).skip_while(|(number, _)| *number < start).filter(|&(number, state)| {
            scope.selector.is_any()
                || scope.selector.takes(&Object {
                    shape: &shared.shape,
                    kind: scope.kind,
                    number,
                    state,
                })
        });
    let items = rest.by_ref().take(limit).collect();
    let next = rest.next().map(|(number, _)| (number, objects.len() - number));
    Ok(Page { version, items, next })
}

/// The objects to be listed, of which version, and from which number on.
fn found(
    shared: &Shared,
    kind: usize,
    request: &Request,
) -> Result<(u64, usize, Objects), Refusal> {
    let gone = |message| Refusal::new(410, "Expired", message);
    let mut cluster = shared.cluster();
    cluster.counts.pages += 1;
    if let Some(token) = request.parameter("continue") {
        let read =
            token.split_once('-').and_then(|(v, n)| Some((v.parse().ok()?, n.parse().ok()?)));
        let (version, next) =
            read.ok_or_else(|| Refusal::new(400, "BadRequest", "continue key is not valid"))?;
        let objects = cluster.at(kind, version).ok_or_else(|| {
            gone("The provided continue parameter is too old to display a consistent list result.")
        })?;
        return Ok((version, next, objects));
    }
    cluster.counts.lists += 1;
    let wanted = request.number("resourceVersion").unwrap_or(0);
    too_large(wanted, cluster.version())?;
    if request.parameter("resourceVersionMatch") == Some("Exact") && wanted != cluster.version() {
        let objects = cluster
            .at(kind, wanted)
            .ok_or_else(|| gone("The resourceVersion for the provided list is too old."))?;
        return Ok((wanted, 0, objects));
    }
    let (version, objects) = cluster.snapshot(kind);
    Ok((version, 0, objects))
}

/// A version that is not reached yet, as after a restore from a backup.
pub(super) fn too_large(wanted: u64, current: u64) -> Result<(), Refusal> {
    if wanted <= current {
        return Ok(());
    }
    let message = format!("Too large resource version: {wanted}, current: {current}");
    Err(Refusal::new(504, "Timeout", message))
}

fn write(shared: &Shared, scope: &Scope, page: &Page, stream: &mut TcpStream) -> io::Result<()> {
    let mut chunks = Chunks::start(stream)?;
    let (list, form) = match scope.form {
        Form::Metadata => (
            r#""PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1""#.to_owned(),
            Form::Metadata,
        ),
        Form::Whole | Form::Item => {
            (format!(r#""{}List","apiVersion":"v1""#, KINDS[scope.kind].name), Form::Item)
        }
    };
    let version = page.version;
    put(&mut chunks.out, &format!(r#"{{"kind":{list},"metadata":{{"resourceVersion":"{version}""#));
    if let Some((next, left)) = page.next {
        put(&mut chunks.out, &format!(r#","continue":"{version}-{next}""#));
        if scope.selector.is_any() {
            put(&mut chunks.out, &format!(r#","remainingItemCount":{left}"#));
        }
    }
    put(&mut chunks.out, r#"},"items":["#);
    for (place, &(number, state)) in page.items.iter().enumerate() {
        if place > 0 {
            chunks.out.push(b',');
        }
        Object { shape: &shared.shape, kind: scope.kind, number, state }
            .write(form, &mut chunks.out);
        chunks.pace()?;
    }
    put(&mut chunks.out, "]}\n");
    chunks.finish()
}
