//! What goes wrong with custom key stores, and what each caller is told of it.
//!
//! Texts and codes are those of the XKS proxy API specification, section "Error Codes": what a proxy answers has one
//! text, and a code that depends on what was being done. What a proxy says itself (`errorMessage`) goes to the log only.

use crate::keyring::KeyringError;

/// The names of AWS's exceptions that are about custom key stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreCode {
    /// `CloudHsmClusterInUseException`
    ClusterInUse,
    /// `CloudHsmClusterNotActiveException`
    ClusterNotActive,
    /// `CloudHsmClusterNotFoundException`
    ClusterNotFound,
    /// `CloudHsmClusterNotRelatedException`
    ClusterNotRelated,
    /// `CustomKeyStoreHasCMKsException`
    HasKeys,
    /// `CustomKeyStoreInvalidStateException`
    InvalidState,
    /// `CustomKeyStoreNameInUseException`
    NameInUse,
    /// `CustomKeyStoreNotFoundException`
    NotFound,
    /// `IncorrectTrustAnchorException`
    IncorrectTrustAnchor,
    /// `XksKeyAlreadyInUseException`
    KeyAlreadyInUse,
    /// `XksKeyInvalidConfigurationException`
    KeyInvalidConfiguration,
    /// `XksKeyNotFoundException`
    KeyNotFound,
    /// `XksProxyIncorrectAuthenticationCredentialException`
    ProxyCredential,
    /// `XksProxyInvalidConfigurationException`
    ProxyInvalidConfiguration,
    /// `XksProxyInvalidResponseException`
    ProxyInvalidResponse,
    /// `XksProxyUriInUseException`
    ProxyUriInUse,
    /// `XksProxyUriUnreachableException`
    ProxyUriUnreachable,
}

impl StoreCode {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClusterInUse => "CloudHsmClusterInUseException",
            Self::ClusterNotActive => "CloudHsmClusterNotActiveException",
            Self::ClusterNotFound => "CloudHsmClusterNotFoundException",
            Self::ClusterNotRelated => "CloudHsmClusterNotRelatedException",
            Self::HasKeys => "CustomKeyStoreHasCMKsException",
            Self::InvalidState => "CustomKeyStoreInvalidStateException",
            Self::NameInUse => "CustomKeyStoreNameInUseException",
            Self::NotFound => "CustomKeyStoreNotFoundException",
            Self::IncorrectTrustAnchor => "IncorrectTrustAnchorException",
            Self::KeyAlreadyInUse => "XksKeyAlreadyInUseException",
            Self::KeyInvalidConfiguration => "XksKeyInvalidConfigurationException",
            Self::KeyNotFound => "XksKeyNotFoundException",
            Self::ProxyCredential => "XksProxyIncorrectAuthenticationCredentialException",
            Self::ProxyInvalidConfiguration => "XksProxyInvalidConfigurationException",
            Self::ProxyInvalidResponse => "XksProxyInvalidResponseException",
            Self::ProxyUriInUse => "XksProxyUriInUseException",
            Self::ProxyUriUnreachable => "XksProxyUriUnreachableException",
        }
    }

    /// With a text for the client.
    pub(in crate::keyring) fn says(self, text: impl Into<String>) -> KeyringError {
        KeyringError::KeyStore { code: self, text: text.into() }
    }
}

/// `ConnectionErrorCode` of a store that could not be connected. Its numbers are part of the stored format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum ConnectionError {
    /// The proxy does not know the credential, or the token refuses the PIN.
    #[n(0)]
    InvalidCredentials,
    /// No token is configured under the cluster's id, or its module can't be loaded.
    #[n(1)]
    ClusterNotFound,
    /// There is no such token now.
    #[n(2)]
    InsufficientHsms,
    /// The PIN was wrong too often.
    #[n(3)]
    UserLockedOut,
    /// The token has no user PIN.
    #[n(4)]
    UserNotFound,
    /// None of the others.
    #[n(5)]
    Internal,
    /// The proxy does not authorize the request.
    #[n(6)]
    ProxyAccessDenied,
    /// Nobody answers, or nobody behind the proxy does.
    #[n(7)]
    ProxyNotReachable,
    /// The proxy's answer can't be understood.
    #[n(8)]
    ProxyInvalidResponse,
    /// The proxy does not know the path.
    #[n(9)]
    ProxyInvalidConfiguration,
    /// The proxy takes too long.
    #[n(10)]
    ProxyTimedOut,
    /// No TLS session.
    #[n(11)]
    ProxyInvalidTls,
    /// The token takes too long.
    #[n(12)]
    Network,
}

