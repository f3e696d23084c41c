//! OpenID Connect providers: issuers whose tokens roles of an account may trust.

use super::draft::Draft;
use super::limits::{CLIENT_IDS_MAX, PROVIDERS_MAX};
use super::load::account_in;
use super::record::{ProviderRecord, Tag};
use super::{Identities, IdentityError};
use crate::auth::Grant;
use crate::names::AccountId;

/// A provider to be made. URL, thumbprints and tags are well-formed.
#[derive(Debug, Clone)]
pub struct NewProvider {
    /// Host and path, without `https://`.
    pub url: String,
    /// `ClientIDList`
    pub client_ids: Vec<String>,
    /// `ThumbprintList`
    pub thumbprints: Vec<String>,
    /// `Tags`
    pub tags: Vec<Tag>,
}

/// The URL in the ARN of a provider of `account`.
pub fn provider_url<'a>(arn: &'a str, account: &AccountId) -> Option<&'a str> {
    let own = account_in(arn).as_ref() == Some(account);
    let (_, url) = arn.split_once(":oidc-provider/").filter(|_| own)?;
    Some(url).filter(|url| !url.is_empty())
}

impl Identities {
    /// The provider of this URL, without `https://`. Rows are found in either case, URLs are not the same in either.
    pub async fn provider(&self, account: &AccountId, url: &str) -> Result<Option<ProviderRecord>, IdentityError> {
        let found = self.entity::<ProviderRecord>(account, &[url]).await?;
        Ok(found.filter(|provider| provider.url == url))
    }

    /// All providers of an account: a hundred at most.
    pub async fn providers(&self, account: &AccountId) -> Result<Vec<ProviderRecord>, IdentityError> {
        let all = self.entities::<ProviderRecord>(account, &[], None, PROVIDERS_MAX).await?;
        Ok(all.into_iter().map(|(_, provider)| provider).collect())
    }

    /// CreateOpenIDConnectProvider. `grant`: leave for that on the new provider's ARN.
    pub async fn create_provider(
        &self,
        grant: &Grant,
        new: &NewProvider,
    ) -> Result<(ProviderRecord, Draft<'_>), IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let provider = ProviderRecord {
            url: new.url.clone(),
            client_ids: new.client_ids.clone(),
            thumbprints: new.thumbprints.clone(),
            created_ms: draft.now().0,
            tags: new.tags.clone(),
        };
        grant.assert_covers("iam:CreateOpenIDConnectProvider", &provider.arn(draft.account()));
        if draft.find::<ProviderRecord>(&[&new.url]).await?.is_some() {
            return Err(IdentityError::EntityAlreadyExists(format!(
                "Provider with url https://{} already exists.",
                new.url
            )));
        }
        draft.state.providers += 1;
        if draft.state.providers as usize > PROVIDERS_MAX {
            return Err(IdentityError::quota("OpenIdConnectProvidersPerAccount", PROVIDERS_MAX));
        }
        draft.put(&[&new.url], &provider);
        Ok((provider, draft))
    }

    /// DeleteOpenIDConnectProvider. `grant`: leave for that on its ARN. None: there is none, which AWS takes for done.
    pub async fn delete_provider(&self, grant: &Grant, url: &str) -> Result<Option<Draft<'_>>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let Some(provider) = self.provider(draft.account(), url).await? else { return Ok(None) };
        grant.assert_covers("iam:DeleteOpenIDConnectProvider", &provider.arn(draft.account()));
        draft.state.providers = draft.state.providers.saturating_sub(1);
        draft.delete::<ProviderRecord>(&[url]);
        Ok(Some(draft))
    }

    /// AddClientIDToOpenIDConnectProvider. `grant`: leave for that on its ARN. None: it has it.
    pub async fn add_client_id(
        &self,
        grant: &Grant,
        url: &str,
        client_id: &str,
    ) -> Result<Option<Draft<'_>>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut provider = self.provider_to_change(&draft, grant, url).await?;
        if provider.client_ids.iter().any(|known| known == client_id) {
            return Ok(None);
        }
        if provider.client_ids.len() >= CLIENT_IDS_MAX {
            return Err(IdentityError::quota("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS_MAX));
        }
        provider.client_ids.push(client_id.to_owned());
        draft.put(&[url], &provider);
        Ok(Some(draft))
    }

    /// RemoveClientIDFromOpenIDConnectProvider. `grant`: leave for that on its ARN. None: it does not have it.
    pub async fn remove_client_id(
        &self,
        grant: &Grant,
        url: &str,
        client_id: &str,
    ) -> Result<Option<Draft<'_>>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut provider = self.provider_to_change(&draft, grant, url).await?;
        let before = provider.client_ids.len();
        provider.client_ids.retain(|known| known != client_id);
        if provider.client_ids.len() == before {
            return Ok(None);
        }
        draft.put(&[url], &provider);
        Ok(Some(draft))
    }

    /// UpdateOpenIDConnectProviderThumbprint. `grant`: leave for that on its ARN.
    pub async fn set_thumbprints(
        &self,
        grant: &Grant,
        url: &str,
        thumbprints: Vec<String>,
    ) -> Result<Draft<'_>, IdentityError> {
        let mut draft = Draft::begin(self, grant).await?;
        let mut provider = self.provider_to_change(&draft, grant, url).await?;
        provider.thumbprints = thumbprints;
        draft.put(&[url], &provider);
        Ok(draft)
    }

    async fn provider_to_change(
        &self,
        draft: &Draft<'_>,
        grant: &Grant,
        url: &str,
    ) -> Result<ProviderRecord, IdentityError> {
        let account = draft.account();
        let Some(provider) = self.provider(account, url).await? else { return Err(provider_absent(account, url)) };
        grant.assert_covers(grant.action(), &provider.arn(account));
        Ok(provider)
    }
}

/// That there is no such provider.
pub fn provider_absent(account: &AccountId, url: &str) -> IdentityError {
    let arn = ProviderRecord { url: url.to_owned(), ..ProviderRecord::default() }.arn(account);
    IdentityError::NoSuchEntity(format!("OpenIDConnect Provider not found for arn {arn}"))
}
