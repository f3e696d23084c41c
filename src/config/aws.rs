//! Whose credentials a command signs with, and where it sends requests: the variables and files that the AWS CLI reads.

use std::path::{Path, PathBuf};

use super::ConfigError;
use crate::crypto::SecretBytes;

/// The profile that is meant where none is named.
const DEFAULT_PROFILE: &str = "default";

/// Credentials and where they come from.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct AwsCredentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret: SecretBytes,
    /// Of temporary credentials.
    pub session_token: Option<SecretBytes>,
    /// For messages: `the environment`, `profile x`.
    pub source: String,
}

/// What the AWS CLI would go by.
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct AwsSettings {
    /// Who signs.
    pub credentials: AwsCredentials,
    /// `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's.
    pub region: Option<String>,
    /// `AWS_ENDPOINT_URL` or the profile's.
    pub endpoint_url: Option<String>,
    /// `AWS_CA_BUNDLE` or the profile's.
    pub ca_bundle: Option<PathBuf>,
}

impl AwsSettings {
    /// Reads them: of `profile` if it is named; else the credentials of the environment, if it has any; else the
    /// profile that `AWS_PROFILE` names.
    pub fn load(profile: Option<&str>) -> Result<Self, ConfigError> {
        Self::from(profile, &variable, &|path| match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ConfigError(format!("{}: {error}", path.display()))),
        })
    }

    fn from(
        named: Option<&str>,
        variable: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&Path) -> Result<Option<String>, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let by_variable = variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE"));
        let name = named.map(str::to_owned).or_else(|| by_variable.clone());
        let profile = Profile::read(name.as_deref().unwrap_or(DEFAULT_PROFILE), variable, read)?;
        let from_environment = if named.is_none() { of_environment(variable)? } else { None };
        if profile.is_empty()
            && let (Some(name), None) = (&name, &from_environment)
        {
            let files = profile.files.join(" and ");
            return Err(ConfigError(format!("there is no profile {name:?} in {files}")));
        }
        let credentials = match from_environment {
            Some(credentials) => credentials,
            None => profile.credentials(name.is_some())?,
        };
        let of_profile = |name: &str| profile.get(name).map(str::to_owned);
        Ok(Self {
            credentials,
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).or_else(|| of_profile("region")),
            endpoint_url: variable("AWS_ENDPOINT_URL").or_else(|| of_profile("endpoint_url")),
            ca_bundle: variable("AWS_CA_BUNDLE").or_else(|| of_profile("ca_bundle")).map(PathBuf::from),
        })
    }
}

/// An empty variable counts as none, as the AWS CLI has it.
#[expect(clippy::disallowed_methods, reason = "the environment is read in config/")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<AwsCredentials>, ConfigError> {
    let secret = |name| variable(name).map(|value: String| SecretBytes::new(value.into_bytes()));
    match (variable("AWS_ACCESS_KEY_ID"), secret("AWS_SECRET_ACCESS_KEY")) {
        (None, _) => Ok(None),
        (Some(_), None) => {
            Err(ConfigError("AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not: set both or none".to_owned()))
        }
        (Some(access_key_id), Some(secret_key)) => Ok(Some(AwsCredentials {
            access_key_id,
            secret: secret_key,
            session_token: secret("AWS_SESSION_TOKEN"),
            source: "the environment".to_owned(),
        })),
    }
}

/// What the files say of a profile, the credentials file before the other one.
struct Profile {
    name: String,
    values: Vec<(String, String)>,
    /// As shown in messages.
    files: Vec<String>,
}

impl Profile {
    fn read(
        name: &str,
        variable: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&Path) -> Result<Option<String>, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let home = variable("HOME").map(PathBuf::from);
        let path = |setting: &str, file: &str| {
            variable(setting).map(PathBuf::from).or_else(|| Some(home.clone()?.join(".aws").join(file)))
        };
        let mut profile = Self { name: name.to_owned(), values: Vec::new(), files: Vec::new() };
        let prefixed = format!("profile {name}");
        let files = [
            (path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), vec![name]),
            (
                path("AWS_CONFIG_FILE", "config"),
                match name {
                    DEFAULT_PROFILE => vec![name, &prefixed],
                    _ => vec![&prefixed],
                },
            ),
        ];
        for (path, sections) in files {
            let Some(path) = path else { continue };
            profile.files.push(path.display().to_string());
            let text = read(&path)?.unwrap_or_default();
            profile.values.extend(section(&text, &sections));
        }
        Ok(profile)
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn credentials(&self, was_named: bool) -> Result<AwsCredentials, ConfigError> {
        let secret = |name| self.get(name).map(|value| SecretBytes::new(value.as_bytes().to_vec()));
        if let (Some(id), Some(secret_key)) = (self.get("aws_access_key_id"), secret("aws_secret_access_key")) {
            return Ok(AwsCredentials {
                access_key_id: id.to_owned(),
                secret: secret_key,
                session_token: secret("aws_session_token"),
                source: format!("profile {}", self.name),
            });
        }
        let indirect = ["role_arn", "credential_process", "sso_session", "sso_start_url", "web_identity_token_file"];
        if let Some(way) = indirect.into_iter().find(|way| self.get(way).is_some()) {
            return Err(ConfigError(format!(
                "profile {} gets its credentials by {way}, which these commands do not follow: use a profile with \
                 access keys, and strongroom role assume for a role",
                self.name
            )));
        }
        if was_named {
            return Err(ConfigError(format!(
                "profile {} has no aws_access_key_id and aws_secret_access_key",
                self.name
            )));
        }
        Err(ConfigError(
            "there are no credentials to sign with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile \
             of ~/.aws/credentials with --profile. The server's first start prints those of the account's root; strongroom \
             credentials tells how to make new ones"
                .to_owned(),
        ))
    }
}

