//! What users, groups and roles have in common: inline policies, managed policies, boundaries and tags.
//!
//! The operations are written here once. An operation's own file names the kind that it is for:
//!
//! ```ignore
//! pub(in crate::iam) type Input = inline::Put<UserRecord>;
//! pub(in crate::iam) use inline::put as run;
//! ```

pub(in crate::iam) mod attached;
pub(in crate::iam) mod boundary;
pub(in crate::iam) mod inline;
pub(in crate::iam) mod tagging;

use std::marker::PhantomData;

use futures_util::future::BoxFuture;

use crate::auth::Grant;
use crate::iam::cx::{Adds, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::Writer;
use crate::iam::shapes::{EXISTING_USER_NAME, GROUP_NAME, ROLE_NAME, Shape, USER_NAME};
use crate::iam::tags::pairs;
use crate::identity::{GroupRecord, Identities, IdentityError, PolicyHolder, RoleRecord, Tag, UserRecord};
use crate::names::{AccountId, iam_arn};
use crate::policy::Key;

/// A user, a group or a role.
pub(in crate::iam) trait Holder: PolicyHolder {
    /// The member that names it.
    const MEMBER: &'static str;
    /// What the name has to be, where inline policies and tags are concerned.
    const NAME: Shape;
    /// The same where managed policies and boundaries are: shorter, in the models.
    const SHORT_NAME: Shape;

    /// The one of this name, of the settings or stored.
    fn load<'a>(
        identities: &'a Identities,
        account: &'a AccountId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Self, IdentityError>>;

    /// Its tags.
    fn has_tags(&self) -> &[Tag];

    /// ARN of its permissions boundary.
    fn has_boundary(&self) -> Option<&str>;
}

impl Holder for UserRecord {
    const MEMBER: &'static str = "UserName";
    const NAME: Shape = EXISTING_USER_NAME;
    const SHORT_NAME: Shape = USER_NAME;

    fn load<'a>(
        identities: &'a Identities,
        account: &'a AccountId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Self, IdentityError>> {
        Box::pin(identities.user(account, name))
    }

    fn has_tags(&self) -> &[Tag] {
        &self.tags
    }

    fn has_boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }
}

impl Holder for GroupRecord {
    const MEMBER: &'static str = "GroupName";
    const NAME: Shape = GROUP_NAME;
    const SHORT_NAME: Shape = GROUP_NAME;

    fn load<'a>(
        identities: &'a Identities,
        account: &'a AccountId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Self, IdentityError>> {
        Box::pin(identities.group(account, name))
    }

    fn has_tags(&self) -> &[Tag] {
        &[]
    }

    fn has_boundary(&self) -> Option<&str> {
        None
    }
}

impl Holder for RoleRecord {
    const MEMBER: &'static str = "RoleName";
    const NAME: Shape = ROLE_NAME;
    const SHORT_NAME: Shape = ROLE_NAME;

    fn load<'a>(
        identities: &'a Identities,
        account: &'a AccountId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Self, IdentityError>> {
        Box::pin(identities.role(account, name))
    }

    fn has_tags(&self) -> &[Tag] {
        &self.tags
    }

    fn has_boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }
}

/// The name in a request of the user, group or role that it is about.
#[derive(Debug, Clone)]
pub(in crate::iam) struct NameOf<H> {
    pub(in crate::iam) name: String,
    of: PhantomData<fn() -> H>,
}

impl<H: Holder> NameOf<H> {
    /// Where inline policies and tags are concerned.
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { name: fields.required(H::MEMBER, &H::NAME), of: PhantomData }
    }

    /// Where managed policies and boundaries are.
    pub(in crate::iam) fn read_short(fields: &mut Fields<'_>) -> Self {
        Self { name: fields.required(H::MEMBER, &H::SHORT_NAME), of: PhantomData }
    }

    /// The one of this name, with leave to do the row's action on it. `adds` gets its tags.
    pub(in crate::iam) async fn granted(&self, cx: &Cx<'_>, adds: &Adds<'_>) -> Result<Granted<H>, IamError> {
        granted(cx, &self.name, adds).await
    }

    /// As [`Self::granted`]; `adds` gets its boundary too (`iam:PermissionsBoundary`), for the actions to which AWS's
    /// service authorization reference gives that key.
    pub(in crate::iam) async fn granted_bounded(&self, cx: &Cx<'_>, adds: &Adds<'_>) -> Result<Granted<H>, IamError> {
        granted_telling(cx, &self.name, adds, H::has_boundary).await
    }
}

/// A user, group or role with leave to do the row's action on it.
pub(in crate::iam) struct Granted<H> {
    pub(in crate::iam) holder: H,
    pub(in crate::iam) grant: Grant,
}

/// The holder of this name, with leave to do the row's action on it. `adds` gets its tags.
///
/// Leave comes before existence: of a name that nobody has, it is asked for on the ARN that it would have without a
/// path, so that who may not ask does not learn who there is.
pub(in crate::iam) async fn granted<H: Holder>(
    cx: &Cx<'_>,
    name: &str,
    adds: &Adds<'_>,
) -> Result<Granted<H>, IamError> {
    granted_telling(cx, name, adds, |_| None).await
}

async fn granted_telling<H: Holder>(
    cx: &Cx<'_>,
    name: &str,
    adds: &Adds<'_>,
    boundary: fn(&H) -> Option<&str>,
) -> Result<Granted<H>, IamError> {
    let account = cx.account()?;
    match H::load(cx.identities(), account, name).await {
        Ok(holder) => {
            let adds = adds.clone().resource_tags(pairs(holder.has_tags()));
            let adds = adds.optional(Key::IamPermissionsBoundary, boundary(&holder));
            let grant = cx.grant_telling(&holder.arn(account), &adds)?;
            Ok(Granted { grant, holder })
        }
        Err(error) => {
            cx.grant_telling(&iam_arn(account, H::WORD, "/", name), adds)?;
            Err(error.into())
        }
    }
}

/// The name of a holder in an answer.
fn write_name<H: Holder>(w: &mut Writer, holder: &H) {
    w.leaf(H::MEMBER, holder.name());
}
