//! The public access block: what S3 keeps from becoming public, whatever a policy or an ACL says.

use minicbor::{Decode, Encode};

use super::principal::{Subject, SubjectKind};

/// The four switches, of a bucket or of an account. The default has all of them off, which is what counts where nothing
/// is configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct PublicAccessBlock {
    /// Refuses new ACLs that are public: PutBucketAcl, PutObjectAcl, and writes that bring such an ACL.
    #[n(0)]
    pub block_public_acls: bool,
    /// What a public ACL grants to everyone does not count.
    #[n(1)]
    pub ignore_public_acls: bool,
    /// Refuses new policies that are public.
    #[n(2)]
    pub block_public_policy: bool,
    /// A bucket whose policy is public is for its own account and for services only.
    #[n(3)]
    pub restrict_public_buckets: bool,
}

/// What a switch kept from becoming public, for the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prevented {
    /// A bucket policy, by [`PublicAccessBlock::block_public_policy`].
    Policy,
    /// An ACL, by [`PublicAccessBlock::block_public_acls`].
    Acl,
}

impl PublicAccessBlock {
    /// All switches on: what buckets are made with.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };

    /// Of two that count, a bucket's and its account's, each switch that either has on.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            block_public_acls: self.block_public_acls || other.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || other.ignore_public_acls,
            block_public_policy: self.block_public_policy || other.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || other.restrict_public_buckets,
        }
    }

    /// Whether a bucket of `owner` is closed to `subject`, so that neither its policy nor an ACL lets it in. `public`:
    /// the bucket's policy is. All that a public policy gives to other accounts is blocked then, also what it gives to
    /// one of them by name (S3 user guide, "Blocking public access").
    pub fn closes(self, public: bool, owner: &str, subject: &Subject<'_>) -> bool {
        let outside = subject.account != owner && !matches!(subject.kind, SubjectKind::Service { .. });
        self.restrict_public_buckets && public && outside
    }
}

impl Prevented {
    /// AWS's words for the refusal of `action` on `resource` to `user`.
    pub fn denial(self, user: &str, action: &str, resource: &str) -> String {
        let (what, setting) = match self {
            Self::Policy => ("policies", "BlockPublicPolicy"),
            Self::Acl => ("ACLs", "BlockPublicAcls"),
        };
        format!(
            "User: {user} is not authorized to perform: {action} on resource: \"{resource}\" because public {what} are \
             prevented by the {setting} setting in S3 Block Public Access."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = "111122223333";

    fn subject(kind: SubjectKind<'static>, account: &'static str) -> Subject<'static> {
        Subject { kind, account, ..Subject::ANONYMOUS }
    }

    #[test]
    fn a_public_bucket_is_closed_to_others_by_its_switch() {
        let restricting = PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() };
        let user = SubjectKind::User { name: "carol" };
        for (who, closed) in [
            (Subject::ANONYMOUS, true),
            (subject(user, "444455556666"), true),
            (subject(SubjectKind::Root, "444455556666"), true),
            (subject(user, OWNER), false),
            (subject(SubjectKind::Root, OWNER), false),
            (subject(SubjectKind::Service { name: "s3.amazonaws.com" }, ""), false),
        ] {
            assert_eq!(restricting.closes(true, OWNER, &who), closed, "{who:?}");
            assert!(!restricting.closes(false, OWNER, &who), "{who:?}");
            assert!(!PublicAccessBlock::default().closes(true, OWNER, &who), "{who:?}");
        }
    }

    #[test]
    fn the_stricter_of_two_counts() {
        let none = PublicAccessBlock::default();
        let one = PublicAccessBlock { ignore_public_acls: true, ..none };
        let other = PublicAccessBlock { block_public_policy: true, ..none };
        assert_eq!(none.or(none), none);
        assert_eq!(one.or(none), one);
        assert_eq!(one.or(other), PublicAccessBlock { ignore_public_acls: true, block_public_policy: true, ..none });
        assert_eq!(none.or(PublicAccessBlock::ALL), PublicAccessBlock::ALL);
    }

    #[test]
    fn refusals_are_worded_as_aws_words_them() {
        // As recorded from PutObjectAcl.
        assert_eq!(
            Prevented::Acl.denial("arn:aws:iam::111122223333:user/a", "s3:PutObjectAcl", "arn:aws:s3:::b/k"),
            "User: arn:aws:iam::111122223333:user/a is not authorized to perform: s3:PutObjectAcl on resource: \
             \"arn:aws:s3:::b/k\" because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public \
             Access."
        );
        let policy = Prevented::Policy.denial("u", "s3:PutBucketPolicy", "r");
        assert!(
            policy
                .ends_with("public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
        );
    }
}
