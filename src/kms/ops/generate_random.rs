//! GenerateRandom: random bytes, of this program or of a custom key store's token; no key is involved.

use super::check_recipient;
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::key_stores::KEY_STORE_ID_CHARS;
use crate::kms::reply::Reply;

pub(in crate::kms) struct Input {
    bytes: Option<u32>,
    key_store: Option<String>,
    recipient: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            bytes: fields.number("NumberOfBytes", 1..=1024),
            key_store: fields.text("CustomKeyStoreId", KEY_STORE_ID_CHARS),
            recipient: fields.has("Recipient"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_recipient(input.recipient)?;
    let Some(bytes) = input.bytes else {
        return Err(KmsError::validation("NumberOfBytes is required.").into());
    };
    let grant = cx.grant_on("kms:GenerateRandom", "*")?;
    let random = match &input.key_store {
        None => cx.keyring.generate_random(&grant, &cx.call, bytes as usize).await,
        Some(store) => cx.keyring.generate_random_in_store(&grant, &cx.call, store, bytes as usize).await,
    };
    Ok(Reply::empty().with_secret("Plaintext", random.map_err(Refusal::recorded)?))
}
