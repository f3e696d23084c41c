//! Where the commands send requests and who signs them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches, ValueEnum};

use super::api::Api;
use crate::cli::Failure;
use crate::client::Endpoint;
use crate::config::{AwsSettings, Config, SettingsArgs};
use crate::sources::Sources;

/// Settings that the help of these commands shows: the others matter to the server alone.
const SHOWN_SETTINGS: [&str; 3] = ["config", "data_dir", "listen"];
/// Longest answer that is read, in bytes: a page of an account's policies with all their versions.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;
const HEADING: &str = "Connection (flag, else variable, else profile of the AWS files, else settings)";

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Text,
    /// One JSON value, with AWS's names
    Json,
}

/// Options of every command that calls a server. They may stand before or behind the command's own word.
#[derive(Args)]
pub(super) struct Connection {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    settings: Box<Settings>,
}

#[derive(Args)]
struct Options {
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORM")]
    output: Output,
    /// Sign with this profile of ~/.aws/credentials; unless given, AWS_ACCESS_KEY_ID, else AWS_PROFILE, else default
    #[arg(long, global = true, value_name = "NAME", help_heading = HEADING)]
    profile: Option<String>,
    /// The server; AWS_ENDPOINT_URL; unless given, the address that the settings listen on
    #[arg(long, global = true, value_name = "URL", help_heading = HEADING)]
    endpoint_url: Option<String>,
    /// Region that requests are signed for; AWS_REGION; unless given, the first of the settings
    #[arg(long, global = true, value_name = "REGION", help_heading = HEADING)]
    region: Option<String>,
    /// Certificates to believe, PEM; AWS_CA_BUNDLE; unless given, those that the system believes
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    ca_file: Option<PathBuf>,
}

/// The settings of a server on this machine, hidden from help but for [`SHOWN_SETTINGS`].
struct Settings(SettingsArgs);

/// A command, connected.
pub(super) struct Connected {
    pub(super) api: Api,
    pub(super) output: Output,
    /// For profiles that are printed.
    pub(super) endpoint_url: String,
    pub(super) ca_file: Option<PathBuf>,
}

/// How the server of the settings is reached.
struct Local {
    url: String,
    region: Option<String>,
    /// A certificate of the site's own, as the server's first start has it believed.
    certificate: Option<PathBuf>,
}

impl Connection {
    /// Finds out whom to call and who signs. Sends nothing, and reads no settings where the server is named.
    pub(super) fn connect(self) -> Result<Connected, Failure> {
        let aws = AwsSettings::load(self.options.profile.as_deref())?;
        if self.options.endpoint_url.is_some() || aws.endpoint_url.is_some() {
            return self.options.build(aws, None);
        }
        let config = self.settings.0.load().map_err(|error| {
            Failure::Usage(format!(
                "{}\nThe settings are read to find the server: name it with --endpoint-url or AWS_ENDPOINT_URL",
                error.0
            ))
        })?;
        self.options.build(aws, Some(Local::of(&config)))
    }

    /// The settings of the server on this machine, and the connection, if there can be one.
    pub(super) fn on_this_machine(self) -> Result<(Config, Output, Result<Connected, Failure>), Failure> {
        let (options, config) = (self.options, self.settings.0.load()?);
        let output = options.output;
        let aws = AwsSettings::load(options.profile.as_deref());
        let connected = aws.map_err(Failure::from).and_then(|aws| options.build(aws, Some(Local::of(&config))));
        Ok((config, output, connected))
    }
}

impl Options {
    fn build(self, aws: AwsSettings, local: Option<Local>) -> Result<Connected, Failure> {
        let given = self.endpoint_url.or(aws.endpoint_url);
        // Another server's certificate is none of this one's.
        let certificate = local.as_ref().filter(|_| given.is_none()).and_then(|local| local.certificate.clone());
        let ca_file = self.ca_file.or(aws.ca_bundle).or(certificate);
        let (url, region) = local.map_or((None, None), |local| (Some(local.url), local.region));
        let region = self.region.or(aws.region).or(region).unwrap_or_else(|| "us-east-1".to_owned());
        let no_server = || Failure::Usage("name the server with --endpoint-url or AWS_ENDPOINT_URL".to_owned());
        let endpoint_url = given.or(url).ok_or_else(no_server)?;
        let endpoint = Endpoint::parse(&endpoint_url, ca_file.as_deref()).map_err(Failure::Usage)?;
        let endpoint = endpoint.with_answers_up_to(ANSWER_MAX_BYTES);
        let url = endpoint_url.clone();
        let api = Api { endpoint, url, credentials: aws.credentials, region, sources: Sources::system() };
        Ok(Connected { api, output: self.output, endpoint_url, ca_file })
    }
}

impl Local {
    fn of(config: &Config) -> Self {
        Self {
            url: local_url(config),
            region: config.regions.first().map(ToString::to_string),
            certificate: config.tls.first().map(|files| files.cert.clone()),
        }
    }
}

/// How a client on this machine reaches the server that the settings describe.
fn local_url(config: &Config) -> String {
    let ip = match config.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let port = config.listen.port();
    match config.tls.is_empty() {
        true => format!("http://{}", SocketAddr::new(ip, port)),
        // Certificates are made out to names.
        false if ip.is_loopback() => format!("https://localhost:{port}"),
        false => format!("https://{}", SocketAddr::new(ip, port)),
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        SettingsArgs::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Args for Settings {
    fn augment_args(command: clap::Command) -> clap::Command {
        let all = SettingsArgs::augment_args(clap::Command::new("settings"));
        let all = all.get_arguments().cloned().map(|argument| {
            let hidden = !SHOWN_SETTINGS.contains(&argument.get_id().as_str());
            argument.global(true).hide(hidden).help_heading(HEADING)
        });
        command.args(all.collect::<Vec<_>>())
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_of_the_settings() {
        for (listen, url) in [
            ("127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("0.0.0.0:9001", "http://127.0.0.1:9001"),
            ("[::]:9000", "http://[::1]:9000"),
            ("192.0.2.1:9000", "http://192.0.2.1:9000"),
        ] {
            assert_eq!(local_url(&Config::for_tests(&format!("listen = \"{listen}\""))), url);
        }
    }
}
