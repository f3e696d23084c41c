//! The condition keys that policies may name.

/// What a key's name looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The whole name: `aws:SourceIp`.
    Whole,
    /// A beginning, followed by a name of the writer's choice: `aws:ResourceTag/` and a tag's key.
    With,
}

macro_rules! keys {
    ($($variant:ident $form:ident $name:literal)*) => {
        /// A condition key. Those that end in `/` or `:` take a parameter: `aws:ResourceTag/` a tag's key,
        /// `kms:EncryptionContext:` a key of the encryption context.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Key {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// A claim of an OpenID Connect token, e.g. `token.actions.githubusercontent.com:sub`. The parameter is
            /// the whole name.
            WebIdentityClaim,
        }

        const KEYS: &[(Key, Form, &str)] = &[$((Key::$variant, Form::$form, $name),)*];
    };
}

keys! {
    AwsAssumedRoot Whole "aws:AssumedRoot"
    AwsCalledVia Whole "aws:CalledVia"
    AwsCalledViaFirst Whole "aws:CalledViaFirst"
    AwsCalledViaLast Whole "aws:CalledViaLast"
    AwsCurrentTime Whole "aws:CurrentTime"
    AwsEc2InstanceSourcePrivateIPv4 Whole "aws:Ec2InstanceSourcePrivateIPv4"
    AwsEc2InstanceSourceVpc Whole "aws:Ec2InstanceSourceVpc"
    AwsEpochTime Whole "aws:EpochTime"
    AwsFederatedProvider Whole "aws:FederatedProvider"
    AwsMultiFactorAuthAge Whole "aws:MultiFactorAuthAge"
    AwsMultiFactorAuthPresent Whole "aws:MultiFactorAuthPresent"
    AwsPrincipalAccount Whole "aws:PrincipalAccount"
    AwsPrincipalArn Whole "aws:PrincipalArn"
    AwsPrincipalIsAwsService Whole "aws:PrincipalIsAWSService"
    AwsPrincipalOrgId Whole "aws:PrincipalOrgID"
    AwsPrincipalOrgPaths Whole "aws:PrincipalOrgPaths"
    AwsPrincipalServiceName Whole "aws:PrincipalServiceName"
    AwsPrincipalServiceNamesList Whole "aws:PrincipalServiceNamesList"
    AwsPrincipalTag With "aws:PrincipalTag/"
    AwsPrincipalType Whole "aws:PrincipalType"
    AwsReferer Whole "aws:Referer"
    AwsRequestedRegion Whole "aws:RequestedRegion"
    AwsRequestTag With "aws:RequestTag/"
    AwsResourceAccount Whole "aws:ResourceAccount"
    AwsResourceOrgId Whole "aws:ResourceOrgID"
    AwsResourceOrgPaths Whole "aws:ResourceOrgPaths"
    AwsResourceTag With "aws:ResourceTag/"
    AwsSecureTransport Whole "aws:SecureTransport"
    AwsSourceAccount Whole "aws:SourceAccount"
    AwsSourceArn Whole "aws:SourceArn"
    AwsSourceIdentity Whole "aws:SourceIdentity"
    AwsSourceIp Whole "aws:SourceIp"
    AwsSourceOrgId Whole "aws:SourceOrgID"
    AwsSourceOrgPaths Whole "aws:SourceOrgPaths"
    AwsSourceVpc Whole "aws:SourceVpc"
    AwsSourceVpcArn Whole "aws:SourceVpcArn"
    AwsSourceVpce Whole "aws:SourceVpce"
    AwsTagKeys Whole "aws:TagKeys"
    AwsTokenIssueTime Whole "aws:TokenIssueTime"
    AwsUserAgent Whole "aws:UserAgent"
    AwsUserId Whole "aws:userid"
    AwsUserName Whole "aws:username"
    AwsViaAwsService Whole "aws:ViaAWSService"
    AwsVpcSourceIp Whole "aws:VpcSourceIp"
    KmsBypassPolicyLockoutSafetyCheck Whole "kms:BypassPolicyLockoutSafetyCheck"
    KmsCallerAccount Whole "kms:CallerAccount"
    KmsCustomerMasterKeySpec Whole "kms:CustomerMasterKeySpec"
    KmsCustomerMasterKeyUsage Whole "kms:CustomerMasterKeyUsage"
    KmsDataKeyPairSpec Whole "kms:DataKeyPairSpec"
    KmsEncryptionAlgorithm Whole "kms:EncryptionAlgorithm"
    KmsEncryptionContext With "kms:EncryptionContext:"
    KmsEncryptionContextKeys Whole "kms:EncryptionContextKeys"
    KmsExpirationModel Whole "kms:ExpirationModel"
    KmsGrantConstraintSourceArn Whole "kms:GrantConstraintSourceArn"
    KmsGrantConstraintType Whole "kms:GrantConstraintType"
    KmsGranteePrincipal Whole "kms:GranteePrincipal"
    KmsGranteeServicePrincipal Whole "kms:GranteeServicePrincipal"
    KmsGrantIsForAwsResource Whole "kms:GrantIsForAWSResource"
    KmsGrantOperations Whole "kms:GrantOperations"
    KmsKeyAgreementAlgorithm Whole "kms:KeyAgreementAlgorithm"
    KmsKeyOrigin Whole "kms:KeyOrigin"
    KmsKeySpec Whole "kms:KeySpec"
    KmsKeyUsage Whole "kms:KeyUsage"
    KmsMacAlgorithm Whole "kms:MacAlgorithm"
    KmsMessageType Whole "kms:MessageType"
    KmsMultiRegion Whole "kms:MultiRegion"
    KmsMultiRegionKeyType Whole "kms:MultiRegionKeyType"
    KmsPolicyName Whole "kms:PolicyName"
    KmsPrimaryRegion Whole "kms:PrimaryRegion"
    KmsRecipientAttestation With "kms:RecipientAttestation:"
    KmsReEncryptOnSameKey Whole "kms:ReEncryptOnSameKey"
    KmsReplicaRegion Whole "kms:ReplicaRegion"
    KmsRequestAlias Whole "kms:RequestAlias"
    KmsResourceAliases Whole "kms:ResourceAliases"
    KmsRetiringPrincipal Whole "kms:RetiringPrincipal"
    KmsRetiringServicePrincipal Whole "kms:RetiringServicePrincipal"
    KmsRotationPeriodInDays Whole "kms:RotationPeriodInDays"
    KmsScheduleKeyDeletionPendingWindowInDays Whole "kms:ScheduleKeyDeletionPendingWindowInDays"
    KmsSigningAlgorithm Whole "kms:SigningAlgorithm"
    KmsValidTo Whole "kms:ValidTo"
    KmsViaService Whole "kms:ViaService"
    KmsWrappingAlgorithm Whole "kms:WrappingAlgorithm"
    KmsWrappingKeySpec Whole "kms:WrappingKeySpec"
    S3AccessGrantsInstanceArn Whole "s3:AccessGrantsInstanceArn"
    S3AccessPointNetworkOrigin Whole "s3:AccessPointNetworkOrigin"
    S3AuthType Whole "s3:authType"
    S3BucketTag With "s3:BucketTag/"
    S3CopySource Whole "s3:x-amz-copy-source"
    S3DataAccessPointAccount Whole "s3:DataAccessPointAccount"
    S3DataAccessPointArn Whole "s3:DataAccessPointArn"
    S3Delimiter Whole "s3:delimiter"
    S3ExistingObjectTag With "s3:ExistingObjectTag/"
    S3IfMatch Whole "s3:if-match"
    S3IfNoneMatch Whole "s3:if-none-match"
    S3InventoryAccessibleOptionalFields Whole "s3:InventoryAccessibleOptionalFields"
    S3LocationConstraint Whole "s3:LocationConstraint"
    S3MaxKeys Whole "s3:max-keys"
    S3ObjectCreationOperation Whole "s3:ObjectCreationOperation"
    S3ObjectLockLegalHold Whole "s3:object-lock-legal-hold"
    S3ObjectLockMode Whole "s3:object-lock-mode"
    S3ObjectLockRemainingRetentionDays Whole "s3:object-lock-remaining-retention-days"
    S3ObjectLockRetainUntilDate Whole "s3:object-lock-retain-until-date"
    S3Prefix Whole "s3:prefix"
    S3RequestObjectTag With "s3:RequestObjectTag/"
    S3RequestObjectTagKeys Whole "s3:RequestObjectTagKeys"
    S3ResourceAccount Whole "s3:ResourceAccount"
    S3SignatureAge Whole "s3:signatureAge"
    S3SignatureVersion Whole "s3:signatureversion"
    S3TlsVersion Whole "s3:TlsVersion"
    S3VersionId Whole "s3:VersionId"
    S3XAmzAcl Whole "s3:x-amz-acl"
    S3XAmzContentSha256 Whole "s3:x-amz-content-sha256"
    S3XAmzGrantFullControl Whole "s3:x-amz-grant-full-control"
    S3XAmzGrantRead Whole "s3:x-amz-grant-read"
    S3XAmzGrantReadAcp Whole "s3:x-amz-grant-read-acp"
    S3XAmzGrantWrite Whole "s3:x-amz-grant-write"
    S3XAmzGrantWriteAcp Whole "s3:x-amz-grant-write-acp"
    S3XAmzMetadataDirective Whole "s3:x-amz-metadata-directive"
    S3XAmzObjectOwnership Whole "s3:x-amz-object-ownership"
    S3XAmzServerSideEncryption Whole "s3:x-amz-server-side-encryption"
    S3XAmzServerSideEncryptionAwsKmsKeyId Whole "s3:x-amz-server-side-encryption-aws-kms-key-id"
    S3XAmzServerSideEncryptionCustomerAlgorithm Whole "s3:x-amz-server-side-encryption-customer-algorithm"
    S3XAmzStorageClass Whole "s3:x-amz-storage-class"
    S3XAmzWebsiteRedirectLocation Whole "s3:x-amz-website-redirect-location"
    StsAwsServiceName Whole "sts:AWSServiceName"
    StsDurationSeconds Whole "sts:DurationSeconds"
    StsExternalId Whole "sts:ExternalId"
    StsRoleSessionName Whole "sts:RoleSessionName"
    StsSourceIdentity Whole "sts:SourceIdentity"
    StsTransitiveTagKeys Whole "sts:TransitiveTagKeys"
    IamAssociatedResourceArn Whole "iam:AssociatedResourceArn"
    IamAwsServiceName Whole "iam:AWSServiceName"
    IamOrganizationsPolicyId Whole "iam:OrganizationsPolicyId"
    IamPassedToService Whole "iam:PassedToService"
    IamPermissionsBoundary Whole "iam:PermissionsBoundary"
    IamPolicyArn Whole "iam:PolicyARN"
    IamResourceTag With "iam:ResourceTag/"
}

