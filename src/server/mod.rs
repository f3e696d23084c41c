//! Listeners, TLS, limits, request ids, drain; picks the protocol.
