//! What a registrar follows goes away, or what it writes to: nothing is deleted that is still there.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use e2e::cluster::Cluster;
use e2e::{servers, wait_until};

use crate::consul;
use crate::scene::{Nodes, PATIENCE, instances, registrar};

/// Long enough for many retries of a source, and for several passes.
pub(crate) const AWHILE: Duration = Duration::from_secs(8);

#[test]
fn an_api_server_that_is_away_empties_nothing_and_two_clusters_never_touch_each_other() {
    let test = "consul-registrar without its API server";
    let Some(cluster) = Cluster::empty(test) else { return };
    let Some(consul) = consul::start(test) else { return };
    let nodes = Nodes::new(&cluster, "away");
    for number in [1, 2, 3] {
        nodes.add(number);
    }
    let to_consul = format!("--consul={}", consul.url());
    let mut flags = nodes.flags(cluster.folder(), 9100);
    flags.push(to_consul.clone());
    let one = registrar("kubernetes", "one", &flags);
    // The other cluster has a target that the first one has, too.
    let file = cluster.folder().join("targets.yaml");
    std::fs::write(&file, "- {service: node-exporter, targets: ['127.0.77.1:9100']}\n").unwrap();
    let other = [format!("--file={}", file.display()), to_consul];
    let two = registrar("static", "two", &other);
    consul.expect("node-exporter", "one", &instances(&[1, 2, 3], 9100)).unwrap();
    consul.expect("node-exporter", "two", &instances(&[1], 9100)).unwrap();

    cluster.stop("apiserver136");
    sleep(AWHILE);
    consul.expect("node-exporter", "one", &instances(&[1, 2, 3], 9100)).unwrap();
    // One that starts meanwhile knows nothing and deletes nothing.
    drop(one);
    let program = e2e::agent::consul_registrar().unwrap();
    let mut command = Command::new(program);
    let address = e2e::agent::local(e2e::free_port().unwrap());
    command.args(["kubernetes", "--cluster-name=one"]).args(&flags);
    command.arg(format!("--web.listen-address={address}"));
    let _one = e2e::Agent::spawn(address, &mut command).unwrap();
    sleep(AWHILE);
    consul.expect("node-exporter", "one", &instances(&[1, 2, 3], 9100)).unwrap();

    cluster.up();
    cluster.kubectl(&["delete", "node", &nodes.name(3)]).unwrap();
    consul.expect("node-exporter", "one", &instances(&[1, 2], 9100)).unwrap();
    std::fs::write(&file, "[]\n").unwrap();
    consul.expect("node-exporter", "two", &[]).unwrap();
    assert_eq!(consul.instances("node-exporter", "one").unwrap(), instances(&[1, 2], 9100));
    drop(two);
}

#[test]
fn a_full_disk_leaves_the_file_of_before_whole_and_is_made_good() {
    let test = "consul-registrar and a full disk";
    if !servers::is_root() {
        return servers::skip(test, "a mount needs root");
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path().join("small");
    std::fs::create_dir(&mount).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&mount)
        .status()
        .unwrap();
    assert!(mounted.success());
    let _mounted = Mounted(&mount);
    let targets = folder.path().join("targets.yaml");
    let write = |count: u16| {
        let list: Vec<String> =
            (1..=count).map(|n| format!("10.77.{}.{}:1", n / 250, n % 250 + 1)).collect();
        std::fs::write(&targets, format!("- {{service: a, targets: [{}]}}\n", list.join(", ")))
            .unwrap();
    };
    write(2);
    let file = mount.join("sd.json");
    let flags =
        [format!("--file={}", targets.display()), format!("--sink=file={}", file.display())];
    let _registrar = registrar("static", "disk", &flags);
    let expect = |count: usize| {
        wait_until("targets in the file", PATIENCE, || {
            let list: serde_json::Value = serde_json::from_slice(&std::fs::read(&file)?)?;
            let found = list.as_array().map_or(0, Vec::len);
            ensure!(found == count, "{found} targets instead of {count}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    };
    expect(2);
    write(2000);
    sleep(AWHILE);
    expect(2);
    assert_eq!(
        std::fs::read_dir(&mount).unwrap().count(),
        1,
        "nothing half-written is left behind"
    );
    let larger =
        Command::new("mount").args(["-o", "remount,size=8m"]).arg(&mount).status().unwrap();
    assert!(larger.success());
    expect(2000);
}

struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        if let Err(error) = Command::new("umount").arg("--lazy").arg(self.0).status() {
            eprintln!("umount: {error}");
        }
    }
}