impl Key {
    /// The name as AWS writes it; with its `/` or `:` if it takes a parameter, empty for a token's claim.
    pub fn name(self) -> &'static str {
        KEYS.iter().find(|(key, ..)| *key == self).map_or("", |(.., name)| name)
    }

    /// Finds the key that `written` names, and where its parameter begins. Letters of either case are the same, as in
    /// AWS; other look-alikes are not.
    pub(super) fn find(written: &str) -> Option<(Self, usize)> {
        for &(key, form, name) in KEYS {
            let beginning = written.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            if beginning && (form == Form::With) == (written.len() > name.len()) {
                return Some((key, name.len()));
            }
        }
        // An issuer is a host name and perhaps a port and a path, so that no service's prefix looks like it.
        let (issuer, claim) = written.rsplit_once(':')?;
        let host = issuer.split(['/', ':']).next().unwrap_or_default();
        let issuer = host.contains('.') || host.eq_ignore_ascii_case("localhost");
        (issuer && !claim.is_empty()).then_some((Self::WebIdentityClaim, 0))
    }
}

/// A set of keys.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeySet([u64; Self::WORDS]);

impl KeySet {
    const WORDS: usize = 4;

    pub(super) fn insert(&mut self, key: Key) {
        let (word, bit) = Self::place(key);
        self.0[word] |= bit;
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        let (word, bit) = Self::place(key);
        self.0[word] & bit != 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Key> {
        let all = KEYS.iter().map(|(key, ..)| *key).chain([Key::WebIdentityClaim]);
        all.filter(|key| self.contains(*key))
    }

    fn place(key: Key) -> (usize, u64) {
        (key as usize / 64, 1 << (key as usize % 64))
    }
}

// Every key has a bit: the claims of tokens come last.
const _: () = assert!((Key::WebIdentityClaim as usize) < 64 * KeySet::WORDS);

/// A key as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedKey {
    written: Box<str>,
    /// None if Strongroom knows no such key: then no request has it.
    key: Option<Key>,
    parameter: Box<str>,
}

