//! Policies as they are named and written on the command line.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use super::api::{Api, CallError, Element, text};
use crate::cli::Failure;
use crate::names::AccountId;
use crate::policy::ReadyMade;

/// Longest document that is read, in bytes: the API takes less.
const DOCUMENT_MAX_BYTES: u64 = 1 << 20;

/// The ARN of a policy that is named by its ARN, by the name of one of the account's own, or by the word or name of a
/// ready-made one.
pub(super) async fn policy_arn(api: &Api, named: &str) -> Result<String, Failure> {
    if named.starts_with("arn:") {
        return Ok(named.to_owned());
    }
    if let Some(arn) = ready_made_arn(named) {
        return Ok(arn);
    }
    let own = api.all("ListPolicies", &[("Scope", "Local")], "Policies").await?;
    // IAM's names differ by more than their case.
    let found = own.iter().find(|policy| text(policy, "PolicyName").eq_ignore_ascii_case(named));
    found.map(|policy| text(policy, "Arn").to_owned()).ok_or_else(|| {
        let words: Vec<&str> = ReadyMade::all().map(|policy| policy.word).collect();
        Failure::Failed(format!(
            "there is no policy {named:?}: neither among the account's own (strongroom policy list --scope own) nor ready \
             made ({})",
            words.join(", ")
        ))
    })
}

/// By word, by name with or without its prefix, in any case of letters.
fn ready_made_arn(named: &str) -> Option<String> {
    let found = ReadyMade::find(named).or_else(|| {
        let same = |name: &str| name.rsplit(['/', ':']).next().is_some_and(|last| last.eq_ignore_ascii_case(named));
        ReadyMade::all().find(|policy| same(policy.name))
    });
    found.map(|policy| policy.arn())
}

/// Policies by their names, each checked to exist: nothing should be half done for want of one.
pub(super) async fn policy_arns(api: &Api, named: &[String]) -> Result<Vec<String>, Failure> {
    let mut arns = Vec::new();
    for named in named {
        let arn = policy_arn(api, named).await?;
        api.iam("GetPolicy", &[("PolicyArn", &arn)]).await?;
        arns.push(arn);
    }
    Ok(arns)
}

/// Reads a document from a file, or from standard input for `-`. What is no JSON is refused here, with its place.
pub(super) fn read_document(file: &Path) -> Result<String, Failure> {
    let shown = file.display();
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("{shown}: {error}"));
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().take(DOCUMENT_MAX_BYTES).read_to_string(&mut text),
        false => std::fs::File::open(file)
            .map_err(|error| failed(&error))?
            .take(DOCUMENT_MAX_BYTES)
            .read_to_string(&mut text),
    };
    read.map_err(|error| failed(&error))?;
    serde_json::from_str::<Value>(&text).map_err(|error| failed(&format!("this is no JSON: {error}")))?;
    Ok(text)
}

/// The trust policy of a role that `who` may assume: an account by its 12 digits, or the ARN of a root, user or role.
pub(super) fn trust_policy(who: &[String], external_id: Option<&str>) -> Result<String, Failure> {
    let mut principals = Vec::new();
    for who in who {
        let named = who.split(':').collect::<Vec<_>>();
        principals.push(match named[..] {
            [account] if AccountId::parse(account).is_ok() => format!("arn:aws:iam::{account}:root"),
            ["arn", _, "iam", "", account, resource]
                if AccountId::parse(account).is_ok()
                    && ["user/", "role/", "root"].iter().any(|kind| resource.starts_with(kind)) =>
            {
                who.clone()
            }
            _ => {
                return Err(Failure::Usage(format!(
                    "{who:?} is no account (12 digits) and no ARN of a root, user or role; for others write the trust \
                     policy yourself and give it with --trust-file"
                )));
            }
        });
    }
    let principal = match principals.as_slice() {
        [one] => json!(one),
        several => json!(several),
    };
    let mut statement = json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"});
    if let Some(id) = external_id {
        statement["Condition"] = json!({"StringEquals": {"sts:ExternalId": id}});
    }
    Ok(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
}

/// The account of who signs.
pub(super) async fn own_account(api: &Api) -> Result<String, CallError> {
    let told: Element = api.sts("GetCallerIdentity", &[]).await?;
    Ok(text(&told, "Account").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_made_policies_by_any_of_their_names() {
        for (named, arn) in [
            ("key-user", Some("KeyUser")),
            ("strongroom:KeyUser", Some("KeyUser")),
            ("keyuser", Some("KeyUser")),
            ("AdministratorAccess", Some("AdministratorAccess")),
            ("amazon-s3-read-only-access", Some("AmazonS3ReadOnlyAccess")),
            ("KeyUse", None),
            ("", None),
        ] {
            let found = ready_made_arn(named);
            assert_eq!(found.as_deref().and_then(|arn| arn.rsplit('/').next()), arn, "{named}");
        }
    }

    #[test]
    fn trust() {
        let parsed = |who: &[&str], id| {
            let who: Vec<String> = who.iter().map(|who| (*who).to_owned()).collect();
            trust_policy(&who, id).map(|text| serde_json::from_str::<Value>(&text).unwrap()["Statement"][0].clone())
        };
        let root = "arn:aws:iam::111122223333:root";
        let statement = json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"});
        assert_eq!(parsed(&["111122223333"], None), Ok(statement.clone()));
        assert_eq!(parsed(&[root], None), Ok(statement));
        let user = "arn:aws:iam::111122223333:user/a";
        let with_id = parsed(&["111122223333", user], Some("x")).unwrap();
        assert_eq!(with_id["Principal"]["AWS"], json!([root, user]));
        assert_eq!(with_id["Condition"], json!({"StringEquals": {"sts:ExternalId": "x"}}));
        for wrong in
            ["*", "1111", "alice", "arn:aws:iam::111122223333:group/g", "arn:aws:s3:::b", "accounts.example.com"]
        {
            assert!(parsed(&[wrong], None).is_err(), "{wrong}");
        }
    }
}
