//! The `store` setting.

use std::fmt;

/// Where blobs go: `file:///path`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `memory://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl(url::Url);

/// The setting names no store; the message says what is wrong and which forms there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidStoreUrl(pub String);

impl StoreUrl {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, InvalidStoreUrl> {
        const FORMS: &str =
            "use file:///path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory://";
        let url = url::Url::parse(text).map_err(|e| InvalidStoreUrl(format!("store = {text:?}: {e}; {FORMS}")))?;
        let bucket = url.host_str().is_some_and(|host| !host.is_empty());
        match url.scheme() {
            "file" if !bucket && url.path() != "/" => Ok(Self(url)),
            "file" => Err(InvalidStoreUrl(format!("store = {text:?}: a file store is an absolute path, file:///path"))),
            "s3" | "gs" | "az" if bucket => Ok(Self(url)),
            "s3" | "gs" | "az" => Err(InvalidStoreUrl(format!("store = {text:?}: the bucket is missing; {FORMS}"))),
            "memory" => Ok(Self(url)),
            other => Err(InvalidStoreUrl(format!("store = {text:?}: {other:?} is no known kind of store; {FORMS}"))),
        }
    }

    /// A directory of this machine; `path` must be absolute.
    pub fn file(path: &std::path::Path) -> Result<Self, InvalidStoreUrl> {
        let url = url::Url::from_directory_path(path);
        url.map(Self).map_err(|()| InvalidStoreUrl(format!("{} is no absolute path", path.display())))
    }

    /// The URL.
    pub fn url(&self) -> &url::Url {
        &self.0
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::StoreUrl;

    #[test]
    fn forms() {
        for good in ["file:///srv/blobs", "s3://bucket/prefix", "s3://bucket", "gs://b/p", "az://c/p", "memory://"] {
            assert!(StoreUrl::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "/srv/blobs", "file://srv/blobs", "file:///", "s3://", "ftp://x/y", "s3:/bucket"] {
            assert!(StoreUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
