//! `PolicyExclusionList`: policies that a simulation is to leave out.

use super::invalid;
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::shapes::{ANY, ARN, POLICY_NAME};
use crate::identity::{Origin, SourcedPolicies, SourcedPolicy};
use crate::policy::SourceType;

/// `PolicyType`. There are none of the last two, as AWS says of `rcp` itself.
const TYPES: [&str; 6] = ["inline", "aws-managed", "user-managed", "permission-boundary", "scp", "rcp"];

/// One of the list.
pub(super) struct Excluded {
    kind: Option<&'static str>,
    arn: Option<String>,
    inline: Option<Inline>,
}

struct Inline {
    policy: String,
    to: &'static str,
    name: String,
}

impl Excluded {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            kind: fields.word("PolicyType", &TYPES),
            arn: fields.text("PolicyArn", &ARN),
            inline: fields.structure("InlinePolicyIdentifier", |inline| Inline {
                policy: inline.required("PolicyName", &POLICY_NAME),
                to: inline.required_word("AttachmentType", &["user", "group", "role"]),
                // The model's expression leaves out the wildcards that its text allows.
                name: inline.required("AttachmentName", &ANY),
            }),
        }
    }

    /// Leaves out what it names; that there is nothing of it is no fault. AWS's texts are not recorded.
    pub(super) fn remove_from(&self, policies: &mut SourcedPolicies) -> Result<(), IamError> {
        match (self.kind, &self.arn, &self.inline) {
            (Some("permission-boundary"), None, None) => policies.boundary = None,
            (Some(kind), None, None) => policies.identity.retain(|policy| !is_of_type(policy, kind)),
            (None, Some(pattern), None) => {
                check_arn(pattern)?;
                policies.identity.retain(|policy| {
                    !matches!(&policy.origin, Origin::Managed(arn) if fits(pattern.as_bytes(), arn.as_bytes()))
                });
            }
            (None, None, Some(inline)) => {
                check_stars(&inline.name)?;
                policies.identity.retain(|policy| !inline.names(policy));
            }
            _ => {
                return Err(invalid(
                    "Each entry of PolicyExclusionList must have exactly one of PolicyType, PolicyArn and \
                     InlinePolicyIdentifier.",
                ));
            }
        }
        Ok(())
    }
}

impl Inline {
    fn names(&self, sourced: &SourcedPolicy) -> bool {
        match &sourced.origin {
            Origin::Managed(_) => false,
            Origin::Inline { holder, policy } => {
                sourced.policy.source.text() == self.to
                    && *policy == self.policy
                    && fits(self.name.as_bytes(), holder.as_bytes())
            }
        }
    }
}

fn is_of_type(policy: &SourcedPolicy, kind: &str) -> bool {
    match policy.policy.source {
        SourceType::AwsManaged => kind == "aws-managed",
        SourceType::UserManaged => kind == "user-managed",
        SourceType::User | SourceType::Group | SourceType::Role => kind == "inline",
        SourceType::Resource | SourceType::None => false,
    }
}

/// Wildcards are for the name in an ARN alone.
fn check_arn(pattern: &str) -> Result<(), IamError> {
    let rest = pattern.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":policy/"));
    let of_account = |text: &str| text == "aws" || text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    match rest {
        Some((account, name)) if of_account(account) && !name.is_empty() => check_stars(name),
        Some(_) | None => Err(invalid(format!("ARN {pattern} is not valid."))),
    }
}

fn check_stars(pattern: &str) -> Result<(), IamError> {
    match pattern.matches('*').count() {
        0 | 1 => Ok(()),
        _ => Err(invalid(format!("{pattern} is not valid: it has more than one *."))),
    }
}

/// Whether a text fits a pattern with at most one `*`, and `?`s.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let same = |pattern: &[u8], text: &[u8]| {
        pattern.len() == text.len() && pattern.iter().zip(text).all(|(p, t)| *p == b'?' || p == t)
    };
    let Some(star) = pattern.iter().position(|byte| *byte == b'*') else { return same(pattern, text) };
    let (before, behind) = (&pattern[..star], &pattern[star + 1..]);
    text.len() >= before.len() + behind.len()
        && same(before, &text[..before.len()])
        && same(behind, &text[text.len() - behind.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("a*c", "ac", true),
            ("a*c", "abbbc", true),
            ("a*a", "a", false),
            ("a*?", "a", false),
            ("*-dev", "app-dev", true),
            ("app-*", "ap", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        for (arn, good) in [
            ("arn:aws:iam::aws:policy/Amazon*", true),
            ("arn:aws:iam::111122223333:policy/a/b?", true),
            ("arn:aws:iam::*:policy/a", false),
            ("arn:aws:iam::111122223333:policy/*a*", false),
            ("arn:aws:iam::111122223333:role/a", false),
            ("arn:aws:iam::111122223333:policy/", false),
        ] {
            assert_eq!(check_arn(arn).is_ok(), good, "{arn}");
        }
    }
}
