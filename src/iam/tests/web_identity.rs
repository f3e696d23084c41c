//! AssumeRoleWithWebIdentity with an issuer whose keys are held already.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::crypto::TestIssuerKey;
use crate::identity::oidc::KeySet;

const ISSUER: &str = "idp.example.com/Pool";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/idp.example.com/Pool";
/// Of the tests' clock, seconds.
const NOW: i64 = 1_795_608_000;
const NOT_AUTHORIZED: &str = "Not authorized to perform sts:AssumeRoleWithWebIdentity";

struct Issuer {
    key: TestIssuerKey,
    world: World,
}

impl Issuer {
    /// An account that knows the issuer, with a role for its tokens.
    async fn new() -> Self {
        let (key, mut world) = (TestIssuerKey::new(), World::new(200).await);
        let (x, y) = key.point();
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y}]});
        let keys = KeySet::parse(set.to_string().as_bytes()).unwrap();
        world.gateway.app.issuers.hold(ISSUER, keys, world.gateway.sources.now()).await;
        let provider = json!({"call": "CreateOpenIDConnectProvider",
                              "request": {"Url": format!("https://{ISSUER}"), "ClientIDList": ["app", "cli"]}});
        world.play(&provider, "the provider").await;
        let statement = |actions: Value, conditions: Value| json!({"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": actions, "Condition": conditions});
        let (sub, aud) = (format!("{ISSUER}:sub"), format!("{ISSUER}:aud"));
        let trust = json!({"Version": "2012-10-17", "Statement": [
            statement(json!("sts:AssumeRoleWithWebIdentity"), json!({
                "StringLike": {&sub: "repo:us/*"}, "StringEquals": {&aud: "app", "aws:FederatedProvider": PROVIDER}})),
            statement(json!("sts:AssumeRoleWithWebIdentity"), json!({
                "StringEquals": {format!("{ISSUER}:groups"): "admins", "sts:RoleSessionName": "night"}})),
            statement(json!(["sts:TagSession", "sts:SetSourceIdentity"]), json!({
                "StringEqualsIfExists": {"aws:RequestTag/Team": "red", "sts:SourceIdentity": "ann"}})),
        ]});
        let role = json!({"call": "CreateRole", "request": {"RoleName": "Web", "AssumeRolePolicyDocument": trust}});
        world.play(&role, "the role").await;
        let unrelated = json!({"call": "CreateRole", "request": {"RoleName": "Everyone", "AssumeRolePolicyDocument": {
            "Version": "2012-10-17", "Statement": {
                "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRoleWithWebIdentity"}}}});
        world.play(&unrelated, "a role for everyone").await;
        Self { key, world }
    }

    fn token(&self, more: &Value) -> String {
        let mut claims = json!({"iss": format!("https://{ISSUER}"), "sub": "repo:us/main", "aud": "app",
                                "exp": NOW + 600, "iat": NOW});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "ES256", "kid": "k"})), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// Plays a call with a token of these claims; `step` says what is expected, `request` what else is asked.
    async fn play(&mut self, claims: Value, request: Value, step: Value) {
        let mut all = json!({"RoleArn": "arn:aws:iam::111122223333:role/Web", "RoleSessionName": "night",
                             "WebIdentityToken": self.token(&claims)});
        for (name, value) in request.as_object().unwrap() {
            all[name] = value.clone();
        }
        let mut played = json!({"call": "AssumeRoleWithWebIdentity", "as": "NOBODY", "request": all});
        for (name, value) in step.as_object().unwrap() {
            played[name] = value.clone();
        }
        self.world.play(&played, &format!("{claims} {request}")).await;
    }
}

fn refused(code: &str, message: &str) -> Value {
    let status = if matches!(code, "AccessDenied" | "IDPRejectedClaim") { 403 } else { 400 };
    json!({"error": code, "status": status, "message": message, "event": {"recipientAccountId": "111122223333"}})
}

