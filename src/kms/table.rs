//! The operation table: every operation of the newest service model.

use futures_util::future::BoxFuture;

use super::cx::Cx;
use super::error::Refusal;
use super::input::Fields;
use super::ops;
use super::reply::Reply;
use crate::keyring::Reach;

/// One operation.
#[derive(Debug)]
pub(super) struct Row {
    /// AWS's name: of the target, the event and the metrics.
    pub(super) name: &'static str,
    /// The IAM action. ReEncrypt asks for two and the alias calls for one on each resource; those are named by their
    /// operations.
    pub(super) action: &'static str,
    /// Whose keys it can name ("Cross-account use" of the API's reference).
    pub(super) reach: Reach,
    pub(super) handler: Handler,
}

type Run = for<'a> fn(&'a Cx<'a>, Fields) -> BoxFuture<'a, Result<Reply, Refusal>>;

/// What is done for a row.
#[derive(Clone, Copy)]
pub(super) struct Handler(pub(super) Run);

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Run")
    }
}

macro_rules! run {
    ($name:literal, $op:ident) => {
        run!($name, $op, OwnAccount)
    };
    ($name:literal, $op:ident, $reach:ident) => {{
        fn handle<'a>(cx: &'a Cx<'a>, mut fields: Fields) -> BoxFuture<'a, Result<Reply, Refusal>> {
            Box::pin(async move {
                let input = ops::$op::Input::read(&mut fields);
                let grant_tokens = fields.take_grant_tokens();
                fields.finish()?;
                cx.check_grant_tokens(&grant_tokens)?;
                ops::$op::run(cx, input).await
            })
        }
        Row { name: $name, action: concat!("kms:", $name), reach: Reach::$reach, handler: Handler(handle) }
    }};
}

/// In the order of their names.
pub(super) static TABLE: [Row; 56] = [
    run!("CancelKeyDeletion", cancel_key_deletion),
    run!("ConnectCustomKeyStore", connect_custom_key_store, OwnAccount),
    run!("CreateAlias", create_alias),
    run!("CreateCustomKeyStore", create_custom_key_store, OwnAccount),
    run!("CreateGrant", create_grant, AnyAccount),
    run!("CreateKey", create_key),
    run!("Decapsulate", decapsulate, AnyAccount),
    run!("Decrypt", decrypt, AnyAccount),
    run!("DeleteAlias", delete_alias),
    run!("DeleteCustomKeyStore", delete_custom_key_store, OwnAccount),
    run!("DeleteImportedKeyMaterial", delete_imported_key_material),
    run!("DeriveSharedSecret", derive_shared_secret, AnyAccount),
    run!("DescribeCustomKeyStores", describe_custom_key_stores, OwnAccount),
    run!("DescribeKey", describe_key, AnyAccount),
    run!("DisableKey", disable_key),
    run!("DisableKeyRotation", disable_key_rotation),
    run!("DisconnectCustomKeyStore", disconnect_custom_key_store, OwnAccount),
    run!("EnableKey", enable_key),
    run!("EnableKeyRotation", enable_key_rotation),
    run!("Encapsulate", encapsulate, AnyAccount),
    run!("Encrypt", encrypt, AnyAccount),
    run!("GenerateDataKey", generate_data_key, AnyAccount),
    run!("GenerateDataKeyPair", generate_data_key_pair, AnyAccount),
    run!("GenerateDataKeyPairWithoutPlaintext", generate_data_key_pair_without_plaintext, AnyAccount),
    run!("GenerateDataKeyWithoutPlaintext", generate_data_key_without_plaintext, AnyAccount),
    run!("GenerateMac", generate_mac, AnyAccount),
    run!("GenerateRandom", generate_random),
    run!("GetKeyLastUsage", get_key_last_usage),
    run!("GetKeyPolicy", get_key_policy),
    run!("GetKeyRotationStatus", get_key_rotation_status, AnyAccount),
    run!("GetParametersForImport", get_parameters_for_import),
    run!("GetPublicKey", get_public_key, AnyAccount),
    run!("ImportKeyMaterial", import_key_material),
    run!("ListAliases", list_aliases),
    run!("ListGrants", list_grants, AnyAccount),
    run!("ListKeyPolicies", list_key_policies),
    run!("ListKeyRotations", list_key_rotations),
    run!("ListKeys", list_keys),
    run!("ListResourceTags", list_resource_tags),
    run!("ListRetirableGrants", list_retirable_grants),
    run!("PutKeyPolicy", put_key_policy),
    run!("ReEncrypt", re_encrypt, AnyAccount),
    run!("ReplicateKey", replicate_key),
    run!("RetireGrant", retire_grant, AnyAccount),
    run!("RevokeGrant", revoke_grant, AnyAccount),
    run!("RotateKeyOnDemand", rotate_key_on_demand),
    run!("ScheduleKeyDeletion", schedule_key_deletion),
    run!("Sign", sign, AnyAccount),
    run!("TagResource", tag_resource),
    run!("UntagResource", untag_resource),
    run!("UpdateAlias", update_alias),
    run!("UpdateCustomKeyStore", update_custom_key_store, OwnAccount),
    run!("UpdateKeyDescription", update_key_description),
    run!("UpdatePrimaryRegion", update_primary_region),
    run!("Verify", verify, AnyAccount),
    run!("VerifyMac", verify_mac, AnyAccount),
];

/// The row that `X-Amz-Target` names.
pub(super) fn find(target: &str) -> Option<&'static Row> {
    let name = target.strip_prefix("TrentService.")?;
    TABLE.binary_search_by_key(&name, |row| row.name).ok().map(|at| &TABLE[at])
}

#[cfg(test)]
mod tests {
    use super::{TABLE, find};

    #[test]
    fn sorted_and_found() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        for row in &TABLE {
            let found = find(&format!("TrentService.{}", row.name)).unwrap();
            assert_eq!(found.name, row.name);
            assert_eq!(found.action, format!("kms:{}", row.name));
        }
        for unknown in ["", "TrentService.", "TrentService.encrypt", "Encrypt", "DynamoDB_20120810.GetItem"] {
            assert!(find(unknown).is_none(), "{unknown}");
        }
    }
}
