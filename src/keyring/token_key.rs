//! What tokens that clients hold are sealed under: keys derived from the epoch keys of the index.
//!
//! The Box of a token names its epoch. Epochs outlive restarts and rotations of the store key, so a token is good over
//! both; each process seals under its own epoch, so a key that leaked with an old copy of the index makes and opens no
//! later tokens.

use crate::crypto::{BoxHeader, Context, Generation, SealBox, SecretBytes, SecretKey, open_box, parse_box, seal_box};
use crate::index::RowSealer;
use crate::sources::Sources;

/// A kind of tokens. Frozen as long as tokens of it are out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenKind {
    /// Parts the keys of the kinds from one another.
    pub(crate) key_label: &'static [u8],
    /// The label of the Boxes.
    pub(crate) label: &'static str,
    /// The key id in the header of the Boxes.
    pub(crate) key_id: &'static [u8],
}

/// The key of one epoch's tokens of one kind.
pub(crate) struct TokenKey {
    kind: TokenKind,
    key: SecretKey,
    epoch: u32,
}

impl TokenKey {
    /// For tokens made now.
    pub(crate) fn current(sealer: &RowSealer, kind: TokenKind) -> Self {
        let epoch = sealer.current_epoch();
        let key = sealer.derive(epoch, kind.key_label).expect("no epoch is ever dropped");
        Self { kind, key, epoch }
    }

    /// For a token that was made earlier; none for what is no token or from no epoch of this store.
    pub(crate) fn of(sealer: &RowSealer, kind: TokenKind, token: &[u8]) -> Option<Self> {
        let header = parse_box(token).ok()?;
        let (epoch, _) = header.generation.split_first_chunk().expect("a generation is longer than an epoch");
        let epoch = u32::from_be_bytes(*epoch);
        Some(Self { kind, key: sealer.derive(epoch, kind.key_label)?, epoch })
    }

    pub(crate) fn seal(&self, context: &Context, plain: &[u8], sources: &Sources) -> Vec<u8> {
        // The epoch stands in the header, which authenticates it.
        let mut generation = Generation::default();
        generation[..size_of::<u32>()].copy_from_slice(&self.epoch.to_be_bytes());
        let header = BoxHeader { key_id: self.kind.key_id.to_vec(), generation };
        let seal = SealBox { key: &self.key, label: self.kind.label, header: &header, context };
        seal_box(&seal, plain, sources)
    }

    pub(crate) fn open(&self, context: &Context, token: &[u8]) -> Option<SecretBytes> {
        open_box(&self.key, self.kind.label, context, token).ok()
    }

    #[cfg(test)]
    pub(crate) fn for_tests(kind: TokenKind, epoch: u32, sources: &Sources) -> Self {
        Self { kind, key: SecretKey::generate(sources), epoch }
    }
}
