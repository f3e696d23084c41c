//! From a URL to a store.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore};

use super::directory::Directory;
use super::{Blobs, StoreError, Transfer};
use crate::names::StoreUrl;

/// An upstream that sends nothing for this long is given up (the request is tried again). There is no limit for the
/// whole of a request: a large blob read by a slow client takes its time.
const UPSTREAM_SILENCE: Duration = Duration::from_secs(60);

/// Opens the store. `options` are the `object_store` settings of an upstream (endpoint, credentials, Region), as the
/// configuration read them; one that the upstream's kind does not know is refused.
///
/// A directory is made if it is missing, with its parents; this blocks for some milliseconds.
pub fn open_store(url: &StoreUrl, options: &[(String, String)]) -> Result<Blobs, StoreError> {
    let text = url.to_string();
    let kind = url.url().scheme();
    if let ("file" | "memory", Some((name, _))) = (kind, options.first()) {
        return Err(StoreError::Failed(format!("store = {text}: a {kind} store has no option {name:?}")));
    }
    match kind {
        "file" => open_directory(url),
        "memory" => Ok(Blobs::new(Arc::new(InMemory::new()), Path::default(), Transfer::Chunks)),
        "s3" => {
            // One DELETE a blob: not every upstream has DeleteObjects.
            let builder = AmazonS3Builder::new().with_config(AmazonS3ConfigKey::DisableBulkDelete, "true");
            let builder = builder.with_url(&text).with_client_options(client_options());
            let builder = configured(builder, options, &text, AmazonS3Builder::with_config)?;
            upstream(url, builder.build().map(Arc::new))
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::new().with_url(&text).with_client_options(client_options());
            let builder = configured(builder, options, &text, |builder, key: GoogleConfigKey, value| {
                builder.with_config(key, value)
            })?;
            upstream(url, builder.build().map(Arc::new))
        }
        "az" => {
            let builder = MicrosoftAzureBuilder::new().with_url(&text).with_client_options(client_options());
            let builder = configured(builder, options, &text, |builder, key: AzureConfigKey, value| {
                builder.with_config(key, value)
            })?;
            upstream(url, builder.build().map(Arc::new))
        }
        other => Err(StoreError::Failed(format!("store = {text}: {other:?} is no known kind of store"))),
    }
}

fn open_directory(url: &StoreUrl) -> Result<Blobs, StoreError> {
    let root = url.url().to_file_path().map_err(|()| StoreError::Failed(format!("store = {url}: no path")))?;
    let directory = Directory::prepare(&root).map_err(|error| StoreError::Failed(format!("store = {url}: {error}")))?;
    let files = LocalFileSystem::new_with_prefix(directory.root())?.with_fsync(true);
    Ok(Blobs::in_directory(Arc::new(files), directory))
}

fn upstream<S: ObjectStore>(url: &StoreUrl, store: object_store::Result<Arc<S>>) -> Result<Blobs, StoreError> {
    let store = store.map_err(|error| StoreError::Failed(format!("store = {url}: {error}")))?;
    let prefix = Path::from_url_path(url.url().path())
        .map_err(|error| StoreError::Failed(format!("store = {url}: the prefix is no path: {error}")))?;
    Ok(Blobs::new(store, prefix, Transfer::Requests))
}

/// For an upstream of which no credentials are set: what may be missing. The client asks the machine for them then, which
/// only a machine of that cloud can answer.
pub fn missing_credentials(url: &StoreUrl, options: &[(String, String)]) -> Option<&'static str> {
    let (missing, sources): (_, &[&str]) = match url.url().scheme() {
        "s3" => {
            ("aws_access_key_id and aws_secret_access_key", &["access_key", "token", "credentials", "skip_signature"])
        }
        "gs" => (
            "google_service_account (the path of its JSON file) or google_application_credentials",
            &["service_account", "application_credentials", "skip_signature"],
        ),
        "az" => (
            "azure_storage_account_key, azure_storage_sas_key, or azure_storage_client_id, azure_storage_client_secret \
             and azure_storage_tenant_id",
            &["account_key", "sas_key", "client_secret", "token", "use_azure_cli", "use_emulator", "skip_signature"],
        ),
        _ => return None,
    };
    let set = options.iter().any(|(name, _)| sources.iter().any(|source| name.contains(source)));
    (!set).then_some(missing)
}

