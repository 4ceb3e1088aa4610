use proptest::prelude::*;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const UID: &str = "8f3a1b2c-0d4e-4f5a-9b6c-7d8e9f0a1b2c";

/// A path with `ID`, `UID` and `U_D` (the uid as systemd has it) replaced.
fn path(form: &str) -> String {
    form.replace("U_D", &UID.replace('-', "_")).replace("UID", UID).replace("ID", ID)
}

fn pod_uid(found: &Cgroup<'_>) -> Option<String> {
    found.pod.map(|uid| String::from_utf8(uid.as_bytes().to_vec()).unwrap())
}

#[test]
fn every_known_layout_tells_container_pod_and_class() {
    use Qos::{BestEffort, Burstable, Guaranteed};
    let layouts = [
        ("/kubepods/burstable/podUID/ID", Burstable),
        ("/kubepods/besteffort/podUID/ID", BestEffort),
        ("/kubepods/podUID/ID", Guaranteed),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_D.slice/docker-ID.scope",
            Burstable,
        ),
        ("/kubepods.slice/kubepods-podU_D.slice/cri-containerd-ID.scope", Guaranteed),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_D.slice/crio-ID.scope",
            BestEffort,
        ),
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podU_D.slice/cri-containerd-ID.scope",
            Burstable,
        ),
        ("/kubelet/kubepods/burstable/podUID/ID", Burstable),
        (
            "/docker/fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podU_D.slice/cri-containerd-ID.scope",
            Guaranteed,
        ),
        ("/system.slice/k3s.service/kubepods/burstable/podUID/ID", Burstable),
        (
            "/system.slice/containerd.service/kubepods-burstable-podU_D.slice:cri-containerd:ID",
            Burstable,
        ),
    ];
    for (form, qos) in layouts {
        let path = path(form);
        let found = Cgroup::of(path.as_bytes());
        assert_eq!(found.container, Some(ID.as_bytes()), "{path}");
        assert_eq!(pod_uid(&found).as_deref(), Some(UID), "{path}");
        assert_eq!((found.qos, found.monitor, found.nested), (Some(qos), false, false), "{path}");
    }
}

#[test]
fn a_container_without_a_pod_has_its_id_alone() {
    for form in [
        "/docker/ID",
        "/system.slice/docker-ID.scope",
        "/machine.slice/libpod-ID.scope",
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
        "/system.slice/containerd.service/default:ID",
        "/libpod_parent/libpod-ID",
    ] {
        let path = path(form);
        let found = Cgroup::of(path.as_bytes());
        let wanted = Cgroup { container: Some(ID.as_bytes()), ..Cgroup::default() };
        assert_eq!(found, wanted, "{path}");
    }
}

#[test]
fn the_process_beside_a_container_is_known_as_such() {
    for form in [
        "/machine.slice/libpod-conmon-ID.scope",
        "/kubepods.slice/kubepods-podU_D.slice/crio-conmon-ID.scope",
    ] {
        let path = path(form);
        let found = Cgroup::of(path.as_bytes());
        assert!(found.monitor && found.container.is_some(), "{path}");
    }
}

#[test]
fn a_pods_own_cgroup_has_a_uid_and_no_container() {
    for form in [
        "/kubepods/burstable/podUID",
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_D.slice",
    ] {
        let path = path(form);
        let found = Cgroup::of(path.as_bytes());
        assert_eq!((found.container, pod_uid(&found).as_deref()), (None, Some(UID)), "{path}");
    }
    let hashed = Cgroup::of(b"/kubepods/podd41d8cd98f00b204e9800998ecf8427e/");
    assert_eq!(pod_uid(&hashed).unwrap(), "d41d8cd98f00b204e9800998ecf8427e");
}

#[test]
fn what_a_container_makes_below_itself_is_nested() {
    let path = path("/kubepods/podUID/ID/init.scope");
    let found = Cgroup::of(path.as_bytes());
    assert!(found.nested);
    assert_eq!(found.container, Some(ID.as_bytes()));
}

#[test]
fn slices_and_services_are_nobodys() {
    for path in [
        "/",
        "",
        "/kubepods.slice",
        "/kubepods/burstable",
        "/system.slice/ssh.service",
        "/docker",
        "/podman-12.scope",
        "/system.slice/system-serial\\x2dgetty.slice",
        "/docker/0123456789abcdef",
    ] {
        let found = Cgroup::of(path.as_bytes());
        assert_eq!((found.container, found.pod), (None, None), "{path}");
    }
    let capitals = path("/docker/ID").to_uppercase();
    assert_eq!(Cgroup::of(capitals.as_bytes()).container, None);
}

#[test]
fn a_kubelets_name_has_all_but_the_address() {
    let name = format!("/k8s_app_web-1_shop_{UID}_3");
    let found = RuntimeName::of(name.as_bytes()).unwrap();
    assert_eq!(
        (found.container, found.pod, found.namespace),
        (&b"app"[..], &b"web-1"[..], &b"shop"[..])
    );
    assert_eq!((found.uid, found.attempt), (UID.as_bytes(), Some(3)));
    let clash = format!("k8s_POD_web-1_shop_{UID}_0_1a2b3c4d");
    assert_eq!(RuntimeName::of(clash.as_bytes()).unwrap().container, b"POD");
    let old = format!("k8s_app.2f3a1b_web-1.x_shop_{UID}_9c8d7e6f");
    let old = RuntimeName::of(old.as_bytes()).unwrap();
    assert_eq!((old.container, old.pod, old.attempt), (&b"app"[..], &b"web-1.x"[..], None));
}

#[test]
fn another_name_is_none_of_the_kubelets() {
    for name in
        ["", "k8s_", "web", "k8s_a_b_c_d", "k8s_a__c_d_1", "k8s_a_b_c_d_1_2_3", "k9s_a_b_c_d_1"]
    {
        assert_eq!(RuntimeName::of(name.as_bytes()), None, "{name}");
    }
}

proptest! {
    #[test]
    fn what_is_found_stands_in_the_path(path in prop_oneof![
        "(/?(kubepods|kubepods.slice|pod|burstable|docker|[a-f0-9_-]{0,70}|-pod|.slice|.scope|:)){0,9}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..200),
    ]) {
        let found = Cgroup::of(&path);
        if let Some(id) = found.container {
            prop_assert!(is_id(id) && memmem::find(&path, id).is_some());
        }
        if let Some(uid) = found.pod {
            let dashed = |text: &[u8]| text.iter().map(|b| if *b == b'_' { b'-' } else { *b }).collect::<Vec<_>>();
            prop_assert!(memmem::find(&dashed(&path), &dashed(uid.as_bytes())).is_some());
            prop_assert!(found.qos.is_some());
        }
        let _ = RuntimeName::of(&path);
    }

    #[test]
    fn any_root_and_any_runtime_give_the_same_answer(
        root in "(/[a-z.]{1,12}){0,3}",
        prefix in "([a-z]{1,9}-){0,2}",
        uid in "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        id in "[0-9a-f]{64}",
    ) {
        let slice = uid.replace('-', "_");
        for path in [
            format!("{root}/kubepods/burstable/pod{uid}/{id}"),
            format!("{root}/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/{prefix}{id}.scope"),
        ] {
            let found = Cgroup::of(path.as_bytes());
            prop_assert_eq!(found.container, Some(id.as_bytes()));
            prop_assert_eq!(pod_uid(&found), Some(uid.clone()));
            prop_assert_eq!(found.qos, Some(Qos::Burstable));
        }
    }
}