impl ConnectionError {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidCredentials => "INVALID_CREDENTIALS",
            Self::ClusterNotFound => "CLUSTER_NOT_FOUND",
            Self::InsufficientHsms => "INSUFFICIENT_CLOUDHSM_HSMS",
            Self::UserLockedOut => "USER_LOCKED_OUT",
            Self::UserNotFound => "USER_NOT_FOUND",
            Self::Internal => "INTERNAL_ERROR",
            Self::ProxyAccessDenied => "XKS_PROXY_ACCESS_DENIED",
            Self::ProxyNotReachable => "XKS_PROXY_NOT_REACHABLE",
            Self::ProxyInvalidResponse => "XKS_PROXY_INVALID_RESPONSE",
            Self::ProxyInvalidConfiguration => "XKS_PROXY_INVALID_CONFIGURATION",
            Self::ProxyTimedOut => "XKS_PROXY_TIMED_OUT",
            Self::ProxyInvalidTls => "XKS_PROXY_INVALID_TLS_CONFIGURATION",
            Self::Network => "NETWORK_ERRORS",
        }
    }
}

/// Why a proxy did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::keyring) enum ProxyFailure {
    // By the proxy's own `errorName`.
    Validation,
    InvalidState,
    InvalidCiphertext,
    InvalidKeyUsage,
    AuthenticationFailed,
    AccessDenied,
    KeyNotFound,
    InvalidUriPath,
    Unsupported,
    DependencyTimeout,
    Throttling,
    Internal,
    // Seen from here.
    Unreachable,
    Tls,
    TimedOut,
    Malformed,
    /// All key managers behind the proxy are out of service.
    AllUnavailable,
}

/// What a failure is called, by what was being done.
struct Told {
    /// CreateCustomKeyStore, UpdateCustomKeyStore.
    store: StoreCode,
    /// CreateKey; none: KMSInvalidStateException.
    key: Option<StoreCode>,
    /// ConnectCustomKeyStore, afterwards.
    connection: ConnectionError,
    text: &'static str,
}

const UNINTERPRETED: &str = "AWS KMS cannot interpret the response from the external key store proxy. If you see this \
                             error repeatedly, report it to your external key store proxy administrator.";

