//! AssumeRoleWithWebIdentity: credentials of a role for the bearer of an OpenID Connect token. Nobody signs the call; the
//! token proves who asks.
//!
//! It is recorded in the trail of the role's account, once that is known to be one of this server.

use super::assume_role::{TOKEN_SIZE_MAX, refuse_unserved};
use super::roles::{self, Inherited, Wish, answer};
use super::sessions::{DURATION_MIN_SECONDS, ROLE_DURATION_MAX_SECONDS, SessionPolicies};
use crate::auth::Principal;
use crate::crypto::SecretBytes;
use crate::iam::cx::Cx;
use crate::iam::error::{IamError, code};
use crate::iam::input::Fields;
use crate::iam::reply::Reply;
use crate::iam::shapes::{
    PROVIDER_ID, ROLE_ARN, ROLE_SESSION_NAME, SOURCE_IDENTITY, STS_CLIENT_TOKEN, Shape, TAG_KEY, TAG_VALUE,
};
use crate::identity::ProviderRecord;
use crate::identity::oidc::{Claims, FetchError, Token, TokenFault};
use crate::names::AccountId;
use crate::policy::{Key, Value};

pub(in crate::iam) struct Input {
    role_arn: String,
    token: SecretBytes,
    provider_id: Option<String>,
    minimum_size: Option<u32>,
    session_name: String,
    policies: SessionPolicies,
    seconds: Option<u32>,
}

impl Input {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            role_arn: fields.required("RoleArn", &ROLE_ARN),
            session_name: fields.required("RoleSessionName", &ROLE_SESSION_NAME),
            token: fields.required_secret("WebIdentityToken", &STS_CLIENT_TOKEN),
            provider_id: fields.text("ProviderId", &PROVIDER_ID),
            policies: SessionPolicies::read(fields, true),
            seconds: fields.number("DurationSeconds", DURATION_MIN_SECONDS..=ROLE_DURATION_MAX_SECONDS),
            minimum_size: fields.number("MinimumSessionTokenSize", 0..=TOKEN_SIZE_MAX),
        }
    }
}

pub(in crate::iam) async fn run(cx: &Cx<'_>, input: Input) -> Result<Reply, IamError> {
    let account = roles::account_of(&input.role_arn)?;
    let denied = |action: &str| IamError::new(code::ACCESS_DENIED, format!("Not authorized to perform {action}"));
    // An account that there is not has no providers: who asks is not told which accounts there are.
    if cx.identities().account(&account).is_ok() {
        cx.tell(&account);
    }
    if input.provider_id.is_some() {
        let text = "ProviderId is for OAuth 2.0 access tokens of providers that are not served here; leave it out.";
        return Err(IamError::validation(text));
    }
    refuse_unserved(false, input.minimum_size)?;
    let documents = input.policies.documents()?;
    let (provider, claims) = verified(cx, &account, input.token.expose()).await?;
    let provider_arn = provider.arn(&account);
    let subject = claims.subject().map_err(fault)?;
    // As CloudTrail has it of providers of one's own: ARN, audience and subject.
    let user_id = format!("{provider_arn}:{}:{subject}", claims.audience());
    let bearer = cx.access.as_web_identity(Principal::web_identity(&provider_arn, subject, user_id));
    cx.borne_by(&bearer);
    let wish = wish(&claims, input.session_name, input.seconds, (input.policies, documents), &provider_arn)?;
    let conditions = conditions(&provider, &claims);
    let adds =
        conditions.iter().fold(wish.adds().text(Key::AwsFederatedProvider, &provider_arn), |adds, (name, value)| {
            adds.named(Key::WebIdentityClaim, name, Value::Text(value))
        });
    let found = roles::find(cx, &account, &input.role_arn).await?;
    let found = found.filter(|found| found.lets(&bearer, "sts:AssumeRoleWithWebIdentity", &adds));
    let found = found.ok_or_else(|| denied("sts:AssumeRoleWithWebIdentity"))?;
    found.lets_besides(&bearer, &wish, &Inherited::default(), &adds).map_err(denied)?;
    let made = found.assume(cx, &wish, Inherited::default()).await?;
    Ok(answer(&made, wish.source_identity.as_deref(), |w| {
        w.leaf("SubjectFromWebIdentityToken", subject);
        w.leaf("Provider", &provider_arn).leaf("Audience", claims.audience());
    }))
}

