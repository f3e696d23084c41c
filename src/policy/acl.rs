//! Access control lists: what they grant to whom (S3 user guide, "Access control list (ACL) overview"). Pure.
//!
//! For a decision an ACL is one more allow on the resource's side. What it gives to an account that account's own
//! policies have to allow too; what it gives to a group counts as what a bucket policy gives to everyone.

use minicbor::{Decode, Encode};

use super::principal::{Named, Subject, SubjectKind};

/// Grants of one ACL at most, as AWS.
pub const ACL_GRANTS_MAX: usize = 100;

/// The canonical id that owns what nobody signed (S3 user guide, "Object owner").
pub const ANONYMOUS_ID: &str = "65a011a29cdf8ec533ec3d1ccaae921c";
/// The canonical id that `aws-exec-read` grants to: Amazon EC2 as it reads images (EC2 user guide, `za-team`).
pub const EXEC_READ_ID: &str = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c";
/// Who delivers access logs.
const LOG_SERVICE: &str = "logging.s3.amazonaws.com";

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Permission {
    /// All of the others.
    #[n(0)]
    FullControl,
    /// Of a bucket: to list it. Of an object: to read it.
    #[n(1)]
    Read,
    /// Of a bucket: to put objects into it.
    #[n(2)]
    Write,
    /// To read the ACL.
    #[n(3)]
    ReadAcp,
    /// To write the ACL.
    #[n(4)]
    WriteAcp,
}

/// Predefined groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Group {
    /// Everyone, signed or not.
    #[n(0)]
    AllUsers,
    /// Everyone who signs.
    #[n(1)]
    AuthenticatedUsers,
    /// The service that delivers access logs.
    #[n(2)]
    LogDelivery,
}

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Grantee {
    /// The account of a canonical id.
    #[n(0)]
    Account(#[n(0)] String),
    /// A group.
    #[n(1)]
    Group(#[n(0)] Group),
}

/// One entry of an ACL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode)]
pub struct AclGrant {
    /// Whom.
    #[n(0)]
    pub grantee: Grantee,
    /// What.
    #[n(1)]
    pub permission: Permission,
}

/// An access control list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Acl {
    /// In the order that they were given in.
    #[n(0)]
    pub grants: Vec<AclGrant>,
}

/// ACLs that a request names instead of spelling them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannedAcl {
    /// Full control for the owner alone.
    Private,
    /// Everyone may read.
    PublicRead,
    /// Everyone may read and write.
    PublicReadWrite,
    /// Everyone who signs may read.
    AuthenticatedRead,
    /// Amazon EC2 may read.
    AwsExecRead,
    /// Of an object: the bucket's owner may read.
    BucketOwnerRead,
    /// Of an object: full control for the bucket's owner too.
    BucketOwnerFullControl,
    /// Of a bucket: logs may be delivered to it.
    LogDeliveryWrite,
}

/// What a request does, as far as ACLs speak of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AclScope {
    /// Something with the bucket: its ACL decides.
    #[default]
    Bucket,
    /// It writes or deletes an object: the bucket's ACL decides.
    Write {
        /// Nothing is there that belongs to another account than the caller's: a grant to write is one to make objects,
        /// and to replace and delete one's own.
        free: bool,
    },
    /// Something with an object that exists: its ACL decides.
    Object,
    /// It goes on with an upload that the caller's account began, or drops it: whoever began it may, whatever ACL there
    /// is.
    OwnUpload,
}

/// What of ACLs stands before a bucket or object. The default says nothing, as where a bucket has ACLs off.
#[derive(Debug, Clone, Copy, Default)]
pub struct Acls<'a> {
    /// The one that decides. None: private, which says no more than that the owner's account may.
    pub acl: Option<&'a Acl>,
    /// What it is asked.
    pub scope: AclScope,
    /// What is granted to everyone does not count ([`super::PublicAccessBlock::ignore_public_acls`]).
    pub ignore_public: bool,
    /// The account that owns the object, where that is not the bucket's owner: then that account's policies and the
    /// object's ACL allow, and of the bucket's policy only what it denies counts.
    pub other_owner: Option<&'a str>,
}

