//! Options of an upstream store: `[store_options]` over the variables that AWS, Google and Azure tools read.

use std::collections::BTreeMap;
use std::str::FromStr;

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;

use super::ConfigError;
use super::values::StoreOption;
use crate::names::StoreUrl;

/// Options for `store` under `object_store`'s own names: those of the environment, then `given` over them.
pub(super) fn collect(
    store: Option<&StoreUrl>,
    given: Vec<StoreOption>,
    environment: &[(String, String)],
) -> Result<Vec<(String, String)>, ConfigError> {
    let scheme = store.map_or("file", |store| store.url().scheme());
    let (prefix, canonical): (&str, fn(&str) -> Option<String>) = match scheme {
        "s3" => ("AWS_", canonical::<AmazonS3ConfigKey>),
        "gs" => ("GOOGLE_", canonical::<GoogleConfigKey>),
        "az" => ("AZURE_", canonical::<AzureConfigKey>),
        _ if given.is_empty() => return Ok(Vec::new()),
        _ => return Err(ConfigError(format!("store_options: a {scheme} store has no options"))),
    };
    let mut options = BTreeMap::new();
    for (name, value) in environment.iter().filter(|(name, value)| name.starts_with(prefix) && !value.is_empty()) {
        // What is no option of the store (AWS_PAGER, AWS_PROFILE) belongs to other programs.
        if let Some(name) = canonical(&name.to_ascii_lowercase()) {
            options.insert(name, value.clone());
        }
    }
    for StoreOption { name, value } in given {
        let name = canonical(&name)
            .ok_or_else(|| ConfigError(format!("store_options: {name:?} is no option of a {scheme} store")))?;
        options.insert(name, value);
    }
    Ok(options.into_iter().collect())
}

fn canonical<K: FromStr + AsRef<str>>(name: &str) -> Option<String> {
    name.parse::<K>().ok().map(|key| key.as_ref().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(url: Option<&str>, given: &[&str], environment: &[(&str, &str)]) -> Result<Vec<String>, ConfigError> {
        let url = url.map(|url| StoreUrl::parse(url).expect("a store"));
        let given = given.iter().map(|option| option.parse().expect("an option")).collect();
        let environment: Vec<_> = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let options = collect(url.as_ref(), given, &environment)?;
        Ok(options.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
    }

    #[test]
    fn given_options_stand_over_the_environment() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "from-env"),
            ("AWS_SECRET_ACCESS_KEY", "env-secret"),
            ("AWS_ENDPOINT_URL", "http://upstream:9000"),
            ("AWS_PAGER", "less"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "other"),
        ];
        assert_eq!(
            collected(Some("s3://b"), &["access_key_id=given", "allow_http=true"], &environment).expect("valid"),
            [
                "allow_http=true",
                "aws_access_key_id=given",
                "aws_endpoint=http://upstream:9000",
                "aws_secret_access_key=env-secret"
            ]
        );
        assert!(collected(Some("file:///b"), &[], &environment).expect("valid").is_empty());
        assert!(collected(None, &[], &environment).expect("valid").is_empty());
    }

    #[test]
    fn unknown_options_are_refused() {
        assert!(collected(Some("s3://b"), &["colour=red"], &[]).is_err());
        assert!(collected(None, &["aws_region=x"], &[]).is_err());
    }
}
