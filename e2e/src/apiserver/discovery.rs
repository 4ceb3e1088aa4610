//! What the server says about itself.

use super::objects::KINDS;

/// The answer to a path that is about no object.
pub(super) fn find(path: &str) -> Option<String> {
    match path.trim_end_matches('/') {
        "/livez" | "/readyz" | "/healthz" => Some("ok".to_owned()),
        "/version" => Some(VERSION.to_owned()),
        "/api" => Some(
            r#"{"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[]}"#
                .to_owned(),
        ),
        "/apis" => Some(r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#.to_owned()),
        "/api/v1" => Some(resources()),
        _ => None,
    }
}

const VERSION: &str = r#"{"major":"1","minor":"36","gitVersion":"v1.36.0","gitCommit":"0","gitTreeState":"clean","buildDate":"2026-04-01T00:00:00Z","goVersion":"none","compiler":"none","platform":"linux/amd64"}"#;

fn resources() -> String {
    let resources: Vec<String> = KINDS
        .iter()
        .map(|kind| {
            let singular = kind.name.to_ascii_lowercase();
            format!(
                r#"{{"name":"{}","singularName":"{singular}","namespaced":{},"kind":"{}","verbs":["get","list","watch"]}}"#,
                kind.plural, kind.namespaced, kind.name
            )
        })
        .collect();
    format!(
        r#"{{"kind":"APIResourceList","groupVersion":"v1","resources":[{}]}}"#,
        resources.join(",")
    )
}
