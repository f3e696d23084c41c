//! `strongroom key`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{Api, CallError, Element, text};
use super::connection::{Connected, Connection};
use super::{print, profile};
use crate::cli::{Failure, say};

/// Access keys that a user can have.
const KEYS_MAX: usize = 2;

const HOW: &str = "\
These are the keys that users sign requests with, two a user. KMS keys, which encrypt, have no command here: use aws kms
(docs/kms.md). New keys of an account's root: strongroom credentials.";

/// Create, list, disable, rotate and delete access keys of users (not KMS keys: for those use aws kms)
#[derive(Args)]
#[command(after_help = HOW)]
pub(in crate::cli) struct KeyCommand {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Command {
    /// Make an access key for a user and print its profile, ready to paste
    Create(OfUser),
    /// List a user's access keys with their last use
    List(OfUser),
    /// Disable an access key: requests signed with it are refused until it is enabled again
    Disable(OneKey),
    /// Enable an access key that was disabled
    Enable(OneKey),
    Delete(Delete),
    /// Make a second access key for a user, print its profile, and say how to do away with the first
    Rotate(OfUser),
    /// Say whose an access key is, and when it was used last
    Whose(OneKey),
}

#[derive(Args)]
struct OfUser {
    /// Name of the user
    #[arg(value_name = "USER")]
    user: String,
}

#[derive(Args)]
struct OneKey {
    /// Id of the access key, e.g. AKIAIOSFODNN7EXAMPLE
    #[arg(value_name = "KEY-ID")]
    id: String,
}

/// Delete an access key for good
#[derive(Args)]
struct Delete {
    /// Id of the access key, e.g. AKIAIOSFODNN7EXAMPLE
    #[arg(value_name = "KEY-ID")]
    id: String,
    /// Do it; without this, only say whose it is and when it was used last
    #[arg(long)]
    yes: bool,
}

pub(in crate::cli) async fn run(command: KeyCommand) -> Result<(), Failure> {
    let connected = command.connection.connect()?;
    let api = &connected.api;
    match command.command {
        Command::Create(OfUser { user }) => {
            let key = create(api, &user).await?;
            print::show(connected.output, &json!({ "AccessKey": profile::key_json(&key) }), || {
                profile::lines(&connected, &user, &key)
            })
        }
        Command::List(OfUser { user }) => list(&connected, &user).await,
        Command::Disable(OneKey { id }) => set_status(api, &id, "Inactive").await,
        Command::Enable(OneKey { id }) => set_status(api, &id, "Active").await,
        Command::Delete(command) => delete(api, &command).await,
        Command::Rotate(OfUser { user }) => rotate(&connected, &user).await,
        Command::Whose(OneKey { id }) => whose(&connected, &id).await,
    }
}

async fn create(api: &Api, user: &str) -> Result<Element, CallError> {
    let made = api.iam("CreateAccessKey", &[("UserName", user)]).await?;
    Ok(made.child("AccessKey").cloned().unwrap_or_default())
}

async fn list(connected: &Connected, user: &str) -> Result<(), Failure> {
    let api = &connected.api;
    let keys = api.all("ListAccessKeys", &[("UserName", user)], "AccessKeyMetadata").await?;
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for key in &keys {
        let id = text(key, "AccessKeyId");
        let (used, used_json) = last_used(api, id).await?;
        rows.push([id.to_owned(), text(key, "Status").to_owned(), text(key, "CreateDate").to_owned(), used]);
        let mut value = print::json(key);
        value["AccessKeyLastUsed"] = used_json;
        values.push(value);
    }
    print::show(connected.output, &json!({ "AccessKeyMetadata": values }), || {
        let none = format!("{user} has no access keys");
        print::table(["ACCESS KEY", "STATUS", "CREATED", "LAST USED"], &rows, &none)
    })
}

/// When a key was used last, for what, in words and as the API has it.
pub(super) async fn last_used(api: &Api, id: &str) -> Result<(String, Value), CallError> {
    let told = api.iam("GetAccessKeyLastUsed", &[("AccessKeyId", id)]).await?;
    let used = told.child("AccessKeyLastUsed").cloned().unwrap_or_default();
    Ok((used_words(&used), print::json(&used)))
}

fn used_words(used: &Element) -> String {
    match text(used, "LastUsedDate") {
        "" => "never".to_owned(),
        date => format!("{date}, {}", text(used, "ServiceName")),
    }
}

/// Whose a key is. IAM's other calls on keys want the user's name with the key's id.
async fn owner_of(api: &Api, id: &str) -> Result<String, Failure> {
    let told = api.iam("GetAccessKeyLastUsed", &[("AccessKeyId", id)]).await?;
    match text(&told, "UserName") {
        "" => Err(Failure::Failed(format!("{id} is no user's key: it is of an account's root, or of a session"))),
        user => Ok(user.to_owned()),
    }
}

async fn set_status(api: &Api, id: &str, status: &str) -> Result<(), Failure> {
    let user = owner_of(api, id).await?;
    api.iam("UpdateAccessKey", &[("UserName", &user), ("AccessKeyId", id), ("Status", status)]).await?;
    say(format_args!("{id} of {user} is {}", if status == "Active" { "enabled" } else { "disabled" }))
}

async fn delete(api: &Api, command: &Delete) -> Result<(), Failure> {
    let id = &command.id;
    let user = owner_of(api, id).await?;
    if !command.yes {
        let (used, _) = last_used(api, id).await?;
        return Err(Failure::Usage(format!(
            "nothing was deleted: {id} of {user}, last used: {used}. With --yes it is deleted for good; strongroom key \
             disable {id} can be undone"
        )));
    }
    api.iam("DeleteAccessKey", &[("UserName", &user), ("AccessKeyId", id)]).await?;
    say(format_args!("{id} of {user} is deleted"))
}

async fn rotate(connected: &Connected, user: &str) -> Result<(), Failure> {
    let api = &connected.api;
    let old = api.all("ListAccessKeys", &[("UserName", user)], "AccessKeyMetadata").await?;
    if old.len() >= KEYS_MAX {
        let mut rows = Vec::new();
        for key in &old {
            let id = text(key, "AccessKeyId");
            rows.push(format!("    {id}  {}  last used: {}", text(key, "Status"), last_used(api, id).await?.0));
        }
        return Err(Failure::Failed(format!(
            "{user} has {KEYS_MAX} access keys, which is the most; delete the one that nothing uses (strongroom key delete \
             KEY-ID --yes) and run this again:\n{}",
            rows.join("\n")
        )));
    }
    let key = create(api, user).await?;
    let old: Vec<&str> = old.iter().map(|key| text(key, "AccessKeyId")).collect();
    let result = json!({ "AccessKey": profile::key_json(&key), "OldAccessKeyIds": old });
    print::show(connected.output, &result, || {
        let next = old.iter().map(|id| {
            format!(
                "\n# {id} still works. When the new key is in use everywhere:\n#   strongroom key list {user}\n#   \
                 strongroom key disable {id}\n# and when nobody misses it:\n#   strongroom key delete {id} --yes\n"
            )
        });
        format!("{}{}", profile::lines(connected, user, &key), next.collect::<String>())
    })
}

async fn whose(connected: &Connected, id: &str) -> Result<(), Failure> {
    let told = connected.api.iam("GetAccessKeyLastUsed", &[("AccessKeyId", id)]).await?;
    let used = told.child("AccessKeyLastUsed").cloned().unwrap_or_default();
    print::show(connected.output, &print::json(&told), || match text(&told, "UserName") {
        "" => format!("{id} is no user's; last used: {}", used_words(&used)),
        user => format!("{id} is {user}'s; last used: {}", used_words(&used)),
    })
}
