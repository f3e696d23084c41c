//! Ids of CloudHSM clusters, under which PKCS#11 tokens are known.

/// Whether `text` has the form of the service model's `CloudHsmClusterId`: `cluster-` and 11 to 16 letters or digits
/// from 2 to 7.
pub fn is_cluster_id(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(&b);
    text.strip_prefix("cluster-").is_some_and(|id| (11..=16).contains(&id.len()) && id.bytes().all(legal))
}

#[cfg(test)]
mod tests {
    use super::is_cluster_id;

    #[test]
    fn forms() {
        assert!(is_cluster_id("cluster-abcDEF23456") && is_cluster_id("cluster-2222222222222222"));
        for bad in ["cluster-abcdef2345", "cluster-22222222222222222", "cluster-abcdef234581", "abcdefghijklmnop", ""] {
            assert!(!is_cluster_id(bad), "{bad}");
        }
    }
}
