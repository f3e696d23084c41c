//! `strongroom role`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::api::{Api, CallError, Element, text};
use super::connection::{Connected, Connection};
use super::documents::{policy_arns, read_document, trust_policy};
use super::user::take_down;
use super::{print, profile};
use crate::cli::Failure;

const HOW: &str = "\
These are IAM roles: identities that others assume for a while, by their trust policies. The ready-made sets of permissions
for users of the settings file (key administrator, key user, auditor) are the command strongroom roles.";

/// Create, list, show, delete and assume IAM roles (not strongroom roles, which gives users of the settings permissions)
#[derive(Args)]
#[command(after_help = HOW)]
pub(in crate::cli) struct RoleCommand {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Command {
    Create(Create),
    /// List the roles of the account
    List,
    Show(Named),
    Delete(Delete),
    Assume(Assume),
}

/// Create a role that others may assume, with policies
#[derive(Args)]
struct Create {
    /// Name of the role
    #[arg(value_name = "NAME")]
    name: String,
    /// Who may assume it: an account (12 digits), or the ARN of a root, user or role; several are possible
    #[arg(long, value_name = "ACCOUNT|ARN", required_unless_present = "trust_file")]
    trust: Vec<String>,
    /// They have to give this id: for roles of others' programs, which act for many customers
    #[arg(long, value_name = "ID", conflicts_with = "trust_file")]
    external_id: Option<String>,
    /// The trust policy itself, JSON; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "trust")]
    trust_file: Option<PathBuf>,
    /// A ready-made policy, one of the account's own, or an ARN; several are possible
    #[arg(long = "policy", value_name = "POLICY")]
    policies: Vec<String>,
    /// Path of the role's ARN, e.g. /team/
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,
    /// What the role is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Longest session, in seconds: 3600 to 43200
    #[arg(long, value_name = "SECONDS")]
    max_session: Option<u32>,
}

/// Show a role: who may assume it, its policies, its last use
#[derive(Args)]
struct Named {
    /// Name of the role
    #[arg(value_name = "NAME")]
    name: String,
}

/// Delete a role with its policies
#[derive(Args)]
struct Delete {
    /// Name of the role
    #[arg(value_name = "NAME")]
    name: String,
    /// Do it; without this, only say what would be deleted
    #[arg(long)]
    yes: bool,
}

/// Assume a role and print its credentials: lines for a shell, or with --output json what credential_process answers
///
/// For a shell: eval "$(strongroom role assume ARN)". For a profile of ~/.aws/config:
/// credential_process = strongroom role assume ARN --profile staff --output json
#[derive(Args)]
struct Assume {
    /// ARN of the role, or the name of one of the own account
    #[arg(value_name = "ARN|NAME")]
    role: String,
    /// Name of the session, which the trail shows
    #[arg(long, value_name = "NAME", default_value = "strongroom-cli")]
    session_name: String,
    /// How long the credentials are good, in seconds: 900 up to the role's longest session
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u32>,
    /// A policy that limits the session, JSON; - for standard input
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The id that the role's trust policy asks for
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
}

pub(in crate::cli) async fn run(command: RoleCommand) -> Result<(), Failure> {
    let connected = command.connection.connect()?;
    match command.command {
        Command::Create(command) => create(&connected, &command).await,
        Command::List => list(&connected).await,
        Command::Show(command) => show(&connected, &command.name).await,
        Command::Delete(command) => delete(&connected, &command).await,
        Command::Assume(command) => assume(&connected, &command).await,
    }
}

async fn create(connected: &Connected, command: &Create) -> Result<(), Failure> {
    let (api, name) = (&connected.api, command.name.as_str());
    let trust = match &command.trust_file {
        Some(file) => read_document(file)?,
        None => trust_policy(&command.trust, command.external_id.as_deref())?,
    };
    let policies = policy_arns(api, &command.policies).await?;
    let longest = command.max_session.map(|seconds| seconds.to_string());
    let mut params = vec![("RoleName", name), ("Path", &command.path), ("AssumeRolePolicyDocument", &trust)];
    params.extend(command.description.as_deref().map(|text| ("Description", text)));
    params.extend(longest.as_deref().map(|seconds| ("MaxSessionDuration", seconds)));
    let made = api.iam("CreateRole", &params).await?;
    let role = made.child("Role").cloned().unwrap_or_default();
    for (at, arn) in policies.iter().enumerate() {
        if let Err(error) = api.iam("AttachRolePolicy", &[("RoleName", name), ("PolicyArn", arn)]).await {
            let missing = policies[at..].iter().map(|arn| format!("    strongroom policy attach {arn} --role {name}"));
            return Err(Failure::Failed(format!(
                "{error}\nRole {name} was made, with {at} of {} policies. To go on:\n{}\nTo take it back:\n    strongroom \
                 role delete {name} --yes",
                policies.len(),
                missing.collect::<Vec<_>>().join("\n")
            )));
        }
    }
    let result = json!({ "Role": print::json(&role), "AttachedPolicies": policies });
    print::show(connected.output, &result, || {
        let arn = text(&role, "Arn");
        format!("{arn} is made; who may assume it does so with\n    strongroom role assume {arn}")
    })
}

async fn list(connected: &Connected) -> Result<(), Failure> {
    let roles = connected.api.all("ListRoles", &[], "Roles").await?;
    print::show(connected.output, &print::list("Roles", &roles), || {
        let row = |role: &Element| ["RoleName", "Arn", "CreateDate"].map(|name| text(role, name).to_owned());
        print::table(["NAME", "ARN", "CREATED"], &roles.iter().map(row).collect::<Vec<_>>(), "there are no roles")
    })
}

async fn policies_of(api: &Api, role: &str) -> Result<(Vec<Element>, Vec<Element>), CallError> {
    let of = [("RoleName", role)];
    let attached = api.all("ListAttachedRolePolicies", &of, "AttachedPolicies").await?;
    Ok((attached, api.all("ListRolePolicies", &of, "PolicyNames").await?))
}

async fn show(connected: &Connected, name: &str) -> Result<(), Failure> {
    let told = connected.api.iam("GetRole", &[("RoleName", name)]).await?;
    let role = told.child("Role").cloned().unwrap_or_default();
    let (attached, inline) = policies_of(&connected.api, name).await?;
    let result = json!({
        "Role": print::json(&role),
        "AttachedPolicies": attached.iter().map(print::json).collect::<Vec<_>>(),
        "PolicyNames": inline.iter().map(print::json).collect::<Vec<_>>(),
    });
    print::show(connected.output, &result, || {
        let joined = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let used = role.child("RoleLastUsed").map_or("", |used| text(used, "LastUsedDate"));
        let trust = print::document(text(&role, "AssumeRolePolicyDocument")).unwrap_or_default();
        format!(
            "{}\ncreated   {}\nlast used {}\nsessions  up to {} seconds\npolicies  {}\ninline    {}\nboundary  {}\ntrust     \
             {trust:#}",
            text(&role, "Arn"),
            text(&role, "CreateDate"),
            if used.is_empty() { "never" } else { used },
            text(&role, "MaxSessionDuration"),
            joined(attached.iter().map(|policy| text(policy, "PolicyArn")).collect()),
            joined(inline.iter().map(|name| name.text.trim()).collect()),
            role.child("PermissionsBoundary").map_or("none", |b| text(b, "PermissionsBoundaryArn")),
        )
    })
}

async fn delete(connected: &Connected, command: &Delete) -> Result<(), Failure> {
    let (api, name) = (&connected.api, command.name.as_str());
    let (attached, inline) = policies_of(api, name).await?;
    let role = ("RoleName", name);
    let mut steps = Vec::new();
    for policy in &attached {
        let arn = text(policy, "PolicyArn");
        steps.push((format!("attachment of {arn}"), "DetachRolePolicy", vec![role, ("PolicyArn", arn)]));
    }
    for policy in &inline {
        let policy = policy.text.trim();
        steps.push((format!("inline policy {policy}"), "DeleteRolePolicy", vec![role, ("PolicyName", policy)]));
    }
    steps.push((format!("role {name}"), "DeleteRole", vec![role]));
    take_down(api, &steps, command.yes).await
}

async fn assume(connected: &Connected, command: &Assume) -> Result<(), Failure> {
    let api = &connected.api;
    let policy = command.policy.as_deref().map(read_document).transpose()?;
    let arn = match command.role.starts_with("arn:") {
        true => command.role.clone(),
        // Its path may be part of it.
        false => {
            let told = api.iam("GetRole", &[("RoleName", &command.role)]).await?;
            told.child("Role").map(|role| text(role, "Arn").to_owned()).unwrap_or_default()
        }
    };
    let duration = command.duration.map(|seconds| seconds.to_string());
    let mut params = vec![("RoleArn", arn.as_str()), ("RoleSessionName", &command.session_name)];
    params.extend(duration.as_deref().map(|seconds| ("DurationSeconds", seconds)));
    params.extend(policy.as_deref().map(|policy| ("Policy", policy)));
    params.extend(command.external_id.as_deref().map(|id| ("ExternalId", id)));
    let answer = api.sts("AssumeRole", &params).await?;
    let credentials = answer.child("Credentials").cloned().unwrap_or_default();
    print::show(connected.output, &profile::process_json(&credentials), || profile::exports(&credentials))
}