impl ProxyFailure {
    /// By `errorName`; what the specification does not know can't be interpreted.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "ValidationException" => Self::Validation,
            "InvalidStateException" => Self::InvalidState,
            "InvalidCiphertextException" => Self::InvalidCiphertext,
            "InvalidKeyUsageException" => Self::InvalidKeyUsage,
            "AuthenticationFailedException" => Self::AuthenticationFailed,
            "AccessDeniedException" => Self::AccessDenied,
            "KeyNotFoundException" => Self::KeyNotFound,
            "InvalidUriPathException" => Self::InvalidUriPath,
            "UnsupportedOperationException" => Self::Unsupported,
            "DependencyTimeoutException" => Self::DependencyTimeout,
            "ThrottlingException" => Self::Throttling,
            "InternalException" => Self::Internal,
            _ => Self::Malformed,
        }
    }

    /// To who makes or changes a store.
    pub(super) fn of_store(self) -> KeyringError {
        let told = self.told();
        told.store.says(told.text)
    }

    /// To who makes a key.
    pub(super) fn of_new_key(self) -> KeyringError {
        let told = self.told();
        match told.key {
            Some(code) => code.says(told.text),
            None => KeyringError::InvalidState(told.text.to_owned()),
        }
    }

    /// To who uses a key.
    pub(super) fn of_use(self) -> KeyringError {
        KeyringError::InvalidState(self.told().text.to_owned())
    }

    /// What DescribeCustomKeyStores shows of a failed connection.
    pub(super) fn of_connection(self) -> ConnectionError {
        self.told().connection
    }

    /// The table of the specification. It has no code for a store where GetHealthStatus is not to answer so.
    fn told(self) -> Told {
        use ConnectionError as C;
        use StoreCode as S;
        let told = |store, key, connection, text| Told { store, key: Some(key), connection, text };
        match self {
            Self::Validation | Self::Malformed => {
                told(S::ProxyInvalidResponse, S::InvalidState, C::ProxyInvalidResponse, UNINTERPRETED)
            }
            Self::InvalidState => told(
                S::ProxyUriUnreachable,
                S::KeyInvalidConfiguration,
                C::ProxyNotReachable,
                "The external key associated with this KMS key in an external key store is not enabled in the external \
                 HSM. Enable the external key in the external HSM and retry the request.",
            ),
            Self::InvalidCiphertext => told(
                S::ProxyInvalidResponse,
                S::InvalidState,
                C::ProxyInvalidResponse,
                "The external key store proxy rejected the request because the specified ciphertext or encryption \
                 context is corrupted, missing, or otherwise invalid.",
            ),
            Self::InvalidKeyUsage => told(
                S::ProxyInvalidResponse,
                S::KeyInvalidConfiguration,
                C::ProxyInvalidResponse,
                "The external key associated with this KMS key in an external key store does not support the requested \
                 operation. Enable the operation on the key in your external HSM, and try the request again.",
            ),
            Self::AuthenticationFailed => told(
                S::ProxyCredential,
                S::InvalidState,
                C::InvalidCredentials,
                "The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify \
                 the XKS proxy authentication credentials for your external key store and update if necessary.",
            ),
            Self::AccessDenied => Told {
                store: S::ProxyInvalidResponse,
                key: None,
                connection: C::ProxyAccessDenied,
                text: "The external key store proxy denied access to the operation. Verify that the user and the \
                       external key are both authorized for this operation, and try the request again.",
            },
            Self::KeyNotFound => told(
                S::ProxyInvalidResponse,
                S::KeyNotFound,
                C::ProxyInvalidResponse,
                "The external key associated with this KMS key in an external key store was not found in its external \
                 HSM. If the external key ID associated with this KMS key is incorrect, create a new KMS key with the \
                 correct external key ID.",
            ),
            Self::InvalidUriPath => told(
                S::ProxyInvalidConfiguration,
                S::InvalidState,
                C::ProxyInvalidConfiguration,
                "The external key store proxy rejected the request because of an invalid URI path. Verify the URI path \
                 for your external key store and update if necessary.",
            ),
            Self::Unsupported => told(
                S::ProxyInvalidResponse,
                // The specification's XksKeyInvalidResponseException is not in the service model.
                S::KeyInvalidConfiguration,
                C::ProxyInvalidResponse,
                "The external key store proxy rejected the request because it does not support the requested \
                 operation. If you see this error repeatedly, report it to your external key store proxy administrator.",
            ),
            _ => self.told_of_the_way(),
        }
    }

    /// The lower half of the table: the proxy could not be asked, or could not ask.
    fn told_of_the_way(self) -> Told {
        use ConnectionError as C;
        let told = |store, connection, text| Told { store, key: Some(StoreCode::InvalidState), connection, text };
        let unreachable = |connection, text| told(StoreCode::ProxyUriUnreachable, connection, text);
        match self {
            Self::DependencyTimeout => unreachable(
                C::ProxyTimedOut,
                "The external key store proxy did not respond to the request in the time allotted. Retry the request. \
                 If you see this error repeatedly, report it to your external key store proxy administrator.",
            ),
            // AWS's text is not recorded.
            Self::AllUnavailable => unreachable(
                C::ProxyNotReachable,
                "The external key store proxy reports that all instances of the external key manager are unavailable.",
            ),
            Self::Throttling => unreachable(
                C::ProxyNotReachable,
                "The external key store proxy rejected the request due to a very high request rate. Reduce the \
                 frequency of your calls using KMS keys in this external key store.",
            ),
            Self::Unreachable => unreachable(
                C::ProxyNotReachable,
                "AWS KMS cannot communicate with the external key store proxy. This might be a transient network \
                 issue. If you see this error repeatedly, verify that your external key store proxy is active and is \
                 connected to the network, and that its endpoint URI is correct in your external keystore.",
            ),
            Self::Tls => unreachable(
                C::ProxyInvalidTls,
                "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS \
                 configuration, including its certificate.",
            ),
            Self::TimedOut => unreachable(
                C::ProxyTimedOut,
                "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the \
                 request. If you see this error repeatedly, report it to your external key store proxy administrator.",
            ),
            _ => told(
                StoreCode::ProxyInvalidResponse,
                C::ProxyNotReachable,
                "The external key store proxy rejected the request because it cannot communicate with the external \
                 HSM. Verify that the external key store proxy configuration is correct and that the external HSM is \
                 available.",
            ),
        }
    }
}
