//! `strongroom policy`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::api::{Api, Element, text};
use super::connection::{Connected, Connection};
use super::documents::{own_account, policy_arn, read_document};
use super::{explain, print, who_can};
use crate::cli::{Failure, say};
use crate::policy::ReadyMade;

/// Versions that a policy can have.
const VERSIONS_MAX: usize = 5;

const HOW: &str = "\
POLICY is the name of one of the account's own policies, the word or name of a ready-made one (key-user,
AmazonS3ReadOnlyAccess, …), or an ARN. Who can read a bucket:

    strongroom policy who-can read my-bucket

Why a request was denied, by the id that its answer had:

    strongroom policy explain 4442587FB7D0A2F9";

/// Keep policies, say who may do what, and explain denials
#[derive(Args)]
#[command(after_long_help = HOW)]
pub(in crate::cli) struct PolicyCommand {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Create(Create),
    Update(Update),
    /// Attach a policy to a user, a group or a role
    Attach(Attachment),
    /// Take a policy from a user, a group or a role
    Detach(Attachment),
    WhoCan(who_can::WhoCan),
    Explain(explain::Explain),
}

/// List policies: ready-made ones and the account's own
#[derive(Args)]
struct List {
    /// Which ones
    #[arg(long, value_enum, default_value = "all")]
    scope: Scope,
    /// Only those that somebody has
    #[arg(long)]
    attached: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scope {
    /// All
    All,
    /// The account's own
    Own,
    /// Those that come with the program
    ReadyMade,
}

/// Print a policy's document (JSON), with its versions and who has it on standard error
#[derive(Args)]
struct Show {
    /// The policy: name, word or ARN
    #[arg(value_name = "POLICY")]
    policy: String,
    /// This version instead of the one in force, e.g. v2
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

/// Make a policy of the account
#[derive(Args)]
struct Create {
    /// Name of the policy
    #[arg(value_name = "NAME")]
    name: String,
    /// Its document, JSON; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Path of the policy's ARN, e.g. /team/
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,
}

/// Change a policy: its document becomes a new version, which is in force at once
#[derive(Args)]
struct Update {
    /// The policy: name or ARN
    #[arg(value_name = "POLICY")]
    policy: String,
    /// Its new document, JSON; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Delete the oldest version if there are five, which is the most
    #[arg(long)]
    prune: bool,
}

#[derive(Args)]
struct Attachment {
    /// The policy: name, word or ARN
    #[arg(value_name = "POLICY")]
    policy: String,
    #[command(flatten)]
    holder: Holder,
}

/// Who has it: one of them.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Holder {
    /// A user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// A role
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
}

pub(in crate::cli) async fn run(command: PolicyCommand) -> Result<(), Failure> {
    let connection = command.connection;
    match command.command {
        Command::List(command) => list(&connection.connect()?, &command).await,
        Command::Show(command) => show(&connection.connect()?, &command).await,
        Command::Create(command) => create(&connection.connect()?, &command).await,
        Command::Update(command) => update(&connection.connect()?, &command).await,
        Command::Attach(command) => attach(&connection.connect()?.api, &command, true).await,
        Command::Detach(command) => attach(&connection.connect()?.api, &command, false).await,
        Command::WhoCan(command) => who_can::run(&connection.connect()?, &command).await,
        Command::Explain(command) => explain::run(connection, &command).await,
    }
}

async fn list(connected: &Connected, command: &List) -> Result<(), Failure> {
    let scope = match command.scope {
        Scope::All => "All",
        Scope::Own => "Local",
        Scope::ReadyMade => "AWS",
    };
    let attached = if command.attached { "true" } else { "false" };
    let params = [("Scope", scope), ("OnlyAttached", attached)];
    let policies = connected.api.all("ListPolicies", &params, "Policies").await?;
    print::show(connected.output, &print::list("Policies", &policies), || {
        let row = |policy: &Element| {
            let arn = text(policy, "Arn");
            let about = ReadyMade::by_arn(arn).map_or_else(|| text(policy, "Description"), |known| known.about);
            let about = about.to_owned();
            [text(policy, "PolicyName").to_owned(), text(policy, "AttachmentCount").to_owned(), arn.to_owned(), about]
        };
        let rows: Vec<_> = policies.iter().map(row).collect();
        print::table(["NAME", "HOLDERS", "ARN", "FOR"], &rows, "there are no policies")
    })
}

async fn versions_of(api: &Api, arn: &str) -> Result<Vec<Element>, Failure> {
    Ok(api.all("ListPolicyVersions", &[("PolicyArn", arn)], "Versions").await?)
}

async fn show(connected: &Connected, command: &Show) -> Result<(), Failure> {
    let api = &connected.api;
    let arn = policy_arn(api, &command.policy).await?;
    let told = api.iam("GetPolicy", &[("PolicyArn", &arn)]).await?;
    let policy = told.child("Policy").cloned().unwrap_or_default();
    let version = command.version.as_deref().unwrap_or_else(|| text(&policy, "DefaultVersionId"));
    let of_version = api.iam("GetPolicyVersion", &[("PolicyArn", &arn), ("VersionId", version)]).await?;
    let version = of_version.child("PolicyVersion").cloned().unwrap_or_default();
    let versions = versions_of(api, &arn).await?;
    let kinds = ["PolicyUsers", "PolicyGroups", "PolicyRoles"];
    let holders = api.all_of("ListEntitiesForPolicy", &[("PolicyArn", &arn)], &kinds).await?;
    let mut result = json!({
        "Policy": print::json(&policy), "PolicyVersion": print::json(&version), "Versions": print::list("Versions", &versions)["Versions"],
    });
    for (kind, holders) in kinds.iter().zip(&holders) {
        result[*kind] = holders.iter().map(print::json).collect::<Value>();
    }
    let (shown, mut held) = (text(&version, "VersionId").to_owned(), Vec::new());
    for (holders, (word, name)) in
        holders.iter().zip([("user", "UserName"), ("group", "GroupName"), ("role", "RoleName")])
    {
        held.extend(holders.iter().map(|holder| format!("{word} {}", text(holder, name))));
    }
    if connected.output == super::connection::Output::Text {
        let all: Vec<&str> = versions.iter().map(|version| text(version, "VersionId")).collect();
        let held = if held.is_empty() { "nobody".to_owned() } else { held.join(", ") };
        eprintln!("{arn}, {shown} of {}; held by: {held}", all.join(", "));
    }
    print::show(connected.output, &result, || match print::document(text(&version, "Document")) {
        Some(document) => format!("{document:#}"),
        None => text(&version, "Document").to_owned(),
    })
}

async fn create(connected: &Connected, command: &Create) -> Result<(), Failure> {
    let document = read_document(&command.file)?;
    let mut params =
        vec![("PolicyName", command.name.as_str()), ("Path", &command.path), ("PolicyDocument", &document)];
    params.extend(command.description.as_deref().map(|text| ("Description", text)));
    let made = connected.api.iam("CreatePolicy", &params).await?;
    let policy = made.child("Policy").cloned().unwrap_or_default();
    print::show(connected.output, &json!({ "Policy": print::json(&policy) }), || {
        let (arn, name) = (text(&policy, "Arn"), &command.name);
        format!("{arn} is made; to give it to somebody:\n    strongroom policy attach {name} --user NAME")
    })
}

async fn update(connected: &Connected, command: &Update) -> Result<(), Failure> {
    let api = &connected.api;
    let document = read_document(&command.file)?;
    let arn = policy_arn(api, &command.policy).await?;
    let versions = versions_of(api, &arn).await?;
    if versions.len() >= VERSIONS_MAX {
        let old = oldest(&versions).ok_or_else(|| Failure::Failed("no version can be deleted".to_owned()))?;
        let (id, made) = (text(old, "VersionId"), text(old, "CreateDate"));
        if !command.prune {
            return Err(Failure::Failed(format!(
                "{arn} has {VERSIONS_MAX} versions, which is the most. Nothing was changed; --prune deletes the oldest \
                 that is not in force: {id} of {made}"
            )));
        }
        api.iam("DeletePolicyVersion", &[("PolicyArn", &arn), ("VersionId", id)]).await?;
        eprintln!("strongroom: deleted {id} of {made}");
    }
    let params = [("PolicyArn", arn.as_str()), ("PolicyDocument", &document), ("SetAsDefault", "true")];
    let made = api.iam("CreatePolicyVersion", &params).await?;
    let version = made.child("PolicyVersion").cloned().unwrap_or_default();
    print::show(connected.output, &json!({ "PolicyVersion": print::json(&version) }), || {
        format!("{arn} is now {}", text(&version, "VersionId"))
    })
}

/// The oldest version that is not in force: versions are numbered.
fn oldest(versions: &[Element]) -> Option<&Element> {
    let number = |version: &Element| text(version, "VersionId").trim_start_matches('v').parse::<u64>().ok();
    versions.iter().filter(|version| text(version, "IsDefaultVersion") != "true").min_by_key(|version| number(version))
}

async fn attach(api: &Api, command: &Attachment, attaches: bool) -> Result<(), Failure> {
    let holder = &command.holder;
    let (action, name, parameter) = match (&holder.user, &holder.group, &holder.role, attaches) {
        (Some(name), _, _, true) => ("AttachUserPolicy", name, "UserName"),
        (Some(name), _, _, false) => ("DetachUserPolicy", name, "UserName"),
        (_, Some(name), _, true) => ("AttachGroupPolicy", name, "GroupName"),
        (_, Some(name), _, false) => ("DetachGroupPolicy", name, "GroupName"),
        (_, _, Some(name), true) => ("AttachRolePolicy", name, "RoleName"),
        (_, _, Some(name), false) => ("DetachRolePolicy", name, "RoleName"),
        (None, None, None, _) => return Err(Failure::Usage("name a --user, a --group or a --role".to_owned())),
    };
    let arn = policy_arn(api, &command.policy).await?;
    match api.iam(action, &[(parameter, name), ("PolicyArn", &arn)]).await {
        Ok(_) if attaches => say(format_args!("{name} has {arn}")),
        Ok(_) => say(format_args!("{name} no longer has {arn}")),
        Err(error) if attaches && error.is("NoSuchEntity") && command.policy.starts_with("arn:") => {
            let account = own_account(api).await.unwrap_or_default();
            Err(Failure::Failed(format!(
                "{error}\nThis is account {account}: strongroom policy list shows its policies"
            )))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml::parse;

    #[test]
    fn the_oldest_version_that_is_not_in_force_goes() {
        let versions = ["v9:false", "v10:true", "v2:true", "v11:false"].map(|version| {
            let (id, default) = version.split_once(':').unwrap();
            let xml =
                format!("<member><VersionId>{id}</VersionId><IsDefaultVersion>{default}</IsDefaultVersion></member>");
            parse(xml.as_bytes()).unwrap()
        });
        assert_eq!(oldest(&versions).map(|version| text(version, "VersionId")), Some("v9"));
        assert!(oldest(&versions[1..3]).is_none());
    }
}
