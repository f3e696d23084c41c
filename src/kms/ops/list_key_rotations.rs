//! ListKeyRotations: the generations of a key's material.

use serde_json::{Map, Value};

use crate::keyring::{Expiration, Rotation};
use crate::kms::cx::Cx;
use crate::kms::error::Refusal;
use crate::kms::input::Fields;
use crate::kms::reply::{Reply, epoch_seconds};
use crate::kms::shapes::{ManagedKey, Paging};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1000;
const INCLUDE: [&str; 2] = ["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"];

pub(in crate::kms) struct Input {
    key: ManagedKey,
    all: bool,
    paging: Paging,
}

impl Input {
    pub(in crate::kms) fn read(fields: &mut Fields) -> Self {
        Self {
            key: ManagedKey::read(fields),
            all: fields.word("IncludeKeyMaterial", &INCLUDE) == Some(INCLUDE[0]),
            paging: Paging::read(fields, LIMIT_DEFAULT, LIMIT_MAX),
        }
    }
}

pub(in crate::kms) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, Refusal> {
    let found = cx.managed(&input.key.key_id).await?;
    let paging = (input.paging.limit, input.paging.marker.as_deref());
    let page = cx.keyring.list_rotations(&found.grant, &cx.call, &found.key, input.all, paging).await;
    let key_id = &found.key.metadata.key_id;
    Ok(Reply::page("Rotations", page.map_err(Refusal::recorded)?, |rotation| render(key_id, &rotation)))
}

fn render(key_id: &str, rotation: &Rotation) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("KeyId", key_id.into());
    put("KeyMaterialId", rotation.material_id.as_str().into());
    put("KeyMaterialState", rotation.state.name().into());
    if let Some((at, kind)) = rotation.rotated {
        put("RotationDate", epoch_seconds(at));
        put("RotationType", kind.name().into());
    }
    if let Some(import) = &rotation.import {
        put("ImportState", if import.present { "IMPORTED" } else { "PENDING_IMPORT" }.into());
        if let Some(description) = &import.description {
            put("KeyMaterialDescription", description.as_str().into());
        }
        if let Some(expiration) = import.expiration {
            put("ExpirationModel", expiration.model().into());
        }
        if let Some(at) = import.expiration.and_then(Expiration::valid_to) {
            put("ValidTo", epoch_seconds(at));
        }
    }
    shown.into()
}