#[tokio::test]
async fn the_bearer_of_a_token_gets_a_session() {
    let mut issuer = Issuer::new().await;
    let arn = "arn:aws:sts::111122223333:assumed-role/Web/night";
    issuer
        .play(
            json!({"https://aws.amazon.com/tags": {"principal_tags": {"Team": ["red"]}, "transitive_tag_keys": ["Team"]},
                   "https://aws.amazon.com/source_identity": "ann"}),
            json!({"DurationSeconds": 900}),
            json!({
                "answer": {
                    "Credentials": {"AccessKeyId": "=key", "SecretAccessKey": "=secret", "SessionToken": "=token",
                                    "Expiration": "2026-11-25T12:15:00Z"},
                    "AssumedRoleUser": {"Arn": arn}, "SubjectFromWebIdentityToken": "repo:us/main",
                    "Provider": PROVIDER, "Audience": "app", "SourceIdentity": "ann", "PackedPolicySize": "1"},
                "event": {
                    "recipientAccountId": "111122223333", "readOnly": true,
                    "requestParameters": {"roleArn": "*", "webIdentityToken": null, "durationSeconds": 900},
                    "responseElements": {"assumedRoleUser": {"arn": arn}},
                    "userIdentity": {"type": "WebIdentityUser", "userName": "repo:us/main", "identityProvider": PROVIDER,
                                     "principalId": format!("{PROVIDER}:app:repo:us/main")}},
            }),
        )
        .await;
    let own = json!({"key": "${key}", "secret": "${secret}", "token": "${token}"});
    let who = json!({"call": "GetCallerIdentity", "as": own, "answer": {"Arn": arn}, "event": {"userIdentity": {
        "sessionContext": {"webIdFederationData": {"federatedProvider": PROVIDER}, "sourceIdentity": "ann"}}}});
    issuer.world.play(&who, "the session").await;
    // Among several audiences one is enough, and a claim of a provider's own lets in as well.
    for claims in [
        json!({"aud": ["other", "app"]}),
        json!({"aud": "other", "azp": "app"}),
        json!({"sub": "x", "aud": "cli", "groups": ["users", "admins"]}),
    ] {
        issuer.play(claims, json!({}), json!({"answer": {"AssumedRoleUser": {"Arn": arn}}})).await;
    }
}

#[tokio::test]
async fn tokens_that_let_nobody_in() {
    let mut issuer = Issuer::new().await;
    let denied = refused("AccessDenied", NOT_AUTHORIZED);
    let audience = refused("InvalidIdentityToken", "Incorrect token audience");
    let tagged = |tags: Value| json!({"https://aws.amazon.com/tags": {"principal_tags": tags}});
    let expired = format!("Token expired: current date/time {NOW} must be before the expiration date/time {NOW}");
    for (claims, request, step) in [
        (json!({"sub": "repo:them/main"}), json!({}), denied.clone()),
        (json!({"aud": "cli"}), json!({}), denied.clone()),
        (json!({"groups": "admins", "sub": "x"}), json!({"RoleSessionName": "day"}), denied.clone()),
        (json!({}), json!({"RoleArn": "arn:aws:iam::111122223333:role/Nobody"}), denied.clone()),
        (json!({}), json!({"RoleArn": "arn:aws:iam::111122223333:role/Everyone"}), denied),
        (json!({"aud": "stranger"}), json!({}), audience.clone()),
        (json!({"azp": "stranger"}), json!({}), audience),
        (json!({"exp": NOW}), json!({}), refused("ExpiredTokenException", &expired)),
        (json!({"nbf": NOW + 301}), json!({}), refused("InvalidIdentityToken", "*")),
        (json!({"sub": ""}), json!({}), refused("InvalidIdentityToken", "Missing a required claim: sub")),
        (
            json!({"iss": "https://idp.example.com/pool"}),
            json!({}),
            refused(
                "InvalidIdentityToken",
                "No OpenIDConnect provider found in your account for https://idp.example.com/pool",
            ),
        ),
        (json!({"iss": "http://idp.example.com/Pool"}), json!({}), refused("InvalidIdentityToken", "*")),
        (
            tagged(json!({"Team": ["blue"]})),
            json!({}),
            refused("AccessDenied", "Not authorized to perform sts:TagSession"),
        ),
        (tagged(json!({"Team": 1})), json!({}), refused("IDPRejectedClaim", "*")),
        (tagged(json!({"Te*m": "x"})), json!({}), refused("IDPRejectedClaim", "*")),
        (
            json!({"https://aws.amazon.com/source_identity": "bob"}),
            json!({}),
            refused("AccessDenied", "Not authorized to perform sts:SetSourceIdentity"),
        ),
        (json!({"https://aws.amazon.com/source_identity": "a b"}), json!({}), refused("IDPRejectedClaim", "*")),
        (
            json!({}),
            json!({"DurationSeconds": 3601}),
            refused(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ),
        ),
    ] {
        issuer.play(claims, request, step).await;
    }
    let mut token = issuer.token(&json!({}));
    let end = token.split_off(token.rfind('.').unwrap() - 4);
    let altered = format!("{token}AAAA{}", &end[4..]);
    issuer.play(json!({}), json!({"WebIdentityToken": altered}), refused("InvalidIdentityToken", "*")).await;
    let delete = json!({"call": "DeleteOpenIDConnectProvider", "request": {"OpenIDConnectProviderArn": PROVIDER}});
    issuer.world.play(&delete, "the provider goes").await;
    issuer.play(json!({}), json!({}), refused("InvalidIdentityToken", "*")).await;
}
