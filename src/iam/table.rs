//! The operation table: every operation of the newest service models has a row, served or refused. The rows stand with
//! the operations, in the `ROWS` of each folder of `ops/`.
//!
//! Adding an operation: its file `ops/AREA/x.rs`, its `mod` line, and a [`tells!`] or [`changes!`] row instead of the
//! `refused!` one, all in the area's folder.

use futures_util::future::BoxFuture;

use super::cx::{Changed, Cx};
use super::error::IamError;
use super::input::Fields;
use super::ops;
use super::reply::Reply;

/// Which service a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Identities and policies.
    Iam,
    /// Temporary credentials.
    Sts,
}

impl Service {
    /// As credential scopes name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    /// `Version` of its requests.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
        }
    }

    /// Of its answers.
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }

    /// `eventSource`
    pub(super) fn event_source(self) -> &'static str {
        match self {
            Self::Iam => "iam.amazonaws.com",
            Self::Sts => "sts.amazonaws.com",
        }
    }
}

/// Who may send a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Callers {
    /// Only who signs it.
    Signed,
    /// Anybody: the call brings a proof of its own.
    Anyone,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) service: Service,
    /// AWS's name: `Action` of the request, the event and the metrics.
    pub(super) name: &'static str,
    /// The IAM action that [`Cx::grant`] asks for.
    pub(super) action: &'static str,
    pub(super) callers: Callers,
    /// None: refused as not implemented.
    pub(super) handler: Option<Handler>,
}

/// What comes of an operation.
pub(super) type Handled<'a, T> = BoxFuture<'a, Result<T, IamError>>;

/// What is done for a row.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// Tells something, or gives out credentials that are not stored. Its record is written before its answer leaves.
    Tells(for<'a> fn(&'a Cx<'a>, Fields<'a>) -> Handled<'a, Reply>),
    /// Changes something: commits the change with its record, and shows the proof. Run again after a lost race.
    Changes(for<'a> fn(&'a Cx<'a>, Fields<'a>) -> Handled<'a, Changed>),
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tells(_) => "Tells",
            Self::Changes(_) => "Changes",
        })
    }
}

impl Row {
    /// `readOnly` of its records.
    pub(super) fn is_read_only(&self) -> bool {
        match self.handler {
            Some(Handler::Tells(_)) => true,
            Some(Handler::Changes(_)) => false,
            None => ["Get", "List", "AssumeRo"].iter().any(|start| self.name.starts_with(start)),
        }
    }
}

macro_rules! row {
    (Iam, $name:literal, $callers:ident, $handler:expr) => {
        $crate::iam::table::row!(@ Iam, $name, concat!("iam:", $name), $callers, $handler)
    };
    (Sts, $name:literal, $callers:ident, $handler:expr) => {
        $crate::iam::table::row!(@ Sts, $name, concat!("sts:", $name), $callers, $handler)
    };
    (@ $service:ident, $name:literal, $action:expr, $callers:ident, $handler:expr) => {
        $crate::iam::table::Row {
            service: $crate::iam::table::Service::$service,
            name: $name,
            action: $action,
            callers: $crate::iam::table::Callers::$callers,
            handler: $handler,
        }
    };
}

/// The handler of the operation in module `$op`: `Input::read`, then `run`.
macro_rules! handler {
    ($kind:ident, $outcome:ty, $op:ident) => {{
        fn handle<'a>(
            cx: &'a $crate::iam::cx::Cx<'a>,
            mut fields: $crate::iam::input::Fields<'a>,
        ) -> $crate::iam::table::Handled<'a, $outcome> {
            Box::pin(async move {
                let input = $op::Input::read(&mut fields);
                fields.finish()?;
                $op::run(cx, input).await
            })
        }
        Some($crate::iam::table::Handler::$kind(handle))
    }};
}

/// `tells!(Iam, "GetUser", get_user)`: a served operation that changes nothing that is stored.
macro_rules! tells {
    ($service:ident, $name:literal, $op:ident) => {
        $crate::iam::table::tells!($service, $name, $op, Signed)
    };
    ($service:ident, $name:literal, $op:ident, $callers:ident) => {
        $crate::iam::table::row!(
            $service,
            $name,
            $callers,
            $crate::iam::table::handler!(Tells, $crate::iam::reply::Reply, $op)
        )
    };
}

/// `changes!(Iam, "CreateUser", create_user)`: a served operation that changes what is stored.
macro_rules! changes {
    ($service:ident, $name:literal, $op:ident) => {
        $crate::iam::table::row!(
            $service,
            $name,
            Signed,
            $crate::iam::table::handler!(Changes, $crate::iam::cx::Changed, $op)
        )
    };
}

/// `refused!(Iam, "CreateSAMLProvider")`: an operation that is not served.
macro_rules! refused {
    ($service:ident, $name:literal) => {
        $crate::iam::table::refused!($service, $name, Signed)
    };
    ($service:ident, $name:literal, $callers:ident) => {
        $crate::iam::table::row!($service, $name, $callers, None)
    };
}

pub(super) use {changes, handler, refused, row, tells};

/// The rows of all areas.
static AREAS: &[&[Row]] = &[
    ops::access_keys::ROWS,
    ops::account::ROWS,
    ops::groups::ROWS,
    ops::policies::ROWS,
    ops::providers::ROWS,
    ops::roles::ROWS,
    ops::simulation::ROWS,
    ops::sts::ROWS,
    ops::users::ROWS,
    ops::NOT_SERVED,
];

/// All rows.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    AREAS.iter().copied().flatten()
}

/// The row of an operation.
pub(super) fn find(service: Service, name: &str) -> Option<&'static Row> {
    rows().find(|row| row.service == service && row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every operation of the models: service, name, whether it has output, who may send it.
    const MODEL: &str = include_str!("../../fixtures/iam/operations.txt");

    #[test]
    fn every_operation_of_the_models_has_one_row() {
        let mut rows: Vec<String> = rows()
            .map(|row| {
                let callers = if row.callers == Callers::Anyone { "unsigned" } else { "signed" };
                assert_eq!(row.action, format!("{}:{}", row.service.name(), row.name));
                format!("{} {} {callers}", row.service.name(), row.name)
            })
            .collect();
        rows.sort_unstable();
        let model = MODEL.lines().map(|line| {
            let [service, name, _, callers] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            format!("{service} {name} {callers}")
        });
        let mut model: Vec<String> = model.collect();
        model.sort_unstable();
        assert!(model.len() > 190);
        assert_eq!(rows, model);
    }

    #[test]
    fn what_only_reads_says_so() {
        for row in rows().filter(|row| row.handler.is_some()) {
            let reads =
                ["Get", "List", "Simulate", "AssumeRo", "Decode"].iter().any(|start| row.name.starts_with(start));
            assert_eq!(row.is_read_only(), reads, "{}", row.name);
        }
    }
}
