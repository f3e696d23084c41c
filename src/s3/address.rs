//! From host and path to bucket and key: path style and virtual-host style.

use super::code::Code;
use super::error::Error;
use crate::wire::{decode_query, virtual_bucket};

/// Bucket and key as the client named them, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// None: the service.
    pub(crate) bucket: Option<String>,
    /// None: the bucket.
    pub(crate) key: Option<String>,
}

/// Resolves a request. `host` is lower case and without port; `domains` are the configured virtual-host domains.
/// The path is decoded once and never normalised: `//`, `.` and `..` are legal in keys. `+` is a space, as AWS has it: who
/// means a plus writes `%2B`.
pub(crate) fn resolve(host: &str, raw_path: &str, domains: &[String]) -> Result<Address, Error> {
    let decode = |text: &str| decode_query(text).ok_or_else(|| Error::new(Code::InvalidURI));
    let path = raw_path.strip_prefix('/').unwrap_or(raw_path);
    if let Some(bucket) = virtual_bucket(host, domains) {
        let key = Some(decode(path)?).filter(|key| !key.is_empty());
        return Ok(Address { bucket: Some(bucket.to_owned()), key });
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let bucket = Some(decode(bucket)?).filter(|bucket| !bucket.is_empty());
    let key = Some(decode(key)?).filter(|key| !key.is_empty());
    match (&bucket, &key) {
        (None, Some(_)) => Err(Error::new(Code::InvalidBucketName).and("BucketName", "")),
        _ => Ok(Address { bucket, key }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, resolve};

    fn check(host: &str, path: &str, bucket: Option<&str>, key: Option<&str>) {
        let domains = ["localhost", "s3.localhost", "s3.example.com"].map(str::to_owned);
        let expected = Address { bucket: bucket.map(str::to_owned), key: key.map(str::to_owned) };
        assert_eq!(resolve(host, path, &domains).unwrap(), expected, "{host} {path}");
    }

    #[test]
    fn both_styles() {
        check("127.0.0.1", "/", None, None);
        check("127.0.0.1", "/bkt", Some("bkt"), None);
        check("127.0.0.1", "/bkt/", Some("bkt"), None);
        check("127.0.0.1", "/bkt/a/b", Some("bkt"), Some("a/b"));
        check("127.0.0.1", "/bkt//a//", Some("bkt"), Some("/a//"));
        check("127.0.0.1", "/bkt/../x/.", Some("bkt"), Some("../x/."));
        check("127.0.0.1", "/bkt/a+b%20c%2Fd%2B", Some("bkt"), Some("a b c/d+"));
        check("s3.example.com", "/bkt/k", Some("bkt"), Some("k"));
        check("bkt.s3.example.com", "/k/l", Some("bkt"), Some("k/l"));
        check("my.dotted.bkt.s3.example.com", "/", Some("my.dotted.bkt"), None);
        check("bkt.s3.example.com", "//k", Some("bkt"), Some("/k"));
        check("bkt.localhost", "/k", Some("bkt"), Some("k"));
        check("xs3.example.com", "/bkt/k", Some("bkt"), Some("k"));
        check("s3.localhost", "/bkt/k", Some("bkt"), Some("k"));
        check("bkt.s3.localhost", "/k", Some("bkt"), Some("k"));
        check(".localhost", "/bkt/k", Some("bkt"), Some("k"));
    }

    #[test]
    fn what_is_not_utf8_or_has_no_bucket_is_refused() {
        assert!(resolve("h", "/bkt/%ff", &[]).is_err());
        assert!(resolve("h", "//key", &[]).is_err());
    }
}
