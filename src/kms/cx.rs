//! What an operation works with: the caller, the Region, the key module, and grants asked for one by one.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use super::error::{KmsError, Refusal};
use super::shapes::UsedKey;
use super::table::Row;
use crate::audit::EventResource;
use crate::auth::{Access, Directory, Grant};
use crate::keyring::{Call, KeyRing, KeyringError, ResolvedKey, Told, Use, authorize_without_key};
use crate::names::{AccountId, Region};
use crate::wire::lower_camel;

/// One call.
pub(super) struct Cx<'a> {
    pub(super) keyring: &'a KeyRing,
    pub(super) access: &'a Access,
    /// The caller's.
    pub(super) account: &'a AccountId,
    /// The call's, from its credential scope.
    pub(super) region: &'a Region,
    pub(super) row: &'static Row,
    /// How it appears in the trail.
    pub(super) call: Call,
    /// The Regions that are served.
    pub(super) regions: &'a [Region],
    /// Who there is, for policies that name them.
    pub(super) directory: &'a Directory,
    found: Mutex<Vec<EventResource>>,
}

/// A key that was found, with leave to do an operation with it.
pub(super) struct Granted {
    pub(super) key: ResolvedKey,
    pub(super) grant: Grant,
}

impl Granted {
    pub(super) fn usage(&self, cx: &Cx<'_>, dry_run: bool) -> Use<'_> {
        Use { grant: &self.grant, key: &self.key, call: cx.call.clone(), dry_run }
    }

    /// The key's ARN, which is the `KeyId` of most answers.
    pub(super) fn arn(&self) -> Value {
        self.key.metadata.arn.as_str().into()
    }
}

impl<'a> Cx<'a> {
    pub(super) fn new(
        keyring: &'a KeyRing,
        access: &'a Access,
        account: &'a AccountId,
        row: &'static Row,
        call: Call,
        (regions, directory): (&'a [Region], &'a Directory),
    ) -> Self {
        let region = &access.facts().region;
        Self { keyring, access, account, region, row, call, regions, directory, found: Mutex::default() }
    }

    /// Finds a key by any of its four names.
    pub(super) async fn resolve(&self, key: &str) -> Result<ResolvedKey, Refusal> {
        self.resolve_for(key, self.row.action).await
    }

    /// As [`Self::resolve`], for an action that is not the row's.
    pub(super) async fn resolve_for(&self, key: &str, action: &str) -> Result<ResolvedKey, Refusal> {
        let key = (key, self.row.reach);
        let found = self.keyring.resolve_for(self.access, self.account, self.region, key, action).await;
        self.note(found)
    }

    /// Finds a key by id or ARN only, as the calls do that manage it.
    pub(super) async fn resolve_managed(&self, key: &str) -> Result<ResolvedKey, Refusal> {
        let (account, region, action) = (self.account, self.region, self.row.action);
        let key = (key, self.row.reach);
        self.note(self.keyring.resolve_managed(self.access, account, region, key, action).await)
    }

    /// Finds the key that sealed a ciphertext.
    pub(super) async fn resolve_ciphertext(&self, ciphertext: &[u8]) -> Result<ResolvedKey, Refusal> {
        self.note(self.keyring.resolve_ciphertext(self.account, self.region, ciphertext).await)
    }

    /// Leave to do `action` with a key.
    pub(super) async fn grant(
        &self,
        action: &'static str,
        key: &ResolvedKey,
        told: &Told<'_>,
    ) -> Result<Grant, Refusal> {
        Ok(self.keyring.authorize(self.access, action, key, told).await.map_err(KmsError::from)?)
    }

    /// Leave to do `action` in the caller's account, on what `arn` names, which is no key.
    pub(super) fn grant_on(&self, action: &'static str, arn: &str) -> Result<Grant, Refusal> {
        self.grant_on_telling(action, arn, &Told::default())
    }

