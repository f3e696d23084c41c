//! UpdateCustomKeyStore: changes what is given.

use crate::keyring::KeyStoreChange;
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::key_stores::{BackendMembers, NAME_CHARS, OneStore};
use crate::kms::reply::Reply;

pub(in crate::kms) struct Input {
    store: OneStore,
    name: Option<String>,
    backend: BackendMembers,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            store: OneStore::read(fields),
            name: fields.text("NewCustomKeyStoreName", NAME_CHARS),
            backend: BackendMembers::read(fields),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    input.backend.check_connectivity()?;
    let grant = cx.grant_on("kms:UpdateCustomKeyStore", "*")?;
    let BackendMembers { cluster_id, pin, endpoint, path, credential, connectivity: _, vpc_service: _ } = input.backend;
    let change = KeyStoreChange { name: input.name, endpoint, path, credential, cluster_id, pin };
    let updated = cx.keyring.update_key_store(&grant, &cx.call, &input.store.id, change).await;
    updated.map_err(Refusal::recorded)?;
    Ok(Reply::no_properties())
}
