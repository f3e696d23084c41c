//! Signature Version 4 (and presigned Version 2), pure: bytes, keys and the time are given.