    /// As [`Self::grant_on`], of a call that tells policies something of itself.
    pub(super) fn grant_on_telling(&self, action: &'static str, arn: &str, told: &Told<'_>) -> Result<Grant, Refusal> {
        Ok(authorize_without_key(self.access, action, arn, self.account, told)?)
    }

    /// The key that the row's operation is to use, with leave to.
    pub(super) async fn used(&self, named: &UsedKey) -> Result<Granted, Refusal> {
        self.used_telling(named, Told::default()).await
    }

    /// As [`Self::used`], of a call that tells policies something of itself.
    pub(super) async fn used_telling(&self, named: &UsedKey, told: Told<'_>) -> Result<Granted, Refusal> {
        let key = self.resolve(&named.key_id).await?;
        let told = Told { alias: alias_in(&named.key_id), ..told };
        Ok(Granted { grant: self.grant(self.row.action, &key, &told).await?, key })
    }

    /// The key that the row's operation is to manage, named by id or ARN, with leave to.
    pub(super) async fn managed(&self, key_id: &str) -> Result<Granted, Refusal> {
        self.managed_telling(key_id, Told::default()).await
    }

    /// As [`Self::managed`], of a call that tells policies something of itself.
    pub(super) async fn managed_telling(&self, key_id: &str, told: Told<'_>) -> Result<Granted, Refusal> {
        let key = self.resolve_managed(key_id).await?;
        Ok(Granted { grant: self.grant(self.row.action, &key, &told).await?, key })
    }

    /// The first of these principals that there is not.
    pub(super) async fn first_unknown<'n>(
        &self,
        named: impl IntoIterator<Item = &'n str> + Send,
    ) -> Result<Option<String>, KmsError> {
        self.directory.first_unknown(named).await.map_err(|cause| KmsError::from(KeyringError::Internal(cause)))
    }

    /// Refuses a call with a token that this store never gave out. Grants are in force without: see
    /// [`KeyRing::grant_of_token`].
    pub(super) fn check_grant_tokens(&self, tokens: &[String]) -> Result<(), KmsError> {
        Ok(tokens.iter().try_for_each(|token| self.keyring.grant_of_token(token).map(drop))?)
    }

    /// The keys that were found so far, for the record of a refusal.
    pub(super) fn found(&self) -> Vec<EventResource> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, found: Result<ResolvedKey, KeyringError>) -> Result<ResolvedKey, Refusal> {
        let key = found.map_err(KmsError::from)?;
        if key.metadata.account != *self.account {
            // Whether another account has such a key is not for the caller's trail unless it may be used.
            return Ok(key);
        }
        let resource = EventResource {
            account: Some(key.metadata.account.clone()),
            kind: "AWS::KMS::Key",
            arn: key.metadata.arn.clone(),
        };
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&resource) {
            all.push(resource);
        }
        Ok(key)
    }
}

/// The alias by which a call names a key, if it does: `kms:RequestAlias`.
pub(super) fn alias_in(key: &str) -> Option<&str> {
    let resource = if key.starts_with("arn:") { key.splitn(6, ':').nth(5)? } else { key };
    resource.starts_with("alias/").then_some(resource)
}