/// The token's claims with the provider that vouches for them: a provider of `account`, for one of its clients, now.
async fn verified(cx: &Cx<'_>, account: &AccountId, token: &[u8]) -> Result<(ProviderRecord, Claims), IamError> {
    let token = Token::parse(token).ok_or_else(|| fault(TokenFault::Malformed))?;
    let issuer = token.unverified_issuer().ok_or_else(|| fault(TokenFault::Missing("iss")))?.to_owned();
    let unknown = || {
        let text = format!("No OpenIDConnect provider found in your account for {issuer}");
        IamError::new(code::INVALID_IDENTITY_TOKEN, text)
    };
    let url = issuer.strip_prefix("https://").ok_or_else(unknown)?;
    let provider = cx.identities().provider(account, url).await?.ok_or_else(unknown)?;
    let now = cx.access.facts().received;
    let keys = cx.app.issuers.keys(&provider.url, token.kid(), now).await.map_err(|error| match error {
        FetchError::Unreachable(_) => {
            // AWS's text is not recorded.
            let text = format!("The identity provider {issuer} could not be reached to verify the token.");
            IamError::new(code::IDP_COMMUNICATION_ERROR, text)
        }
        FetchError::Unusable(_) => fault(TokenFault::Signature),
    })?;
    let claims = token.verify(&keys).map_err(fault)?;
    claims.check_time(now).and_then(|()| claims.check_audience(&provider.client_ids)).map_err(fault)?;
    Ok((provider, claims))
}

fn wish(
    claims: &Claims,
    session_name: String,
    seconds: Option<u32>,
    (policies, documents): (SessionPolicies, Vec<String>),
    provider_arn: &str,
) -> Result<Wish, IamError> {
    let tags = claims.session_tags().map_err(fault)?;
    let source_identity = claims.source_identity().map_err(fault)?.map(str::to_owned);
    let fits = |shape: &Shape, text: &str| shape.broken(text).is_empty();
    if !tags.tags.iter().all(|(key, value)| fits(&TAG_KEY, key) && fits(&TAG_VALUE, value))
        || !source_identity.iter().all(|name| fits(&SOURCE_IDENTITY, name))
    {
        return Err(fault(TokenFault::Session("session tags or source identity")));
    }
    let wish = Wish {
        session_name,
        seconds,
        policies,
        documents,
        tags: tags.tags,
        transitive: tags.transitive,
        source_identity,
        federated_provider: Some(provider_arn.to_owned()),
    };
    wish.check_tags()?;
    Ok(wish)
}

/// Condition keys `HOST/PATH:claim`, as they are compared: in lower case. `aud` is `azp` where there is one, and
/// `oaud` the original, as AWS documents.
fn conditions(provider: &ProviderRecord, claims: &Claims) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let own = |name: &str| format!("{}:{name}", provider.url).to_lowercase();
    let mut party = None;
    claims.each_condition(&mut |name, value| {
        // Keys are the same in either case, claims are not: another claim must not speak for the one that is meant.
        if name == "oaud" || name.chars().any(char::is_uppercase) {
            return;
        }
        if name == "azp" {
            party = Some(value.to_owned());
        }
        all.push((own(if name == "aud" { "oaud" } else { name }), value.to_owned()));
    });
    let audiences: Vec<String> = match party {
        Some(party) => vec![party],
        None => all.iter().filter(|(name, _)| *name == own("oaud")).map(|(_, value)| value.clone()).collect(),
    };
    all.extend(audiences.into_iter().map(|value| (own("aud"), value)));
    all
}

fn fault(fault: TokenFault) -> IamError {
    let invalid = |text: String| IamError::new(code::INVALID_IDENTITY_TOKEN, text);
    match fault {
        TokenFault::Malformed => invalid(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)".to_owned(),
        ),
        TokenFault::Signature => invalid(
            "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity \
             documentation for requirements"
                .to_owned(),
        ),
        TokenFault::Expired(now, end) => IamError::new(
            code::EXPIRED_WEB_IDENTITY_TOKEN,
            format!("Token expired: current date/time {now} must be before the expiration date/time {end}"),
        ),
        // AWS's texts of those that follow are not recorded, but for the audience's.
        TokenFault::Early => invalid("The token is not valid yet: its nbf or iat lies in the future.".to_owned()),
        TokenFault::Missing(claim) => invalid(format!("Missing a required claim: {claim}")),
        TokenFault::Audience => invalid("Incorrect token audience".to_owned()),
        TokenFault::Session(claim) => {
            IamError::new(code::IDP_REJECTED_CLAIM, format!("The token's {claim} is not of the form that AWS documents."))
        }
    }
}
