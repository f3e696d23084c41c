//! TLS: names, versions, protocols, and certificates that change under way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use strongroom::config::TlsFiles;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{CLOSE, Edge, PATIENCE, settings, start};

/// Makes a certificate for `name` and writes it and its key to `NAME.pem` and `NAME.key`.
fn write_pair(dir: &Path, name: &str) -> CertificateDer<'static> {
    let certified = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
    std::fs::write(dir.join(format!("{name}.pem")), certified.cert.pem()).expect("written");
    std::fs::write(dir.join(format!("{name}.key")), certified.signing_key.serialize_pem()).expect("written");
    certified.cert.der().clone()
}

fn files(dir: &Path, name: &str) -> TlsFiles {
    TlsFiles { cert: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) }
}

async fn start_with(dir: &Path, names: &[&str]) -> Edge {
    let mut settings = settings();
    settings.tls = names.iter().map(|name| files(dir, name)).collect();
    start(settings).await
}

async fn connect(
    edge: &Edge,
    name: &str,
    trusted: &[&CertificateDer<'static>],
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(edge.address).await?;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn ask(mut stream: TlsStream<TcpStream>) -> String {
    stream.write_all(format!("GET /edge HTTP/1.1\r\n{CLOSE}").as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("closed in order");
    answer
}

#[tokio::test]
async fn the_server_name_chooses_the_certificate() {
    let dir = tempfile::tempdir().expect("a directory");
    let [a, b] = ["a.example.com", "b.example.com"].map(|name| write_pair(dir.path(), name));
    let edge = start_with(dir.path(), &["a.example.com", "b.example.com"]).await;
    for (name, certificate) in [("a.example.com", &a), ("b.example.com", &b)] {
        let stream = connect(&edge, name, &[certificate], rustls::ALL_VERSIONS, &[]).await.expect("a handshake");
        let shown = stream.get_ref().1.peer_certificates().expect("a certificate")[0].clone();
        assert_eq!(&shown, certificate);
    }
    // A name that fits none gets the first pair, which the client then refuses by name.
    let other = connect(&edge, "c.example.com", &[&a, &b], rustls::ALL_VERSIONS, &[]).await;
    let error = other.expect_err("another name").to_string();
    assert!(error.contains("not valid for name \"c.example.com\""), "{error}");
}

#[tokio::test]
async fn both_versions_are_told_in_cloudtrails_words_and_are_secure() {
    let dir = tempfile::tempdir().expect("a directory");
    let certificate = write_pair(dir.path(), "a.example.com");
    let edge = start_with(dir.path(), &["a.example.com"]).await;
    for (version, expected) in [
        (&rustls::version::TLS13, "127.0.0.1 true true h h|TLSv1.3 TLS_AES_256_GCM_SHA384"),
        (&rustls::version::TLS12, "127.0.0.1 true true h h|TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    ] {
        let stream = connect(&edge, "a.example.com", &[&certificate], &[version], &["http/1.1"]).await;
        let answer = ask(stream.expect("a handshake")).await;
        assert!(answer.ends_with(expected), "{answer}");
    }
}

#[tokio::test]
async fn http2_is_offered() {
    let dir = tempfile::tempdir().expect("a directory");
    let certificate = write_pair(dir.path(), "a.example.com");
    let edge = start_with(dir.path(), &["a.example.com"]).await;
    for (offered, chosen) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"][..], "http/1.1")] {
        let stream = connect(&edge, "a.example.com", &[&certificate], rustls::ALL_VERSIONS, offered).await;
        assert_eq!(stream.expect("a handshake").get_ref().1.alpn_protocol(), Some(chosen.as_bytes()));
    }
}

#[tokio::test]
async fn a_new_pair_is_taken_over_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let old = write_pair(dir.path(), "a.example.com");
    let edge = start_with(dir.path(), &["a.example.com"]).await;
    let shown = async || {
        let stream = connect(&edge, "a.example.com", &[&old], rustls::ALL_VERSIONS, &[]).await;
        stream.map(|stream| stream.get_ref().1.peer_certificates().expect("a certificate")[0].clone())
    };
    assert_eq!(shown().await.expect("the old pair"), old);
    // A certificate without its key: as seen between the writing of one file and the other.
    let key = std::fs::read(dir.path().join("a.example.com.key")).expect("read");
    let new = write_pair(dir.path(), "a.example.com");
    let new_key = std::fs::read(dir.path().join("a.example.com.key")).expect("read");
    std::fs::write(dir.path().join("a.example.com.key"), key).expect("written");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(shown().await.expect("the old pair still"), old);
    std::fs::write(dir.path().join("a.example.com.key"), new_key).expect("written");
    let begun = Instant::now();
    while connect(&edge, "a.example.com", &[&new], rustls::ALL_VERSIONS, &[]).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the new pair is not taken over");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let metrics = edge.metrics.render();
    assert!(metrics.contains("tls_certificate_expiry_seconds{file="), "{metrics}");
}

#[tokio::test]
async fn plain_http_and_slow_handshakes_end() {
    let dir = tempfile::tempdir().expect("a directory");
    write_pair(dir.path(), "a.example.com");
    let mut settings = settings();
    settings.tls = vec![files(dir.path(), "a.example.com")];
    settings.limits.header_timeout = Duration::from_millis(300);
    let edge = start(settings).await;
    assert!(!edge.ask(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await.contains("HTTP/1.1 200"));
    let mut silent = edge.connect().await;
    assert_eq!(silent.rest().await, "");
}

#[tokio::test]
async fn a_pair_that_does_not_match_stops_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    write_pair(dir.path(), "a.example.com");
    write_pair(dir.path(), "b.example.com");
    let (a, b) = (files(dir.path(), "a.example.com"), files(dir.path(), "b.example.com"));
    for (cert, key, reason) in [
        (a.cert.clone(), b.key, "can't be used together"),
        (a.cert.clone(), dir.path().join("none"), "none: No such file"),
        (a.key.clone(), a.key, "no certificate in it"),
        (a.cert.clone(), a.cert, "no private key"),
    ] {
        let mut settings = settings();
        settings.tls = vec![TlsFiles { cert, key }];
        let error = strongroom::server::bind(settings).await.expect_err("refused").to_string();
        assert!(error.contains(reason), "{error}");
    }
}