/// The values of the sections with these names. Nested values (indented lines below `s3 =`) are passed over.
fn section(text: &str, names: &[&str]) -> Vec<(String, String)> {
    let (mut inside, mut values) = (false, Vec::new());
    for line in text.lines() {
        let bare = line.trim();
        if let Some(header) = bare.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let words: Vec<&str> = header.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
            inside = names.contains(&words.join(" ").as_str());
        } else if inside
            && !line.starts_with([' ', '\t', '#', ';'])
            && let Some((name, value)) = bare.split_once('=')
        {
            let value = value.split(" #").next().unwrap_or_default().trim();
            values.push((name.trim().to_ascii_lowercase(), value.to_owned()));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "
# mine
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key=secret/default+=

[staff]
aws_access_key_id=AKIASTAFF
aws_secret_access_key = s # of the staff
aws_session_token = token
region = eu-west-1
";
    const CONFIG: &str = "
[default]
region = us-west-2
s3 =
  region = nested
[profile staff]
region = us-east-1
endpoint_url = https://gate.example:9000
ca_bundle = /ca.pem
[profile \"two words\"]
role_arn = arn:aws:iam::111122223333:role/r
[profile regional]
region = us-east-1
";

    fn load(named: Option<&str>, variables: &[(&str, &str)]) -> Result<AwsSettings, String> {
        let variable = |name: &str| {
            let set = variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
            set.or_else(|| (name == "HOME").then(|| "/home/x".to_owned()))
        };
        let read = |path: &Path| {
            Ok(match path.to_str() {
                Some("/home/x/.aws/credentials") => Some(CREDENTIALS.to_owned()),
                Some("/home/x/.aws/config") => Some(CONFIG.to_owned()),
                _ => None,
            })
        };
        AwsSettings::from(named, &variable, &read).map_err(|error| error.0)
    }

    #[test]
    fn credentials_are_found_as_the_aws_cli_finds_them() {
        let keys = [("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let by_variable = [keys[0], keys[1], ("AWS_PROFILE", "staff")];
        for (named, variables, id, source) in [
            (None, &[][..], "AKIADEFAULT", "profile default"),
            (None, &keys[..], "AKIAENV", "the environment"),
            (Some("staff"), &keys[..], "AKIASTAFF", "profile staff"),
            (None, &[("AWS_PROFILE", "staff")][..], "AKIASTAFF", "profile staff"),
            (None, &by_variable[..], "AKIAENV", "the environment"),
        ] {
            let found = load(named, variables).unwrap().credentials;
            assert_eq!((found.access_key_id.as_str(), found.source.as_str()), (id, source));
        }
        let staff = load(Some("staff"), &[]).unwrap();
        assert_eq!(staff.credentials.secret.expose(), b"s");
        assert_eq!(staff.credentials.session_token.unwrap().expose(), b"token");
        // What both files have counts as the credentials file has it.
        assert_eq!(staff.region.as_deref(), Some("eu-west-1"));
        assert_eq!(staff.endpoint_url.as_deref(), Some("https://gate.example:9000"));
        assert_eq!(staff.ca_bundle, Some(PathBuf::from("/ca.pem")));
        let default = load(None, &[("AWS_DEFAULT_REGION", "r"), ("AWS_ENDPOINT_URL", "http://[::1]:1")]).unwrap();
        assert_eq!(default.credentials.secret.expose(), b"secret/default+=");
        assert_eq!((default.region.as_deref(), default.endpoint_url.as_deref()), (Some("r"), Some("http://[::1]:1")));
        assert_eq!(load(None, &[]).unwrap().region.as_deref(), Some("us-west-2"));
    }

    #[test]
    fn what_is_missing_is_said() {
        for (named, variables, said) in [
            (None, &[("HOME", "/nowhere")][..], "there are no credentials to sign with"),
            (None, &[("AWS_ACCESS_KEY_ID", "x")][..], "AWS_SECRET_ACCESS_KEY is not"),
            (
                Some("nobody"),
                &[][..],
                "there is no profile \"nobody\" in /home/x/.aws/credentials and /home/x/.aws/config",
            ),
            (Some("two words"), &[][..], "by role_arn"),
            (Some("regional"), &[][..], "profile regional has no aws_access_key_id"),
        ] {
            let error = load(named, variables).err().expect("no credentials");
            assert!(error.contains(said), "{error}");
        }
    }
}
