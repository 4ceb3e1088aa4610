//! What of the client's request upstream sees.

use tokio::sync::mpsc;

use super::*;

/// A target that tells the heads of its requests.
async fn listening() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap();
            tell.send(String::from_utf8_lossy(&head[..length]).to_lowercase()).await.unwrap();
            stream.write_all(&whole(b"a 1\n", "")).await.unwrap();
        }
    });
    (format!("http://{address}/m?x=1"), told)
}

async fn ask(address: std::net::SocketAddr, path: &str) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer abc\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn query_and_authorization_go_on_where_they_are_let() {
    let (target, mut told) = listening().await;
    let (address, _) = proxy(&target, SourceKind::Exporter, LIMIT);
    ask(address, "/metrics?collect%5B%5D=cpu&b=c%26d").await;
    let head = told.recv().await.unwrap();
    assert!(head.starts_with("get /m?x=1&collect%5b%5d=cpu&b=c%26d http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer abc\r\n"), "{head}");
}

#[tokio::test]
async fn a_kubelet_gets_neither() {
    let (target, mut told) = listening().await;
    let target = target.trim_end_matches("/m?x=1");
    let upstream = Upstream::One(client(target));
    let (address, _) = before(upstream, SourceKind::Kubelet, LIMIT, Passes::default());
    ask(address, "/metrics/cadvisor?x=y").await;
    let head = told.recv().await.unwrap();
    assert!(head.starts_with("get /metrics/cadvisor http/1.1\r\n"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
}
