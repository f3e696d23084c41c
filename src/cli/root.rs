//! `strongroom root`

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::roots::Store;
use super::secret_input::SecretInput;
use super::{Failure, say};
use crate::app::control::{Question, Status};
use crate::app::unattended;
use crate::config::{Config, SettingsArgs};
use crate::crypto::{ARGON2_MEMORY_MAX_KIB, ARGON2_MEMORY_MIN_KIB, Argon2Cost, SecretBytes, passphrase_key};
use crate::keyring::{KeyFile, Method, NewRoot, RootSecret, make_key_text, split};
use crate::sources::{Sources, Timestamp};
use crate::wire::iso8601_seconds;

/// Show and change the roots of trust: what opens the store
///
/// Works on a running server and on a stopped one's data. Every change leaves a record in the audit trail.
#[derive(Args)]
pub(super) struct RootCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Status(ShowStatus),
    Add(Box<Add>),
    Remove(Remove),
    Rotate(Rotate),
}

/// List the roots, and whether each opens the store now
#[derive(Args)]
struct ShowStatus {
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Add a root: any one of them opens the store
#[derive(Args)]
struct Add {
    /// What the root is
    #[arg(value_enum, value_name = "KIND")]
    kind: Kind,
    #[command(flatten)]
    means: Means,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Remove a root; the last usable one stays. Then run strongroom root rotate if its secret may be known
#[derive(Args)]
struct Remove {
    /// Name or id of the root, as strongroom root status prints it
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    input: SecretInput,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Make a new store key and wrap everything under it that the old one wraps; roots stay as they are
///
/// Objects and KMS ciphertexts are not touched: the keys above them are wrapped anew. A server goes on serving
/// meanwhile. What is cut off goes on at the next start, or when this is run again.
#[derive(Args)]
struct Rotate {
    #[command(flatten)]
    input: SecretInput,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// A kind of root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// A file of mode 0600 (root_key_file), for a disk apart from the data
    KeyFile,
    /// A passphrase that somebody types after each start
    Passphrase,
    /// A credential that systemd decrypts for the service, e.g. with the TPM; the key goes to standard output
    SystemdCredential,
    /// A key that a PKCS#11 token (HSM, smart card) makes and never gives out: root_token_module
    Token,
    /// A key of an AWS-KMS-compatible service (--kms-key): root_kms_endpoint
    Kms,
    /// Shares for several people, of whom some together open the store; they go to standard output
    Shares,
}

/// What a new root is made with.
#[derive(Args)]
pub(super) struct Means {
    /// Name of the new root; unless set, its kind
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// key-file: where to make it; unless set, at root_key_file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// shares: how many are made
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    shares: u8,
    /// shares: how many open the store
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    threshold: u8,
    /// kms: id, ARN or alias of the service's key
    #[arg(long, value_name = "KEY")]
    kms_key: Option<String>,
    /// passphrase: memory that each guess takes, in MiB
    #[arg(long, value_name = "MIB", default_value_t = Argon2Cost::default().memory_kib / 1024)]
    argon2_memory: u32,
    #[command(flatten)]
    pub(super) input: SecretInput,
}

/// A root that was made, and what its keepers get of it.
pub(super) struct Made {
    pub(super) name: String,
    pub(super) root: NewRoot,
    keepsake: Keepsake,
}

enum Keepsake {
    /// They have it.
    None,
    /// A file to be made.
    File(KeyFile, RootSecret, Sources),
    /// Lines for standard output.
    Printed(Vec<SecretBytes>),
}

pub(super) async fn run(command: RootCommand) -> Result<(), Failure> {
    match command.command {
        Command::Status(command) => {
            let status = Store::find(command.settings.load()?).await?.status().await?;
            if command.json { say(json(&status)) } else { print(&status) }
        }
        Command::Add(command) => add(*command).await,
        Command::Remove(command) => {
            let store = Store::find(command.settings.load()?).await?;
            store.open(&command.input).await?;
            let name = store.ask(Question::Remove(command.name)).await?;
            say(format_args!("removed root {}", String::from_utf8_lossy(&name)))
        }
        Command::Rotate(command) => {
            let store = Store::find(command.settings.load()?).await?;
            store.open(&command.input).await?;
            store.ask(Question::Rotate).await?;
            store.finish_rotation().await?;
            let status = store.status().await?;
            say(format_args!("the store key is generation {}", status.generation.as_deref().unwrap_or("unknown")))?;
            match status.rotating {
                true => say("the server drops the older generation in about 15 minutes"),
                false => Ok(()),
            }
        }
    }
}

async fn add(command: Add) -> Result<(), Failure> {
    let config = command.settings.load()?;
    let made = make_root(command.kind, &command.means, &config, &Sources::system()).await?;
    let store = Store::find(config).await?;
    store.open(&command.means.input).await?;
    // Its keepers have it before the store counts on it.
    made.hand_over()?;
    if let Err(failure) = store.ask(Question::Add(made.root.clone())).await {
        made.take_back();
        return Err(failure);
    }
    eprintln!("strongroom: added root {} ({})", made.name, made.root.id());
    Ok(())
}

/// Makes a root's secret and what opens it.
pub(super) async fn make_root(kind: Kind, means: &Means, config: &Config, sources: &Sources) -> Result<Made, Failure> {
    let (secret, method, keepsake) = match kind {
        Kind::KeyFile => {
            let path = means.file.clone().unwrap_or_else(|| config.root_key_file.clone());
            let (secret, copy) = twice(sources);
            (secret, Method::KeyFile, Keepsake::File(KeyFile { path }, copy, sources.clone()))
        }
        Kind::SystemdCredential => {
            let secret = RootSecret::generate(sources);
            let text = make_key_text(&secret);
            (secret, Method::Credential, Keepsake::Printed(vec![text]))
        }
        Kind::Shares => {
            let secret = RootSecret::generate(sources);
            let (threshold, count) = (means.threshold, means.shares);
            let shares = split(&secret, threshold, count, sources).ok_or_else(|| {
                Failure::Usage(format!("{threshold} of {count} shares can't be: 2 <= threshold <= shares <= 64"))
            })?;
            (secret, Method::Shares { threshold, count }, Keepsake::Printed(shares))
        }
        Kind::Passphrase => passphrase_root(means, config, sources)?,
        Kind::Token => {
            let token =
                unattended(config, sources).token.ok_or_else(|| unset("root_token_module, root_token_pin_file"))?;
            let (secret, key_id) = (RootSecret::generate(sources), sources.random());
            let sealed = token.seal(&key_id, &secret, sources)?;
            (secret, Method::Token { key_id, sealed }, Keepsake::None)
        }
        Kind::Kms => {
            let service = unattended(config, sources).key_service;
            let service = service.ok_or_else(|| unset("root_kms_endpoint, root_kms_credentials_file"))?;
            let key_id = means.kms_key.clone().ok_or_else(|| Failure::Usage("give --kms-key".to_owned()))?;
            let secret = RootSecret::generate(sources);
            let sealed = service.seal(&key_id, &secret, sources).await?;
            (secret, Method::Kms { key_id, sealed }, Keepsake::None)
        }
    };
    let name = means.name.clone().unwrap_or_else(|| method.name().to_owned());
    Ok(Made { root: NewRoot::of(&secret, &name, method), name, keepsake })
}

fn unset(settings: &str) -> Failure {
    Failure::Usage(format!("this kind of root needs the settings {settings}"))
}

fn passphrase_root(
    means: &Means,
    config: &Config,
    sources: &Sources,
) -> Result<(RootSecret, Method, Keepsake), Failure> {
    let memory_kib = means.argon2_memory.saturating_mul(1024);
    if !(ARGON2_MEMORY_MIN_KIB..=ARGON2_MEMORY_MAX_KIB).contains(&memory_kib) {
        let (least, most) = (ARGON2_MEMORY_MIN_KIB / 1024, ARGON2_MEMORY_MAX_KIB / 1024);
        return Err(Failure::Usage(format!("--argon2-memory {}: give {least} to {most} (MiB)", means.argon2_memory)));
    }
    let passphrase = means.input.new_passphrase(config.root_passphrase.as_ref())?;
    let cost = Argon2Cost { memory_kib, ..Argon2Cost::default() };
    let salt = sources.random();
    let key = passphrase_key(&passphrase, &salt, cost)
        .ok_or_else(|| Failure::Failed("there is not enough memory for Argon2".to_owned()))?;
    let Argon2Cost { memory_kib, passes, lanes } = cost;
    Ok((RootSecret::of_key(key), Method::Passphrase { memory_kib, passes, lanes, salt }, Keepsake::None))
}

fn twice(sources: &Sources) -> (RootSecret, RootSecret) {
    let secret = RootSecret::generate(sources);
    let copy = RootSecret::of_key(secret.key().duplicate());
    (secret, copy)
}

impl Made {
    /// Whether [`Self::hand_over`] writes to standard output.
    pub(super) fn is_printed(&self) -> bool {
        matches!(self.keepsake, Keepsake::Printed(_))
    }