impl Permission {
    /// All of them, with AWS's names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::FullControl, "FULL_CONTROL"),
        (Self::Read, "READ"),
        (Self::Write, "WRITE"),
        (Self::ReadAcp, "READ_ACP"),
        (Self::WriteAcp, "WRITE_ACP"),
    ];

    /// AWS's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(permission, _)| *permission == self).map_or("", |(_, name)| name)
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(permission, _)| *permission)
    }

    /// Whether it gives an action (S3 user guide, "Mapping of ACL permissions and access policy permissions").
    fn gives(self, scope: AclScope, action: &str) -> bool {
        let needed: &[Self] = match (scope, action) {
            (AclScope::Bucket, "s3:ListBucket" | "s3:ListBucketVersions" | "s3:ListBucketMultipartUploads") => {
                &[Self::Read]
            }
            (AclScope::Bucket, "s3:GetBucketAcl") => &[Self::ReadAcp],
            (AclScope::Bucket, "s3:PutBucketAcl") => &[Self::WriteAcp],
            // A new object brings its ACL.
            (AclScope::Write { free: true }, "s3:PutObject" | "s3:PutObjectAcl" | "s3:DeleteObject") => &[Self::Write],
            (AclScope::Object, "s3:GetObject" | "s3:GetObjectVersion") => &[Self::Read],
            (AclScope::Object, "s3:GetObjectAcl" | "s3:GetObjectVersionAcl") => &[Self::ReadAcp],
            (AclScope::Object, "s3:PutObjectAcl" | "s3:PutObjectVersionAcl") => &[Self::WriteAcp],
            _ => &[],
        };
        needed.contains(&self) || (self == Self::FullControl && !needed.is_empty())
    }
}

impl Group {
    /// All of them, with their URIs.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::AllUsers, "http://acs.amazonaws.com/groups/global/AllUsers"),
        (Self::AuthenticatedUsers, "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"),
        (Self::LogDelivery, "http://acs.amazonaws.com/groups/s3/LogDelivery"),
    ];

    /// Its URI.
    pub fn uri(self) -> &'static str {
        Self::ALL.iter().find(|(group, _)| *group == self).map_or("", |(_, uri)| uri)
    }

    /// By its URI.
    pub fn parse(uri: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == uri).map(|(group, _)| *group)
    }
}

impl Grantee {
    /// Whether it is the subject, and how far the subject's own policies matter beside.
    fn names(&self, subject: &Subject<'_>) -> Option<Named> {
        let yes = |is, named| if is { Some(named) } else { None };
        let anonymous = subject.kind == SubjectKind::Anonymous;
        match self {
            Self::Account(id) if anonymous => yes(id == ANONYMOUS_ID, Named::Directly),
            Self::Account(id) => yes(!id.is_empty() && id == subject.canonical_id, Named::ByAccount),
            Self::Group(Group::AllUsers) => Some(Named::Directly),
            Self::Group(Group::AuthenticatedUsers) => yes(!anonymous, Named::Directly),
            Self::Group(Group::LogDelivery) => {
                yes(subject.kind == SubjectKind::Service { name: LOG_SERVICE }, Named::Directly)
            }
        }
    }

    /// Everyone, or everyone who signs: what AWS calls public.
    fn is_public(&self) -> bool {
        matches!(self, Self::Group(Group::AllUsers | Group::AuthenticatedUsers))
    }
}

impl AclGrant {
    /// A grant to an account.
    pub fn account(canonical_id: &str, permission: Permission) -> Self {
        Self { grantee: Grantee::Account(canonical_id.to_owned()), permission }
    }

    /// A grant to a group.
    pub fn group(group: Group, permission: Permission) -> Self {
        Self { grantee: Grantee::Group(group), permission }
    }
}