/// Members that the trail shows. All others (plaintexts, ciphertexts, tokens, markers, attestation documents) it never
/// shows: a member has to be named here to be written down.
const SHOWN: &[&str] = &[
    "AliasName",
    "BypassPolicyLockoutSafetyCheck",
    "CloudHsmClusterId",
    "Constraints",
    "CustomKeyStoreId",
    "CustomKeyStoreName",
    "CustomKeyStoreType",
    "CustomerMasterKeySpec",
    "Description",
    "DestinationEncryptionAlgorithm",
    "DestinationEncryptionContext",
    "DestinationKeyId",
    "DryRun",
    "DryRunModifiers",
    "EncapsulationAlgorithm",
    "EncryptionAlgorithm",
    "EncryptionContext",
    "ExpirationModel",
    "GrantId",
    "GranteePrincipal",
    "GranteeServicePrincipal",
    "ImportType",
    "IncludeKeyMaterial",
    "KeyAgreementAlgorithm",
    "KeyId",
    "KeyMaterialDescription",
    "KeyMaterialId",
    "KeyPairSpec",
    "KeySpec",
    "KeyUsage",
    "Limit",
    "MacAlgorithm",
    "MessageType",
    "MultiRegion",
    "Name",
    "NewCustomKeyStoreName",
    "NumberOfBytes",
    "Operations",
    "Origin",
    "PendingWindowInDays",
    "Policy",
    "PolicyName",
    "PrimaryRegion",
    "ReplicaRegion",
    "RetiringPrincipal",
    "RetiringServicePrincipal",
    "RotationPeriodInDays",
    "SigningAlgorithm",
    "SourceEncryptionAlgorithm",
    "SourceEncryptionContext",
    "SourceKeyId",
    "TagKeys",
    "Tags",
    "TargetKeyId",
    "TrustAnchorCertificate",
    "ValidTo",
    "WrappingAlgorithm",
    "WrappingKeySpec",
    "XksKeyId",
    "XksProxyConnectivity",
    "XksProxyUriEndpoint",
    "XksProxyUriPath",
    "XksProxyVpcEndpointServiceName",
    "XksProxyVpcEndpointServiceOwner",
];

/// Members of `Constraints` that the trail shows.
const SHOWN_CONSTRAINTS: &[&str] = &["EncryptionContextEquals", "EncryptionContextSubset", "SourceArn"];

/// A member whose JSON is longer, in bytes, is not written down: it is over every limit of the API.
const SHOWN_MAX_BYTES: usize = 32 * 1024;

/// `requestParameters` of a call.
pub(super) fn shown_parameters(row: &Row, members: &Map<String, Value>) -> Value {
    let mut shown: Map<String, Value> = members
        .iter()
        .filter(|(name, value)| SHOWN.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| {
            let too_long = value.to_string().len() > SHOWN_MAX_BYTES;
            let value = match value {
                _ if too_long => "(too long)".into(),
                Value::Object(parts) if name == "Constraints" => {
                    let parts = parts.iter().filter(|(name, _)| SHOWN_CONSTRAINTS.contains(&name.as_str()));
                    parts.map(|(name, part)| (lower_camel(name), part.clone())).collect()
                }
                value => value.clone(),
            };
            (lower_camel(name), value)
        })
        .collect();
    // AWS logs the algorithm whether it was sent or not.
    let algorithms: &[&str] = match row.name {
        "Encrypt" | "Decrypt" => &["encryptionAlgorithm"],
        "ReEncrypt" => &["sourceEncryptionAlgorithm", "destinationEncryptionAlgorithm"],
        _ => &[],
    };
    for algorithm in algorithms {
        shown.entry(*algorithm).or_insert_with(|| "SYMMETRIC_DEFAULT".into());
    }
    if shown.is_empty() { Value::Null } else { shown.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kms::table::find;

    #[test]
    fn secrets_are_never_shown() {
        let body = json!({
            "KeyId": "alias/x", "Plaintext": "c2VjcmV0", "CiphertextBlob": "c2VjcmV0", "GrantTokens": ["c2VjcmV0"],
            "Marker": "c2VjcmV0", "Recipient": { "AttestationDocument": "c2VjcmV0" }, "Message": "c2VjcmV0",
            "Unheard": "c2VjcmV0", "DryRun": null, "EncryptionContext": { "a": "b" }
        });
        let Value::Object(members) = body else { unreachable!("an object was written above") };
        let shown = shown_parameters(find("TrentService.Encrypt").unwrap(), &members);
        let expected = json!({
            "keyId": "alias/x", "encryptionContext": { "a": "b" }, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"
        });
        assert_eq!(shown, expected);
    }
}
