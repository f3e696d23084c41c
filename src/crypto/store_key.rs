//! The store key, in generations: the newest seals, every live one opens. What it wraps are Boxes with the key id
//! `store` and the generation in the header, so that the key of each is picked at once.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{
    BoxHeader, Context, Generation, OpenError, SealBox, SecretBytes, SecretKey, hmac_sha256, open_box, parse_box,
    seal_box,
};
use crate::sources::Sources;

/// The key id in all Boxes under the store key. Frozen.
const KEY_ID: &[u8] = b"store";

/// One generation. Never changes; a rotation adds another.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct StoreKeyGeneration {
    key: SecretKey,
    generation: Generation,
}

/// A handle to all live generations; its clones see a rotation at once.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds secrets")]
pub struct StoreKey(Arc<ArcSwap<Vec<Arc<StoreKeyGeneration>>>>);

/// Why a Box under the store key did not open. The store is damaged or was put together from parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnwrapError {
    /// It is no Box.
    Format,
    /// No live generation sealed it.
    Generation,
    /// Changed bytes, another label or another context.
    Open,
}

impl UnwrapError {
    /// What is wrong, to be read after the name of the thing.
    pub fn text(self) -> &'static str {
        match self {
            Self::Format => "is no Box",
            Self::Generation => "is wrapped under an unknown generation of the store key",
            Self::Open => "does not open under the store key",
        }
    }
}

impl StoreKeyGeneration {
    /// Of its parts.
    pub fn new(key: SecretKey, generation: Generation) -> Self {
        Self { key, generation }
    }

    /// A new one.
    pub fn generate(sources: &Sources) -> Self {
        Self { key: SecretKey::generate(sources), generation: sources.random() }
    }

    /// Its tag.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The key itself, to be sealed to a root.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }
}

impl StoreKey {
    /// A key with one generation.
    pub fn new(key: SecretKey, generation: Generation) -> Self {
        Self::of_generations(vec![StoreKeyGeneration::new(key, generation)])
    }

    /// The last of `generations` seals. Panics if there is none: every maker has made or opened one.
    pub fn of_generations(generations: Vec<StoreKeyGeneration>) -> Self {
        assert!(!generations.is_empty(), "a store key has a generation");
        Self(Arc::new(ArcSwap::from_pointee(generations.into_iter().map(Arc::new).collect())))
    }

    /// The generations that are live now, oldest first.
    pub fn generations(&self) -> Arc<Vec<Arc<StoreKeyGeneration>>> {
        self.0.load_full()
    }

    /// The generation that seals.
    pub fn generation(&self) -> Generation {
        self.sealing().generation
    }

    /// From now on `next` seals, here and in all clones.
    pub fn advance(&self, next: Arc<StoreKeyGeneration>) {
        self.0.rcu(|live| live.iter().cloned().chain([Arc::clone(&next)]).collect::<Vec<_>>());
    }

    /// Drops all generations but the sealing one. What is still wrapped under one of them is lost.
    pub fn retire_older(&self) {
        self.0.rcu(|live| live.last().into_iter().cloned().collect::<Vec<_>>());
    }

    /// Wraps `plain`.
    pub fn wrap(&self, label: &str, context: &Context, plain: &[u8], sources: &Sources) -> Vec<u8> {
        let sealing = self.sealing();
        let header = BoxHeader { key_id: KEY_ID.to_vec(), generation: sealing.generation };
        seal_box(&SealBox { key: &sealing.key, label, header: &header, context }, plain, sources)
    }

    /// Unwraps what any live generation has wrapped.
    pub fn unwrap(&self, label: &str, context: &Context, sealed: &[u8]) -> Result<SecretBytes, UnwrapError> {
        let header = parse_box(sealed).map_err(|_| UnwrapError::Format)?;
        let live = self.0.load();
        let by = live.iter().find(|by| by.generation == header.generation).ok_or(UnwrapError::Generation)?;
        open_box(&by.key, label, context, sealed).map_err(|OpenError| UnwrapError::Open)
    }

    /// The same message under the sealing generation; `None` if it is wrapped under that one already.
    pub fn rewrap(
        &self,
        label: &str,
        context: &Context,
        sealed: &[u8],
        sources: &Sources,
    ) -> Result<Option<Vec<u8>>, UnwrapError> {
        let header = parse_box(sealed).map_err(|_| UnwrapError::Format)?;
        if header.generation == self.generation() {
            return Ok(None);
        }
        let plain = self.unwrap(label, context, sealed)?;
        Ok(Some(self.wrap(label, context, plain.expose(), sources)))
    }

    /// A key for one purpose, which changes when the store key does: not for what has to outlive a rotation.
    pub fn derive(&self, label: &[u8]) -> SecretKey {
        let bytes = SecretBytes::new(hmac_sha256(self.sealing().key.expose(), label).to_vec());
        SecretKey::from_slice(bytes.expose()).expect("HMAC-SHA256 has 32 bytes")
    }

    fn sealing(&self) -> Arc<StoreKeyGeneration> {
        Arc::clone(self.0.load().last().expect("there is always a sealing generation"))
    }

    /// A store key for tests of other layers; a real one is opened with a root.
    #[cfg(test)]
    pub(crate) fn for_tests(sources: &Sources) -> Self {
        Self::of_generations(vec![StoreKeyGeneration::generate(sources)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Timestamp;

    const LABEL: &str = "strongroom test v1";

    #[test]
    fn every_live_generation_opens_and_the_newest_seals() {
        let sources = Sources::seeded(1, Timestamp(0));
        let (key, context) = (StoreKey::for_tests(&sources), Context::new().with("a", "b"));
        let clone = key.clone();
        let old = key.wrap(LABEL, &context, b"old", &sources);
        assert_eq!(key.rewrap(LABEL, &context, &old, &sources), Ok(None));

        key.advance(Arc::new(StoreKeyGeneration::generate(&sources)));
        let new = clone.wrap(LABEL, &context, b"new", &sources);
        assert_ne!(parse_box(&old).unwrap().generation, parse_box(&new).unwrap().generation);
        let again = clone.rewrap(LABEL, &context, &old, &sources).unwrap().expect("it was under the old generation");
        for (sealed, plain) in [(&old, b"old"), (&new, b"new"), (&again, b"old")] {
            assert_eq!(key.unwrap(LABEL, &context, sealed).ok().unwrap().expose(), plain);
        }

        clone.retire_older();
        assert_eq!(key.unwrap(LABEL, &context, &old).err(), Some(UnwrapError::Generation));
        assert_eq!(key.unwrap(LABEL, &context, &again).ok().unwrap().expose(), b"old");
        assert_eq!(key.unwrap(LABEL, &Context::new(), &again).err(), Some(UnwrapError::Open));
        assert_eq!(key.unwrap(LABEL, &context, b"nonsense").err(), Some(UnwrapError::Format));
    }
}
