//! GenerateRandom: random bytes; no key is involved.

use super::check_recipient;
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::Reply;

pub(in crate::kms) struct Input {
    bytes: Option<u32>,
    key_store: bool,
    recipient: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            bytes: fields.number("NumberOfBytes", 1..=1024),
            key_store: fields.has("CustomKeyStoreId"),
            recipient: fields.has("Recipient"),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    check_recipient(input.recipient)?;
    if input.key_store {
        return Err(KmsError::unsupported("Custom key stores are not supported yet.").into());
    }
    let Some(bytes) = input.bytes else {
        return Err(KmsError::validation("NumberOfBytes is required.").into());
    };
    let grant = cx.grant_on("kms:GenerateRandom", "*")?;
    let random = cx.keyring.generate_random(&grant, &cx.call, bytes as usize).await.map_err(Refusal::recorded)?;
    Ok(Reply::empty().with_secret("Plaintext", random))
}
