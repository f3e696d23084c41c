//! ListPolicies: the account's own managed policies, then those that come with the server.

use super::{ShownPolicy, USAGES};
use crate::iam::cx::Cx;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::{POLICY_PATH, Paging};
use crate::identity::PolicyRecord;
use crate::names::iam_arn;
use crate::policy::{MANAGED_PATH, ReadyMade};

/// What the keys of the account's own policies in markers begin with.
const OWN: &str = "own/";
/// The same of those that come with the server; behind [`OWN`] in order.
const READY: &str = "ready/";

pub(in crate::iam) struct Input {
    scope: &'static str,
    only_attached: bool,
    path_prefix: String,
    usage: Option<&'static str>,
    paging: Paging,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            scope: fields.word("Scope", &["All", "AWS", "Local"]).unwrap_or("All"),
            only_attached: fields.flag("OnlyAttached"),
            path_prefix: fields.text("PathPrefix", &POLICY_PATH).unwrap_or_else(|| "/".to_owned()),
            usage: fields.word("PolicyUsageFilter", &USAGES),
            paging: Paging::read(fields),
        }
    }

    fn shows(&self, policy: &ShownPolicy) -> bool {
        let used = match self.usage {
            Some("PermissionsBoundary") => policy.boundaries > 0,
            Some(_) => policy.attachments > 0,
            None => true,
        };
        used && (!self.only_attached || policy.attachments > 0 || policy.boundaries > 0)
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let account = cx.account()?;
    cx.grant(&iam_arn(account, "policy", &input.path_prefix, ""))?;
    let mut found = Vec::new();
    let after = input.paging.after()?.unwrap_or_default();
    if input.scope != "AWS" && !after.starts_with(READY) {
        let mut after = after.strip_prefix(OWN).map(str::to_owned);
        while found.len() <= input.paging.limit() {
            let limit = input.paging.limit() + 1;
            let read = cx.identities().entities::<PolicyRecord>(account, &[], after.as_deref(), limit).await?;
            let Some((last, _)) = read.last() else { break };
            after = Some(last.clone());
            let of_path = read.into_iter().filter(|(_, policy)| policy.path.starts_with(&input.path_prefix));
            let shown = of_path.map(|(name, policy)| (format!("{OWN}{name}"), ShownPolicy::own(account, &policy)));
            found.extend(shown.filter(|(_, policy)| input.shows(policy)));
        }
    }
    if input.scope != "Local" && MANAGED_PATH.starts_with(&input.path_prefix) {
        let mut ready: Vec<_> = ReadyMade::all().map(|p| (format!("{READY}{}", p.policy_name()), p)).collect();
        ready.sort_by(|a, b| a.0.cmp(&b.0));
        for (key, policy) in ready.into_iter().filter(|(key, _)| *key > after) {
            let shown = ShownPolicy::ready_made(cx, policy).await?;
            if input.shows(&shown) {
                found.push((key, shown));
            }
        }
    }
    Ok(Reply::result(|w| page(w, "Policies", input.paging.page(found), |w, policy| policy.write(w))))
}
