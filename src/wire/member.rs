//! How AWS names members outside of the API itself.

/// `KeyId` → `keyId`: in the errors of the JSON protocols and in the trail.
pub fn lower_camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}
