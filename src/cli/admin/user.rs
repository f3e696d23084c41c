//! `strongroom user`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{Api, CallError, Element, text};
use super::connection::{Connected, Connection};
use super::documents::policy_arns;
use super::key::last_used;
use super::{print, profile};
use crate::cli::{Failure, say};

const HOW: &str = "\
Each command is one or several calls of the IAM API of a running server, signed with your credentials, allowed or denied
and recorded as any call. A user that can read all buckets, and its profile:

    strongroom user create alice --policy AmazonS3ReadOnlyAccess

Users of the settings file are shown, and changed there.";

/// Create, list, show and delete users: IAM users of a running server
#[derive(Args)]
#[command(after_long_help = HOW)]
pub(in crate::cli) struct UserCommand {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Command {
    Create(Create),
    /// List the users of the account
    List,
    Show(Show),
    Delete(Delete),
}

/// Create a user with policies, groups and an access key, and print its profile, ready to paste
///
/// Policies and groups are looked up before anything is made. If a later step fails, what was made stays, and the message
/// says what is missing and how to go on or to take it back.
#[derive(Args)]
struct Create {
    /// Name of the user
    #[arg(value_name = "NAME")]
    name: String,
    /// A ready-made policy (key-user, AmazonS3ReadOnlyAccess, …), one of the account's own, or an ARN; several are possible
    #[arg(long = "policy", value_name = "POLICY")]
    policies: Vec<String>,
    /// A group that the user joins; several are possible
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Path of the user's ARN, e.g. /team/
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,
    /// Make no access key
    #[arg(long)]
    no_key: bool,
}

/// Show a user: keys with their last use, groups, policies, boundary
#[derive(Args)]
struct Show {
    /// Name of the user
    #[arg(value_name = "NAME")]
    name: String,
}

/// Delete a user with its keys, policies and memberships
#[derive(Args)]
struct Delete {
    /// Name of the user
    #[arg(value_name = "NAME")]
    name: String,
    /// Do it; without this, only say what would be deleted
    #[arg(long)]
    yes: bool,
}

pub(in crate::cli) async fn run(command: UserCommand) -> Result<(), Failure> {
    let connected = command.connection.connect()?;
    match command.command {
        Command::Create(command) => create(&connected, &command).await,
        Command::List => list(&connected).await,
        Command::Show(command) => show(&connected, &command.name).await,
        Command::Delete(command) => delete(&connected, &command).await,
    }
}

async fn create(connected: &Connected, command: &Create) -> Result<(), Failure> {
    let (api, name) = (&connected.api, command.name.as_str());
    let policies = policy_arns(api, &command.policies).await?;
    for group in &command.groups {
        api.iam("GetGroup", &[("GroupName", group)]).await?;
    }
    let made = api.iam("CreateUser", &[("UserName", name), ("Path", &command.path)]).await?;
    let user = made.child("User").cloned().unwrap_or_default();
    let mut steps: Vec<Step<'_>> = command.groups.iter().map(|group| Step::Join(group)).collect();
    steps.extend(policies.iter().map(|policy| Step::Attach(policy)));
    if !command.no_key {
        steps.push(Step::Key);
    }
    let mut key = None;
    for (at, step) in steps.iter().enumerate() {
        match step.run(api, name).await {
            Ok(answer) => key = answer.child("AccessKey").cloned(),
            Err(error) => return Err(Failure::Failed(half_made(name, &steps, at, &error))),
        }
    }
    let mut result = json!({ "User": print::json(&user), "Groups": command.groups, "AttachedPolicies": policies });
    if let Some(key) = &key {
        result["AccessKey"] = profile::key_json(key);
    }
    print::show(connected.output, &result, || match &key {
        Some(key) => profile::lines(connected, name, key),
        None => format!("{} is made, without an access key", text(&user, "Arn")),
    })
}

/// What follows CreateUser.
enum Step<'a> {
    Join(&'a str),
    /// The policy's ARN.
    Attach(&'a str),
    Key,
}

impl Step<'_> {
    async fn run(&self, api: &Api, user: &str) -> Result<Element, CallError> {
        match self {
            Self::Join(group) => api.iam("AddUserToGroup", &[("GroupName", group), ("UserName", user)]).await,
            Self::Attach(arn) => api.iam("AttachUserPolicy", &[("UserName", user), ("PolicyArn", arn)]).await,
            Self::Key => api.iam("CreateAccessKey", &[("UserName", user)]).await,
        }
    }

    fn what(&self) -> String {
        match self {
            Self::Join(group) => format!("member of group {group}"),
            Self::Attach(arn) => format!("policy {arn}"),
            Self::Key => "an access key".to_owned(),
        }
    }

    /// The command that does it.
    fn command(&self, user: &str) -> String {
        match self {
            Self::Join(group) => format!("aws iam add-user-to-group --group-name {group} --user-name {user}"),
            Self::Attach(arn) => format!("strongroom policy attach {arn} --user {user}"),
            Self::Key => format!("strongroom key create {user}"),
        }
    }
}

/// What to tell when the step at `failed` failed: the user is there, and so is what came before.
fn half_made(user: &str, steps: &[Step<'_>], failed: usize, error: &CallError) -> String {
    let list = |steps: &[Step<'_>]| steps.iter().map(Step::what).collect::<Vec<_>>().join(", ");
    let (done, missing) = steps.split_at(failed);
    let has = if done.is_empty() { String::new() } else { format!(" and has: {}", list(done)) };
    let commands: Vec<_> = missing.iter().map(|step| format!("    {}", step.command(user))).collect();
    format!(
        "{error}\nUser {user} was made{has}. Missing: {}. To go on:\n{}\nTo take it back:\n    strongroom user delete \
         {user} --yes",
        list(missing),
        commands.join("\n")
    )
}

async fn list(connected: &Connected) -> Result<(), Failure> {
    let users = connected.api.all("ListUsers", &[], "Users").await?;
    print::show(connected.output, &print::list("Users", &users), || {
        let row = |user: &Element| ["UserName", "Arn", "CreateDate"].map(|name| text(user, name).to_owned());
        print::table(["NAME", "ARN", "CREATED"], &users.iter().map(row).collect::<Vec<_>>(), "there are no users")
    })
}

/// What hangs on a user.
struct Holdings {
    keys: Vec<Element>,
    groups: Vec<Element>,
    attached: Vec<Element>,
    /// Names of inline policies.
    inline: Vec<Element>,
}

impl Holdings {
    async fn of(api: &Api, user: &str) -> Result<Self, CallError> {
        let of = [("UserName", user)];
        Ok(Self {
            keys: api.all("ListAccessKeys", &of, "AccessKeyMetadata").await?,
            groups: api.all("ListGroupsForUser", &of, "Groups").await?,
            attached: api.all("ListAttachedUserPolicies", &of, "AttachedPolicies").await?,
            inline: api.all("ListUserPolicies", &of, "PolicyNames").await?,
        })
    }
}

async fn show(connected: &Connected, name: &str) -> Result<(), Failure> {
    let api = &connected.api;
    let told = api.iam("GetUser", &[("UserName", name)]).await?;
    let user = told.child("User").cloned().unwrap_or_default();
    let held = Holdings::of(api, name).await?;
    let mut keys: Vec<(Value, [String; 4])> = Vec::new();
    for key in &held.keys {
        let id = text(key, "AccessKeyId");
        let (used, used_json) = last_used(api, id).await?;
        let mut json = print::json(key);
        json["AccessKeyLastUsed"] = used_json;
        keys.push((json, [id.to_owned(), text(key, "Status").to_owned(), text(key, "CreateDate").to_owned(), used]));
    }
    let result = json!({
        "User": print::json(&user),
        "AccessKeys": keys.iter().map(|(json, _)| json.clone()).collect::<Vec<_>>(),
        "Groups": held.groups.iter().map(print::json).collect::<Vec<_>>(),
        "AttachedPolicies": held.attached.iter().map(print::json).collect::<Vec<_>>(),
        "PolicyNames": held.inline.iter().map(print::json).collect::<Vec<_>>(),
    });
    print::show(connected.output, &result, || {
        let names = |items: &[Element], name: &str| {
            let all: Vec<&str> = items.iter().map(|item| text(item, name)).collect();
            if all.is_empty() { "none".to_owned() } else { all.join(", ") }
        };
        let inline: Vec<&str> = held.inline.iter().map(|name| name.text.trim()).collect();
        let boundary = user.child("PermissionsBoundary").map_or("none", |b| text(b, "PermissionsBoundaryArn"));
        let rows: Vec<_> = keys.iter().map(|(_, row)| row.clone()).collect();
        format!(
            "{}\ncreated   {}\ngroups    {}\npolicies  {}\ninline    {}\nboundary  {boundary}\n\n{}",
            text(&user, "Arn"),
            text(&user, "CreateDate"),
            names(&held.groups, "GroupName"),
            names(&held.attached, "PolicyArn"),
            if inline.is_empty() { "none".to_owned() } else { inline.join(", ") },
            print::table(["ACCESS KEY", "STATUS", "CREATED", "LAST USED"], &rows, "no access keys")
        )
    })
}

async fn delete(connected: &Connected, command: &Delete) -> Result<(), Failure> {
    let (api, name) = (&connected.api, command.name.as_str());
    api.iam("GetUser", &[("UserName", name)]).await?;
    let held = Holdings::of(api, name).await?;
    let mut steps: Vec<Deletion<'_>> = Vec::new();
    let user = ("UserName", name);
    for key in &held.keys {
        let id = text(key, "AccessKeyId");
        steps.push((format!("access key {id}"), "DeleteAccessKey", vec![user, ("AccessKeyId", id)]));
    }
    for policy in &held.attached {
        let arn = text(policy, "PolicyArn");
        steps.push((format!("attachment of {arn}"), "DetachUserPolicy", vec![user, ("PolicyArn", arn)]));
    }
    for policy in &held.inline {
        let policy = policy.text.trim();
        steps.push((format!("inline policy {policy}"), "DeleteUserPolicy", vec![user, ("PolicyName", policy)]));
    }
    for group in &held.groups {
        let group = text(group, "GroupName");
        steps.push((format!("membership in {group}"), "RemoveUserFromGroup", vec![user, ("GroupName", group)]));
    }
    steps.push((format!("user {name}"), "DeleteUser", vec![user]));
    take_down(api, &steps, command.yes).await
}

/// What is deleted, the call that does it, and its parameters.
pub(super) type Deletion<'a> = (String, &'a str, Vec<(&'a str, &'a str)>);

/// Deletes one after the other, saying each; or says only what there is to delete.
pub(super) async fn take_down(api: &Api, steps: &[Deletion<'_>], really: bool) -> Result<(), Failure> {
    if !really {
        let what: Vec<&str> = steps.iter().map(|(what, ..)| what.as_str()).collect();
        return Err(Failure::Usage(format!(
            "nothing was deleted; with --yes these would be:\n    {}",
            what.join("\n    ")
        )));
    }
    for (what, action, params) in steps {
        match api.iam(action, params).await {
            Ok(_) => say(format_args!("deleted: {what}"))?,
            // Somebody else was at it too.
            Err(error) if error.is("NoSuchEntity") => say(format_args!("was gone: {what}"))?,
            Err(error) => {
                return Err(Failure::Failed(format!(
                    "{error}\nStopped at: {what}. What is listed above is deleted, the rest is as it was; run this again \
                     to go on"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_made_user_is_described() {
        let steps = [Step::Join("staff"), Step::Attach("arn:p"), Step::Key];
        let told = half_made("eve", &steps, 1, &CallError::NoAnswer("gone".to_owned()));
        assert_eq!(
            told,
            "gone\nUser eve was made and has: member of group staff. Missing: policy arn:p, an access key. To go on:\n    \
             strongroom policy attach arn:p --user eve\n    strongroom key create eve\nTo take it back:\n    strongroom \
             user delete eve --yes"
        );
        assert!(
            half_made("eve", &steps, 0, &CallError::NoAnswer(String::new())).contains("User eve was made. Missing")
        );
    }
}