fn client_options() -> ClientOptions {
    ClientOptions::new().with_timeout_disabled().with_read_timeout(UPSTREAM_SILENCE)
}

/// Sets each option by its name. The values may be secrets: no message repeats them.
fn configured<B, K: FromStr>(
    builder: B,
    options: &[(String, String)],
    url: &str,
    set: impl Fn(B, K, String) -> B,
) -> Result<B, StoreError> {
    options.iter().try_fold(builder, |builder, (name, value)| match name.to_ascii_lowercase().parse() {
        Ok(key) => Ok(set(builder, key, value.clone())),
        Err(_) => Err(StoreError::Failed(format!("store = {url}: there is no option {name:?} for this kind of store"))),
    })
}

#[cfg(test)]
mod tests {
    use super::{StoreError, StoreUrl, missing_credentials, open_store};

    fn open(url: &str, options: &[(&str, &str)]) -> Result<super::Blobs, StoreError> {
        let options: Vec<_> = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        open_store(&StoreUrl::parse(url).unwrap(), &options)
    }

    #[test]
    fn every_kind_of_store_opens() {
        let s3 = [
            ("endpoint", "http://127.0.0.1:1"),
            ("access_key_id", "AKIA"),
            ("SECRET_ACCESS_KEY", "secret"),
            ("region", "eu-central-1"),
            ("allow_http", "true"),
            ("virtual_hosted_style_request", "false"),
        ];
        open("s3://bucket/prefix/more", &s3).unwrap();
        open("gs://bucket/prefix", &[("skip_signature", "true")]).unwrap();
        let azure = [("account_name", "account"), ("access_key", "c2VjcmV0")];
        open("az://container/prefix", &azure).unwrap();
        open("memory://", &[]).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        open(&format!("file://{}/a%20b/c", scratch.path().display()), &[]).unwrap();
        assert!(scratch.path().join("a b/c/00").is_dir());
    }

    #[test]
    fn missing_credentials_are_named() {
        let missing = |url: &str, option: &str| {
            let options = [(option.to_owned(), "value".to_owned())];
            missing_credentials(&StoreUrl::parse(url).unwrap(), &options).map(|text| text.split(' ').next().unwrap())
        };
        for (url, other, named, sources) in [
            ("s3://b", "aws_region", "aws_access_key_id", &["aws_access_key_id", "aws_web_identity_token_file"][..]),
            ("gs://b", "google_base_url", "google_service_account", &["google_service_account_key"]),
            ("az://c", "azure_storage_account_name", "azure_storage_account_key,", &["azure_storage_sas_key"]),
        ] {
            assert_eq!(missing(url, other), Some(named));
            for source in sources {
                assert_eq!(missing(url, source), None, "{source}");
            }
        }
        assert_eq!(missing("file:///srv", "x"), None);
    }

    #[test]
    fn an_unknown_option_is_refused_by_name_and_no_value_is_shown() {
        for url in ["s3://bucket", "gs://bucket", "az://container", "memory://", "file:///tmp/never-made"] {
            match open(url, &[("acess_key_id", "hidden")]) {
                Err(StoreError::Failed(text)) => {
                    assert!(text.contains("acess_key_id") && text.contains(url) && !text.contains("hidden"), "{text}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(!std::path::Path::new("/tmp/never-made").exists());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("file"), b"").unwrap();
        assert!(open(&format!("file://{}/file/blobs", scratch.path().display()), &[]).is_err());
    }
}
