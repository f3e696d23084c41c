//! What the index keeps of objects.

/// Where the bytes of an object are.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub(crate) struct Content {
    /// Id of the content: shared by copies, counted in `RefCount`.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) id: Vec<u8>,
}
