//! GenerateDataKey: a data key in clear and sealed.

use super::{SYMMETRIC, check_recipient};
use crate::keyring::{DataKeySize, EncryptionContext, Told};
use crate::kms::cx::Cx;
use crate::kms::error::{KmsError, Refusal};
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, blob};
use crate::kms::shapes::UsedKey;

/// Also that of GenerateDataKeyWithoutPlaintext.
pub(in crate::kms) struct Input {
    pub(super) key: UsedKey,
    pub(super) context: EncryptionContext,
    spec: Option<&'static str>,
    bytes: Option<u32>,
    recipient: bool,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: UsedKey::read(fields),
            context: fields.context("EncryptionContext"),
            spec: fields.word("KeySpec", &["AES_256", "AES_128"]),
            bytes: fields.number("NumberOfBytes", 1..=1024),
            recipient: fields.has("Recipient"),
        }
    }

    /// The data key's size, given in one of two ways.
    pub(super) fn size(&self) -> Result<DataKeySize, KmsError> {
        check_recipient(self.recipient)?;
        match (self.spec, self.bytes) {
            (Some("AES_128"), None) => Ok(DataKeySize::Aes128),
            (Some(_), None) => Ok(DataKeySize::Aes256),
            (None, Some(bytes)) => Ok(DataKeySize::Bytes(bytes as usize)),
            (Some(_), Some(_)) | (None, None) => {
                Err(KmsError::validation("Please specify either number of bytes or key spec."))
            }
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let size = input.size()?;
    let found = cx.used_telling(&input.key, Told::sealing(&[SYMMETRIC], &input.context)).await?;
    let usage = found.usage(cx, input.key.dry_run);
    let made = cx.keyring.generate(&usage, &input.context, size).await.map_err(Refusal::recorded)?;
    let reply = Reply::of([
        ("CiphertextBlob", blob(&made.ciphertext)),
        ("KeyId", found.arn()),
        ("KeyMaterialId", made.material_id.into()),
    ]);
    Ok(reply.with_secret("Plaintext", made.plaintext))
}
