//! How long IAM lets documents be. What counts are characters other than white space.

use super::error::PolicyError;

/// What IAM limits in size (IAM user guide, "IAM and STS character quotas").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyQuota {
    /// All inline policies of a user together.
    UserInline,
    /// All inline policies of a group together.
    GroupInline,
    /// All inline policies of a role together.
    RoleInline,
    /// Each version of a managed policy.
    Managed,
    /// The trust policy of a role. AWS raises it to 4,096 on request.
    Trust,
}

/// How long a session policy may be, in characters, white space included. The packed form of policies and tags
/// together has a limit of its own, which is STS's to apply.
pub const SESSION_POLICY_MAX_CHARS: usize = 2_048;

/// How many managed policies a session may be given.
pub const SESSION_POLICY_ARNS_MAX: usize = 10;

impl PolicyQuota {
    /// The limit, in characters that are no white space.
    pub fn limit_chars(self) -> usize {
        match self {
            Self::UserInline | Self::Trust => 2_048,
            Self::GroupInline => 5_120,
            Self::Managed => 6_144,
            Self::RoleInline => 10_240,
        }
    }

    /// Whether documents of this length together, as [`counted_chars`] counts, are within the limit.
    pub fn check(self, counted_chars: usize) -> Result<(), PolicyError> {
        let limit = self.limit_chars();
        if counted_chars > limit { Err(PolicyError::TooLarge { limit_bytes: limit }) } else { Ok(()) }
    }

    /// What IAM answers, as `LimitExceeded`; `name` is that of the user, group or role.
    pub fn message(self, name: &str) -> String {
        let limit = self.limit_chars();
        let whose = match self {
            Self::UserInline => "user",
            Self::GroupInline => "group",
            Self::RoleInline => "role",
            Self::Managed => return format!("Cannot exceed quota for PolicySize: {limit}"),
            Self::Trust => return format!("Cannot exceed quota for ACLSizePerRole: {limit}"),
        };
        format!("Maximum policy size of {limit} bytes exceeded for {whose} {name}")
    }
}

/// How long a document is as IAM counts: without white space.
pub fn counted_chars(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_does_not_count() {
        assert_eq!(counted_chars("{ \"a\":\t\"b c\"\r\n}"), 10);
        assert_eq!(counted_chars("é"), 1);
    }

    #[test]
    fn limits_and_what_is_said_of_them() {
        let table = [
            (PolicyQuota::UserInline, 2_048, "Maximum policy size of 2048 bytes exceeded for user n"),
            (PolicyQuota::GroupInline, 5_120, "Maximum policy size of 5120 bytes exceeded for group n"),
            (PolicyQuota::RoleInline, 10_240, "Maximum policy size of 10240 bytes exceeded for role n"),
            (PolicyQuota::Managed, 6_144, "Cannot exceed quota for PolicySize: 6144"),
            (PolicyQuota::Trust, 2_048, "Cannot exceed quota for ACLSizePerRole: 2048"),
        ];
        for (quota, limit, message) in table {
            assert_eq!(quota.check(limit), Ok(()));
            assert_eq!(quota.check(limit + 1), Err(PolicyError::TooLarge { limit_bytes: limit }));
            assert_eq!(quota.message("n"), message);
        }
    }
}
