use super::*;

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: first
contexts:
- {name: first, context: {cluster: one, user: robot, namespace: shop}}
- {name: second, context: {cluster: two, user: robot}}
clusters:
- {name: one, cluster: {server: 'https://10.0.0.1:6443'}}
- {name: two, cluster: {server: 'https://10.0.0.2:6443', proxy-url: 'http://proxy:3128'}}
users:
- {name: robot, user: {token: inline, tokenFile: token}}
";

/// A kubeconfig with the token file it names beside it.
fn kubeconfig(text: &str) -> (tempfile::TempDir, Access) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.path().join("token"), "sesame").unwrap();
    let access = Access { kubeconfig: Some(file), ..Access::default() };
    (folder, access)
}

fn pod(name: &str) -> Option<String> {
    let value = match name {
        "KUBERNETES_SERVICE_HOST" => "fd00::1",
        "KUBERNETES_SERVICE_PORT" => "443",
        _ => return None,
    };
    Some(value.to_owned())
}

fn nothing(_: &str) -> Option<String> {
    None
}

#[tokio::test]
async fn the_kubeconfig_wins_over_the_pod_and_its_context_can_be_chosen() {
    let (_folder, mut access) = kubeconfig(KUBECONFIG);
    let (config, own_proxy) = access.source(pod).await.unwrap();
    assert_eq!(config.cluster_url, "https://10.0.0.1:6443/");
    assert_eq!((config.default_namespace.as_str(), own_proxy), ("shop", false));
    access.context = Some("second".to_owned());
    let (config, own_proxy) = access.source(pod).await.unwrap();
    assert_eq!(config.cluster_url, "https://10.0.0.2:6443/");
    assert!(own_proxy);
}

#[tokio::test]
async fn a_pod_reaches_its_cluster_by_the_environment() {
    let (config, _) = Access::default().source(pod).await.unwrap();
    assert_eq!(config.cluster_url, "https://[fd00::1]:443/");
    assert!(config.auth_info.token_file.unwrap().starts_with(SERVICE_ACCOUNT));
}

#[tokio::test]
async fn a_url_takes_the_place_of_the_one_that_was_found_and_suffices_alone() {
    let access = Access { apiserver: Some("10.9.9.9:8443".to_owned()), ..Access::default() };
    let (mut config, _) = access.source(pod).await.unwrap();
    access.override_server(&mut config).unwrap();
    assert_eq!(config.cluster_url, "https://10.9.9.9:8443/");
    let (config, _) = access.source(nothing).await.unwrap();
    assert_eq!(config.cluster_url, "http://10.9.9.9:8443/");
    assert!(config.auth_info.token_file.is_none());
}

#[tokio::test]
async fn what_is_wrong_names_its_flag_or_file() {
    let error = Access::default().source(nothing).await.unwrap_err().to_string();
    assert!(error.contains("--kubeconfig") && error.contains("--apiserver"), "{error}");
    let missing = Access { kubeconfig: Some("/nowhere/config".into()), ..Access::default() };
    let error = missing.source(nothing).await.unwrap_err().to_string();
    assert!(error.starts_with("--kubeconfig /nowhere/config: "), "{error}");
    let (_folder, mut access) = kubeconfig(KUBECONFIG);
    access.context = Some("third".to_owned());
    let error = access.source(nothing).await.unwrap_err().to_string();
    assert!(error.contains("third"), "{error}");
    for url in ["ftp://api", "https://", "not a url"] {
        let access = Access { apiserver: Some(url.to_owned()), ..Access::default() };
        let error = access.source(nothing).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("--apiserver {url}: ")), "{error}");
    }
    let port = in_cluster("api", "https", Path::new("/nowhere")).unwrap_err().to_string();
    assert!(port.contains("KUBERNETES_SERVICE_PORT=https"), "{port}");
}

#[tokio::test]
async fn a_token_file_wins_over_the_token_beside_it() {
    let (_folder, access) = kubeconfig(KUBECONFIG);
    let (mut config, _) = access.source(nothing).await.unwrap();
    let token = own_token(&mut config.auth_info).unwrap().unwrap();
    assert_eq!(token.header(), "Bearer sesame");
    assert!(config.auth_info.token.is_none());
}

#[tokio::test]
async fn a_failed_exec_plugin_is_told_without_what_it_wrote() {
    let plugin = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never, \
        args: [-c, 'echo sesame; exit 3']}}";
    let text = KUBECONFIG.replace("{token: inline, tokenFile: token}", plugin);
    let (_folder, access) = kubeconfig(&text);
    let error = access.link().await.err().unwrap().to_string();
    assert!(error.contains("exec plugin failed") && error.contains("exit status: 3"), "{error}");
    assert!(!error.contains("sesame"), "{error}");
}

#[test]
fn a_proxy_that_cannot_be_used_is_told_without_its_password() {
    let server = http::Uri::from_static("https://10.0.0.1:6443");
    let error = environment_proxy(&server, |name| {
        (name == "HTTPS_PROXY").then(|| "socks5://user:sesame@proxy:1080".to_owned())
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("proxy:1080") && !error.contains("sesame"), "{error}");
}
