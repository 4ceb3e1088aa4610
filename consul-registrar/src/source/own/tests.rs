use super::*;

fn options() -> AddressOptions {
    AddressOptions::default()
}

fn interface(name: &str, ip: &str) -> Interface {
    Interface { name: name.into(), ip: ip.parse().unwrap() }
}

fn interfaces() -> Vec<Interface> {
    vec![
        interface("lo", "127.0.0.1"),
        interface("eth0", "fe80::1"),
        interface("eth0", "fd00::5"),
        interface("eth0", "10.0.0.5"),
        interface("docker0", "172.17.0.1"),
    ]
}

fn find(options: &AddressOptions, host_ip: Option<&str>, route: &str) -> Result<String, String> {
    let route = |_| Ok(route.parse().unwrap());
    let found = options.find_with(host_ip.map(str::to_owned), || Ok(interfaces()), route);
    found.map(|ip| ip.to_string()).map_err(|error| error.to_string())
}

#[test]
fn the_flag_comes_before_the_environment_and_the_environment_before_the_route() {
    let flag = AddressOptions { ip: Some("10.0.0.9".parse().unwrap()), ..options() };
    assert_eq!(find(&flag, Some("10.0.0.8"), "10.0.0.5"), Ok("10.0.0.9".into()));
    assert_eq!(find(&options(), Some("10.0.0.8"), "10.0.0.5"), Ok("10.0.0.8".into()));
    assert_eq!(find(&options(), None, "10.0.0.5"), Ok("10.0.0.5".into()));
}

#[test]
fn an_interface_is_meant_by_its_whole_name() {
    let named =
        |pattern: &str| AddressOptions { iface: Some(whole(pattern).unwrap()), ..options() };
    assert_eq!(find(&named("eth.|bond.*"), None, "10.0.0.9"), Ok("10.0.0.5".into()));
    let wrong = find(&named("eth"), None, "10.0.0.9").unwrap_err();
    assert!(wrong.starts_with("--iface: none of the interfaces lo, eth0, docker0"), "{wrong}");
    assert!(find(&named("lo"), None, "10.0.0.9").is_err());
}

#[test]
fn what_no_other_host_reaches_is_refused_loudly() {
    for (ip, kind) in [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("169.254.1.1", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("0.0.0.0", "the unspecified address"),
        ("224.0.0.1", "a multicast address"),
    ] {
        let wrong = find(&options(), Some(ip), "10.0.0.5").unwrap_err();
        assert_eq!(wrong, format!("HOST_IP: {ip} is {kind}: no other host reaches it"));
        assert!(find(&options(), None, ip).is_err(), "{ip}");
    }
    let wrong = find(&options(), None, "172.17.0.1").unwrap_err();
    assert!(wrong.contains("docker0, which is for containers"), "{wrong}");
    let allowed = AddressOptions { allow_loopback: true, ..options() };
    assert_eq!(find(&allowed, None, "127.0.0.1"), Ok("127.0.0.1".into()));
}

#[test]
fn a_port_may_name_its_service() {
    let address = AddressOptions { ip: Some("fd00::5".parse().unwrap()), ..options() };
    let own = |service: &str, ports: &[&str]| OwnOptions {
        service: service.into(),
        port: ports.iter().map(|port| (*port).to_owned()).collect(),
        path: "/metrics".into(),
        scheme: "http".into(),
    };
    assert!(own("a", &["9100", "b=9101"]).start(&address).is_ok());
    let text = |own: OwnOptions| own.start(&address).err().unwrap().to_string();
    assert_eq!(text(own("a", &[])), "mode self needs --port");
    assert_eq!(
        text(own("", &["9100"])),
        "--port 9100: which service is it of? give --service or SERVICE=PORT"
    );
    assert_eq!(text(own("a", &["x"])), "--port x: port \"x\" is not one of 1 to 65535");
    let draft = own("a", &[]).draft("b=9101", "fd00::5".parse().unwrap(), "n");
    assert_eq!(draft.check().unwrap().key.to_string(), "b/[fd00::5]:9101");
}