    /// Gives the keepers of the root what they need: a file, or lines on standard output.
    pub(super) fn hand_over(&self) -> Result<(), Failure> {
        match &self.keepsake {
            Keepsake::None => Ok(()),
            Keepsake::File(file, secret, sources) => {
                file.make(secret, sources).map_err(|error| Failure::Failed(error.to_string()))?;
                eprintln!("strongroom: made {}; back it up apart from the data", file.path.display());
                Ok(())
            }
            Keepsake::Printed(lines) => {
                let mut out = stdout().lock();
                for line in lines {
                    out.write_all(line.expose().trim_ascii_end())?;
                    out.write_all(b"\n")?;
                }
                Ok(out.flush()?)
            }
        }
    }
}

impl Made {
    /// The store did not take the root: its file must not stay, for a server that finds it would call it a wrong one.
    fn take_back(&self) {
        match &self.keepsake {
            Keepsake::None => {}
            Keepsake::File(file, ..) => match std::fs::remove_file(&file.path) {
                Ok(()) => eprintln!("strongroom: removed {} again", file.path.display()),
                Err(error) => eprintln!("strongroom: remove {} yourself: {error}", file.path.display()),
            },
            Keepsake::Printed(_) => eprintln!("strongroom: what was printed opens nothing"),
        }
    }
}

fn print(status: &Status) -> Result<(), Failure> {
    let state = match (status.sealed, status.rotating) {
        (true, _) => "sealed".to_owned(),
        (false, rotating) => {
            let generation = status.generation.as_deref().unwrap_or("unknown");
            let more = if rotating { "; the older generation is being replaced" } else { "" };
            format!("open, store key generation {generation}{more}")
        }
    };
    say(format_args!("The store is {state}"))?;
    for root in &status.roots {
        let (kind, made) = (root.method.name(), iso8601_seconds(Timestamp(root.created_ms)));
        say(format_args!("{:<24} {kind:<20} {}  {made}  {}", root.name, root.id(), usability(status, root)))?;
    }
    Ok(())
}

fn usability(status: &Status, root: &crate::keyring::Root) -> String {
    match &root.method {
        _ if status.usable.contains(&root.id().to_string()) => "usable".to_owned(),
        Method::Shares { threshold, count } => format!("needs {threshold} of {count} shares"),
        method if method.takes_people() => "needs its passphrase".to_owned(),
        _ => "NOT USABLE".to_owned(),
    }
}

fn json(status: &Status) -> serde_json::Value {
    let root = |root: &crate::keyring::Root| {
        serde_json::json!({
            "name": root.name,
            "kind": root.method.name(),
            "id": root.id().to_string(),
            "created": iso8601_seconds(Timestamp(root.created_ms)),
            "usable": status.usable.contains(&root.id().to_string()),
            "needs_people": root.method.takes_people(),
        })
    };
    serde_json::json!({
        "sealed": status.sealed,
        "generation": status.generation,
        "rotating": status.rotating,
        "roots": status.roots.iter().map(root).collect::<Vec<_>>(),
    })
}
