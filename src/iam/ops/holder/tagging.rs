//! Tags: TagUser, UntagUser, ListUserTags, and the same of roles.

use super::{Granted, Holder, NameOf};
use crate::iam::cx::{Adds, Changed, Cx};
use crate::iam::error::IamError;
use crate::iam::input::Fields;
use crate::iam::reply::{Reply, page};
use crate::iam::shapes::{Paging, read_required_tags, read_tag_keys};
use crate::iam::tags::{check_tags, stored_tags};
use crate::identity::Tagged;

pub(in crate::iam) struct Tag<H> {
    holder: NameOf<H>,
    tags: Vec<(String, String)>,
}

impl<H: Holder> Tag<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { holder: NameOf::read(fields), tags: read_required_tags(fields) }
    }
}

pub(in crate::iam) async fn tag<H: Holder + Tagged>(cx: &Cx<'_>, input: Tag<H>) -> Result<Changed, IamError> {
    let adds = Adds::new().request_tags(&input.tags);
    let Granted { grant, holder } = input.holder.granted(cx, &adds).await?;
    check_tags(&input.tags)?;
    let draft = cx.identities().tag::<H>(&grant, holder.name(), &stored_tags(&input.tags)).await?;
    cx.done(Reply::empty(), draft).await
}

pub(in crate::iam) struct Untag<H> {
    holder: NameOf<H>,
    keys: Vec<String>,
}

impl<H: Holder> Untag<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { holder: NameOf::read(fields), keys: read_tag_keys(fields) }
    }
}

pub(in crate::iam) async fn untag<H: Holder + Tagged>(cx: &Cx<'_>, input: Untag<H>) -> Result<Changed, IamError> {
    let adds = Adds::new().tag_keys(&input.keys);
    let Granted { grant, holder } = input.holder.granted(cx, &adds).await?;
    let draft = cx.identities().untag::<H>(&grant, holder.name(), &input.keys).await?;
    cx.done(Reply::empty(), draft).await
}

pub(in crate::iam) struct List<H> {
    holder: NameOf<H>,
    paging: Paging,
}

impl<H: Holder> List<H> {
    pub(in crate::iam) fn read(fields: &mut Fields<'_>) -> Self {
        Self { holder: NameOf::read(fields), paging: Paging::read(fields) }
    }
}

pub(in crate::iam) async fn list<H: Holder>(cx: &Cx<'_>, input: List<H>) -> Result<Reply, IamError> {
    let holder = input.holder.granted(cx, &Adds::new()).await?.holder;
    let tags = input.paging.cut(holder.has_tags().to_vec(), |tag| tag.key.to_lowercase())?;
    Ok(Reply::result(|w| {
        page(w, "Tags", tags, |w, tag| {
            w.leaf("Key", &tag.key).leaf("Value", &tag.value);
        });
    }))
}
