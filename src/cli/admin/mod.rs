//! `strongroom user|key|role|policy|rewrap`: administration, by the calls that the API has.
//!
//! Each command is one or several signed requests to a running server: they are authorized and recorded as if the AWS
//! CLI had made them. `api` sends them, `connection` says where and signed by whom, `print` shows answers. `explain` alone
//! also asks the server through its control socket, since the trail has no API.

mod acl;
mod api;
mod connection;
mod documents;
mod explain;
mod key;
mod policy;
mod print;
mod profile;
mod rewrap;
mod role;
mod simulation;
mod strangers;
mod user;
mod who_can;

pub(super) use key::KeyCommand;
pub(super) use policy::PolicyCommand;
pub(super) use rewrap::RewrapCommand;
pub(super) use role::RoleCommand;
pub(super) use user::UserCommand;

pub(super) use key::run as run_key;
pub(super) use policy::run as run_policy;
pub(super) use rewrap::run as run_rewrap;
pub(super) use role::run as run_role;
pub(super) use user::run as run_user;