impl NamedKey {
    pub(super) fn new(written: &str) -> Self {
        let found = Key::find(written);
        let parameter = found.map_or("", |(_, at)| &written[at..]).to_ascii_lowercase();
        Self { written: written.into(), key: found.map(|(key, _)| key), parameter: parameter.into() }
    }

    pub(super) fn written(&self) -> &str {
        &self.written
    }

    pub(super) fn key(&self) -> Option<Key> {
        self.key
    }

    /// In lower case, empty for keys that take none.
    pub(super) fn parameter(&self) -> &str {
        &self.parameter
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, KEYS, Key, KeySet, NamedKey};

    #[test]
    fn every_key_is_found_by_its_own_name_in_any_case() {
        for &(key, form, name) in KEYS {
            let parameter = if form == Form::With { "Team" } else { "" };
            for written in [format!("{name}{parameter}"), format!("{name}{parameter}").to_uppercase()] {
                let named = NamedKey::new(&written);
                assert_eq!((named.key(), named.written()), (Some(key), written.as_str()));
                assert_eq!(named.parameter(), parameter.to_lowercase());
            }
            assert_eq!(key.name(), name);
            assert_eq!(form == Form::With, name.ends_with(['/', ':']), "{name}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        for &(one, ..) in KEYS {
            let mut set = KeySet::default();
            set.insert(one);
            assert!(set.iter().eq([one]));
        }
    }

    #[test]
    fn what_is_no_key() {
        for written in [
            "",
            "aws:",
            "aws:SourceIp2",
            "aws:sourceıp",
            "aws:ResourceTag/",
            "s3:prefix/",
            "SourceIp",
            "x:y",
            "x/a.b:c",
        ] {
            assert_eq!(NamedKey::new(written).key(), None, "{written}");
        }
        for claim in ["Issuer.example.com/Pool:sub", "issuer.example.com:8443/a.b:aud", "localhost:8443:amr"] {
            let named = NamedKey::new(claim);
            let lower = claim.to_lowercase();
            assert_eq!((named.key(), named.parameter()), (Some(Key::WebIdentityClaim), lower.as_str()));
        }
    }
}