impl Acl {
    /// Full control for the owner alone.
    pub fn private(owner: &str) -> Self {
        Self { grants: vec![AclGrant::account(owner, Permission::FullControl)] }
    }

    /// Whether S3 calls it public (S3 user guide, "The meaning of public").
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| grant.grantee.is_public())
    }

    /// Whether it gives full control to the account of this canonical id and nothing to anyone else.
    pub fn is_of_alone(&self, owner: &str) -> bool {
        let of_owner = |grant: &AclGrant| *grant == AclGrant::account(owner, Permission::FullControl);
        !self.grants.is_empty() && self.grants.iter().all(of_owner)
    }

    /// Whether it grants anything to anyone but the account of this canonical id.
    pub fn grants_to_others(&self, owner: &str) -> bool {
        self.grants.iter().any(|grant| grant.grantee != Grantee::Account(owner.to_owned()))
    }
}

impl CannedAcl {
    /// All of them, with AWS's names.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Private, "private"),
        (Self::PublicRead, "public-read"),
        (Self::PublicReadWrite, "public-read-write"),
        (Self::AuthenticatedRead, "authenticated-read"),
        (Self::AwsExecRead, "aws-exec-read"),
        (Self::BucketOwnerRead, "bucket-owner-read"),
        (Self::BucketOwnerFullControl, "bucket-owner-full-control"),
        (Self::LogDeliveryWrite, "log-delivery-write"),
    ];

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(canned, _)| *canned)
    }

    /// What it says (S3 user guide, "Canned ACL"), for `owner` of a bucket, or of an object in the bucket of
    /// `bucket_owner`: canonical ids. Of a bucket, and where both are one, what is for the bucket's owner says nothing.
    pub fn acl(self, owner: &str, bucket_owner: &str) -> Acl {
        let mut acl = Acl::private(owner);
        let mut add = |grant| acl.grants.push(grant);
        match self {
            Self::Private => {}
            Self::PublicRead => add(AclGrant::group(Group::AllUsers, Permission::Read)),
            Self::PublicReadWrite => {
                add(AclGrant::group(Group::AllUsers, Permission::Read));
                add(AclGrant::group(Group::AllUsers, Permission::Write));
            }
            Self::AuthenticatedRead => add(AclGrant::group(Group::AuthenticatedUsers, Permission::Read)),
            Self::AwsExecRead => add(AclGrant::account(EXEC_READ_ID, Permission::Read)),
            Self::BucketOwnerRead if owner != bucket_owner => add(AclGrant::account(bucket_owner, Permission::Read)),
            Self::BucketOwnerFullControl if owner != bucket_owner => {
                add(AclGrant::account(bucket_owner, Permission::FullControl));
            }
            Self::BucketOwnerRead | Self::BucketOwnerFullControl => {}
            Self::LogDeliveryWrite => {
                add(AclGrant::group(Group::LogDelivery, Permission::Write));
                add(AclGrant::group(Group::LogDelivery, Permission::ReadAcp));
            }
        }
        acl
    }
}

impl Acls<'_> {
    /// How these let the subject do `action`, with the place of the grant.
    pub(super) fn allow(&self, subject: &Subject<'_>, action: &str) -> Option<(Named, usize)> {
        if self.scope == AclScope::OwnUpload {
            let continues = matches!(action, "s3:AbortMultipartUpload" | "s3:ListMultipartUploadParts");
            return continues.then_some((Named::ByAccount, 0));
        }
        let granted = self.acl?.grants.iter().enumerate().filter_map(|(index, grant)| {
            let counts = !(self.ignore_public && grant.grantee.is_public());
            let gives = counts && grant.permission.gives(self.scope, action);
            if gives { Some((grant.grantee.names(subject)?, index)) } else { None }
        });
        granted.max_by_key(|(named, index)| (*named, std::cmp::Reverse(*index)))
    }
}

#[cfg(test)]
mod tests;
