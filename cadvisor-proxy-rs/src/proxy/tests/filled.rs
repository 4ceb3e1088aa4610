//! With a reader of cgroups: alone, and beside an upstream whose answer it completes.

use std::fs;
use std::path::Path;

use super::*;
use crate::cgroup::{CgroupOptions, Reader};

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    cgroup: CgroupOptions,
}

/// A host with one cgroup beside its root.
fn host() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("app")).unwrap();
    for (file, text) in [
        ("cgroup.controllers", "memory\n"),
        ("app/memory.current", "4096\n"),
        ("app/memory.peak", "8192\n"),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

fn native(folder: &Path) -> Native {
    let flags = ["agent", "--cgroup.root=false", "--cgroup.disable=machine,disk,diskIO"];
    let options = <Flags as clap::Parser>::parse_from(flags).cgroup;
    let mut paths = options.paths(folder.join("proc"));
    paths.cgroup = folder.to_owned();
    Native::new(Reader::new(&options, paths).unwrap(), options.enabled())
}

async fn text(address: std::net::SocketAddr) -> String {
    String::from_utf8(asked(address, "").await).unwrap()
}

#[tokio::test]
async fn cgroups_are_served_with_nobody_asked() {
    let folder = host();
    let upstream = Upstream::Cgroups(native(folder.path()));
    let (address, totals) = before(upstream, SourceKind::Cgroup, LIMIT, ALL);
    let text = text(address).await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with(END), "{text}");
    assert!(text.contains("container_memory_max_usage_bytes{id=\"/app\""), "{text}");
    assert_eq!((totals.answered.load(Relaxed), totals.problem()), (1, None));
}

#[tokio::test]
async fn what_upstream_lacks_is_added_and_what_it_has_stays() {
    let folder = host();
    let body =
        b"# TYPE container_memory_usage_bytes gauge\ncontainer_memory_usage_bytes{id=\"/app\"} 7\n";
    let upstream = Upstream::One(client(&upstream(vec![whole(body, "")], Duration::ZERO).await));
    let fill = Some(native(folder.path()));
    let (address, totals) = completed(upstream, fill, SourceKind::Cadvisor, LIMIT, ALL);
    let text = text(address).await;
    assert!(text.ends_with(END), "{text}");
    assert_eq!(text.matches("container_memory_usage_bytes{").count(), 1, "{text}");
    assert!(
        text.contains(
            "container_memory_usage_bytes{id=\"/app\",pod_ip=\"10.0.0.1\",pod_name=\"web-1\"} 7\n"
        ),
        "{text}"
    );
    assert!(text.contains("container_memory_max_usage_bytes{id=\"/app\""), "{text}");
    assert_eq!(totals.problem(), None);
}

#[tokio::test]
async fn an_upstream_that_is_down_is_not_made_up_for() {
    let folder = host();
    let upstream = Upstream::One(client("http://127.0.0.1:1/"));
    let fill = Some(native(folder.path()));
    let (address, _) = completed(upstream, fill, SourceKind::Cadvisor, LIMIT, ALL);
    let text = text(address).await;
    assert!(text.starts_with("HTTP/1.1 502"), "{text}");
}

#[tokio::test]
async fn a_page_for_people_is_not_completed_to_metrics() {
    let folder = host();
    let page = whole(b"<html>\nPlease log in.\n", "");
    let upstream = Upstream::One(client(&upstream(vec![page], Duration::ZERO).await));
    let fill = Some(native(folder.path()));
    let (address, totals) = completed(upstream, fill, SourceKind::Cadvisor, LIMIT, ALL);
    let text = text(address).await;
    assert!(!text.ends_with(END), "{text}");
    assert_eq!(totals.aborted.load(Relaxed), 1);
}
