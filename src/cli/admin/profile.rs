//! Credentials, ready to paste.

use serde_json::{Value, json};

use super::api::{Element, text};
use super::connection::Connected;

/// The lines of a profile for `~/.aws/credentials` and `~/.aws/config`. `key` is the `AccessKey` of CreateAccessKey.
pub(super) fn lines(connected: &Connected, name: &str, key: &Element) -> String {
    let section = if name == "default" { name.to_owned() } else { format!("profile {name}") };
    let mut out = format!(
        "# The secret is shown this once. For ~/.aws/credentials:\n[{name}]\naws_access_key_id = {}\n\
         aws_secret_access_key = {}\n\n# For ~/.aws/config:\n[{section}]\nregion = {}\nendpoint_url = {}\n",
        text(key, "AccessKeyId"),
        text(key, "SecretAccessKey"),
        connected.api.region,
        connected.endpoint_url,
    );
    // A certificate matters to TLS alone.
    if let Some(file) = connected.ca_file.as_ref().filter(|_| connected.endpoint_url.starts_with("https:")) {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        out.push_str(&format!("ca_bundle = {}\n", file.display()));
    }
    out
}

/// What the AWS CLI prints of a new access key.
pub(super) fn key_json(key: &Element) -> Value {
    super::print::json(key)
}

/// Lines for a shell. `credentials` is the `Credentials` of an STS answer.
pub(super) fn exports(credentials: &Element) -> String {
    let [id, secret, token, expires] = parts(credentials);
    format!(
        "export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY={secret}\nexport AWS_SESSION_TOKEN={token}\n\
         # until {expires}\n"
    )
}

/// What a `credential_process` of the AWS CLI answers.
pub(super) fn process_json(credentials: &Element) -> Value {
    let [id, secret, token, expires] = parts(credentials);
    json!({
        "Version": 1, "AccessKeyId": id, "SecretAccessKey": secret, "SessionToken": token, "Expiration": expires
    })
}

fn parts(credentials: &Element) -> [&str; 4] {
    ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"].map(|name| text(credentials, name))
}
