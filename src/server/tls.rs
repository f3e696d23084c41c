//! Certificates: several, chosen by server name, reloaded when their files change.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};
use tokio::time::sleep;

use super::der::not_after;
use super::metrics::Metrics;
use crate::config::TlsFiles;
use crate::crypto::{SecretBytes, sha256};
use crate::sources::Timestamp;
use crate::wire::TlsInfo;

/// How often the files are looked at. They are small, and reading them misses no change of content, whatever was done
/// to their times.
const POLL: Duration = Duration::from_secs(2);

/// The certificates in use.
pub(super) struct Certificates {
    current: ArcSwap<Vec<Pair>>,
    provider: Arc<CryptoProvider>,
}

#[derive(Clone)]
struct Pair {
    files: TlsFiles,
    key: Arc<CertifiedKey>,
    expires: Option<Timestamp>,
    /// Of the files that were last looked at, good or not.
    content: [u8; 32],
}

impl Certificates {
    /// Reads all pairs. A pair that can't be used is an error.
    pub(super) async fn load(files: &[TlsFiles]) -> Result<Arc<Self>, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut pairs = Vec::with_capacity(files.len());
        for files in files {
            let (cert, key) = read(files).await?;
            pairs.push(parse(files, &cert, &key, &provider)?);
        }
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(pairs), provider }))
    }

    /// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    pub(super) fn server_config(self: Arc<Self>) -> Result<ServerConfig, String> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| format!("tls: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(self);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Looks at the files again and again.
    pub(super) async fn watch(self: Arc<Self>, metrics: Arc<Metrics>) {
        loop {
            for pair in self.current.load().iter() {
                if let Some(expires) = pair.expires {
                    metrics.certificate(pair.files.cert.display().to_string(), expires);
                }
            }
            sleep(POLL).await;
            self.reload().await;
        }
    }

    /// Takes over every pair that changed and is good. A pair that changed and is not (perhaps half written) is logged
    /// once and the old one kept.
    async fn reload(&self) {
        let mut pairs = Vec::clone(&self.current.load());
        let mut changed = false;
        for pair in &mut pairs {
            let shown = pair.files.cert.display().to_string();
            let (cert, key) = match read(&pair.files).await {
                Ok(content) => content,
                Err(error) => {
                    tracing::warn!(error, "a certificate can't be read; the one in use is kept");
                    continue;
                }
            };
            let content = digest(&cert, &key);
            if content == pair.content {
                continue;
            }
            changed = true;
            match parse(&pair.files, &cert, &key, &self.provider) {
                Ok(new) => {
                    tracing::info!(certificate = shown, "a new certificate is in use");
                    *pair = new;
                }
                Err(error) => {
                    tracing::error!(error, "a new certificate can't be used; the old one is kept");
                    pair.content = content;
                }
            }
        }
        if changed {
            self.current.store(Arc::new(pairs));
        }
    }
}

impl ResolvesServerCert for Certificates {
    /// The first pair for the name that the client can check, else the first for the name, else the first.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pairs = self.current.load();
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let fits = |pair: &&Pair| name.as_ref().is_some_and(|name| is_for(&pair.key, name));
        let checkable = |pair: &&Pair| pair.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let named = pairs.iter().find(|pair| fits(pair) && checkable(pair)).or_else(|| pairs.iter().find(fits));
        named.or_else(|| pairs.iter().find(checkable)).or_else(|| pairs.first()).map(|pair| Arc::clone(&pair.key))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.current.load().iter().map(|pair| &pair.files.cert)).finish()
    }
}

/// What was negotiated, in CloudTrail's words.
pub(super) fn info(connection: &ServerConnection) -> Option<TlsInfo> {
    let version = match connection.protocol_version()? {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "TLSv1.2",
    };
    // rustls puts the version into the names of TLS 1.3's suites; IANA does not.
    let suite = format!("{:?}", connection.negotiated_cipher_suite()?.suite());
    Some(TlsInfo { version, cipher_suite: suite.replacen("TLS13_", "TLS_", 1) })
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let certificate = key.end_entity_cert().ok().and_then(|cert| ParsedCertificate::try_from(cert).ok());
    certificate.is_some_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

async fn read(files: &TlsFiles) -> Result<(Vec<u8>, SecretBytes), String> {
    let read = async |path: &std::path::Path| {
        tokio::fs::read(path).await.map_err(|error| format!("tls: cannot read {}: {error}", path.display()))
    };
    Ok((read(&files.cert).await?, SecretBytes::new(read(&files.key).await?)))
}

fn parse(files: &TlsFiles, cert: &[u8], key: &SecretBytes, provider: &CryptoProvider) -> Result<Pair, String> {
    let (cert_file, key_file) = (files.cert.display(), files.key.display());
    let content = digest(cert, key);
    let chain = CertificateDer::pem_slice_iter(cert).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("{cert_file}: no PEM certificates: {error}"))?;
    let Some(leaf) = chain.first() else {
        return Err(format!("{cert_file}: no certificate in it"));
    };
    let expires = not_after(leaf);
    let key = PrivateKeyDer::from_pem_slice(key.expose())
        .map_err(|error| format!("{key_file}: no private key in PEM form: {error}"))?;
    let key = CertifiedKey::from_der(chain, key, provider)
        .map_err(|error| format!("{cert_file} and {key_file} can't be used together: {error}"))?;
    Ok(Pair { files: files.clone(), key: Arc::new(key), expires, content })
}

fn digest(cert: &[u8], key: &SecretBytes) -> [u8; 32] {
    sha256(&[sha256(cert), sha256(key.expose())].concat())
}
