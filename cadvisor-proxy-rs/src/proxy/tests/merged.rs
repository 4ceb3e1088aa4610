//! Several targets as one.

use super::*;

/// A proxy in front of targets called a, b, c ….
fn merging(targets: &[&str], limit: usize) -> (std::net::SocketAddr, Arc<Totals>) {
    let names = ["a", "b", "c"];
    let clients = names.iter().zip(targets).map(|(name, at)| ((*name).to_owned(), client(at)));
    let merge = Merge::new(clients.collect(), limit);
    before(Upstream::Several(merge), SourceKind::Exporter, LIMIT, ALL)
}

async fn merged(targets: &[&str]) -> (String, Arc<Totals>) {
    let (address, totals) = merging(targets, 1 << 20);
    let text = asked(address, "x-prometheus-scrape-timeout-seconds: 1\r\n").await;
    (String::from_utf8(text).unwrap(), totals)
}

async fn gives(answer: Vec<u8>) -> String {
    upstream(vec![answer], Duration::ZERO).await
}

const UP: &str = "cadvisor_proxy_target_up";

#[tokio::test]
async fn samples_of_all_targets_come_in_one_body_with_identity_and_exporter() {
    let one = gives(whole(b"# TYPE m counter\nm 1\n", "")).await;
    let two = gives(whole(&packed(b"# TYPE m counter\nm 2\n"), "content-encoding: gzip\r\n")).await;
    let (text, totals) = merged(&[&one, &two]).await;
    for (name, value) in [("a", 1), ("b", 2)] {
        let whose = format!("exporter=\"{name}\",pod_ip=\"10.0.0.1\",pod_name=\"web-1\"}}");
        assert!(text.contains(&format!("m{{{whose} {value}\n")), "{text}");
        assert!(text.contains(&format!("{UP}{{{whose} 1\n")), "{text}");
        assert!(text.contains(&format!("cadvisor_proxy_target_samples{{{whose} 1\n")), "{text}");
    }
    assert_eq!(text.matches("# TYPE m counter\n").count(), 1, "{text}");
    assert!(text.ends_with(END), "{text}");
    assert_eq!((totals.answered.load(Relaxed), totals.problem()), (2, None));
}

#[tokio::test]
async fn a_target_that_gives_nothing_whole_is_down_and_the_others_are_not() {
    let good = gives(whole(b"m 1\n", "")).await;
    let page = whole(b"<html>Sign in</html>\n", "content-type: text/html\r\n");
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nn 1\n".to_vec();
    let refused = b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno".to_vec();
    let long = whole(&b"n 1\n".repeat(1 << 19), "");
    let bomb = whole(&packed(&b"n 1\n".repeat(1 << 19)), "content-encoding: gzip\r\n");
    let cut = whole(&packed(b"n 1\n")[..10], "content-encoding: gzip\r\n");
    let open = "content-type: application/openmetrics-text; version=1.0.0\r\n";
    let endless = whole(b"n 1\n", open);
    for bad in [page, short, refused, long, bomb, cut, endless] {
        let shown = String::from_utf8_lossy(&bad[..bad.len().min(100)]).into_owned();
        let (text, totals) = merged(&[&gives(bad).await, &good]).await;
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with(END), "{shown}: {text}");
        assert!(
            text.contains(&format!(
                "{UP}{{exporter=\"a\",pod_ip=\"10.0.0.1\",pod_name=\"web-1\"}} 0\n"
            )),
            "{shown}: {text}"
        );
        assert!(text.contains("\nm{exporter=\"b\",") && !text.contains("\nn{"), "{shown}: {text}");
        assert!(totals.problem().unwrap().starts_with("a: "), "{shown}");
    }
}

#[tokio::test]
async fn a_slow_target_costs_the_others_nothing() {
    let good = gives(whole(b"m 1\n", "")).await;
    let silent = upstream(vec![Vec::new(), Vec::new()], Duration::from_hours(1)).await;
    let (text, totals) = merged(&[&silent, &good]).await;
    assert!(text.contains("\nm{exporter=\"b\",") && text.ends_with(END), "{text}");
    assert_eq!((totals.late.load(Relaxed), totals.answered.load(Relaxed)), (1, 1));
}

#[tokio::test]
async fn where_all_are_down_the_scrape_fails_with_every_reason() {
    let refused = gives(b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno".to_vec()).await;
    let (text, _) = merged(&["http://127.0.0.1:1/", &refused]).await;
    assert!(text.starts_with("HTTP/1.1 502"), "{text}");
    assert!(
        text.contains("a: cannot connect") && text.contains("b: ") && text.contains("500"),
        "{text}"
    );
    let silent = upstream(vec![Vec::new(), Vec::new()], Duration::from_hours(1)).await;
    let (text, _) = merged(&[&silent]).await;
    assert!(text.starts_with("HTTP/1.1 504"), "{text}");
}

#[tokio::test]
async fn one_body_of_the_limit_passes_and_one_byte_more_does_not() {
    let body = b"m 1\n".repeat(100);
    let target = gives(whole(&body, "")).await;
    for (limit, status) in [(body.len(), "200"), (body.len() - 1, "502")] {
        let (address, _) = merging(&[&target], limit);
        let text = String::from_utf8(asked(address, "").await).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
    }
}

#[test]
fn a_name_stands_before_the_address() {
    for (text, name, shown) in [
        ("app=http://a:1/m?x=1", Some("app"), "http://a:1"),
        ("http://a:1/m?x=1", None, "http://a:1"),
        ("redis=unix:/run/r.sock", Some("redis"), "unix:/run/r.sock"),
    ] {
        let (found, target) = named(text).unwrap();
        assert_eq!((found, target.to_string().as_str()), (name, shown));
    }
    assert!(named("app=").is_err());
}
