//! `EvaluationResults` of a simulation.

use crate::iam::reply::{Writer, members, text_members};
use crate::policy::{Evaluation, Matched, Position, ResourceEvaluation, Verdict};

/// One action.
pub(super) fn write_evaluation(w: &mut Writer, one: &Evaluation) {
    w.leaf("EvalActionName", &one.action).leaf("EvalResourceName", &one.resource);
    w.leaf("EvalDecision", one.decision.text());
    write_matched(w, &one.matched);
    // Where resources are named, what is missing stands with each of them.
    let missing = if one.resources.is_empty() { &one.missing[..] } else { &[] };
    text_members(w, "MissingContextValues", missing);
    write_boundary(w, one.allowed_by_boundary);
    if let Some(details) = &one.details {
        write_details(w, details);
    }
    if !one.resources.is_empty() {
        members(w, "ResourceSpecificResults", &one.resources, write_resource);
    }
}

fn write_resource(w: &mut Writer, one: &ResourceEvaluation) {
    w.leaf("EvalResourceName", &one.resource).leaf("EvalResourceDecision", one.decision.text());
    write_matched(w, &one.matched);
    text_members(w, "MissingContextValues", &one.missing);
    if !one.details.is_empty() {
        write_details(w, &one.details);
    }
    write_boundary(w, one.allowed_by_boundary);
}

fn write_matched(w: &mut Writer, matched: &[Matched]) {
    members(w, "MatchedStatements", matched, |w, one| {
        w.leaf("SourcePolicyId", &one.policy_id).leaf("SourcePolicyType", one.policy_type());
        write_position(w, "StartPosition", one.start);
        write_position(w, "EndPosition", one.end);
    });
}

fn write_position(w: &mut Writer, name: &str, at: Position) {
    w.node(name, |w| {
        w.leaf("Line", &at.line.to_string()).leaf("Column", &at.column.to_string());
    });
}

fn write_boundary(w: &mut Writer, allowed: Option<bool>) {
    if let Some(allowed) = allowed {
        w.node("PermissionsBoundaryDecisionDetail", |w| {
            w.flag("AllowedByPermissionsBoundary", allowed);
        });
    }
}

/// A map is written as entries of key and value.
fn write_details(w: &mut Writer, details: &[(&'static str, Verdict)]) {
    w.node("EvalDecisionDetails", |w| {
        for (kind, verdict) in details {
            w.node("entry", |w| {
                w.leaf("key", kind).leaf("value", verdict.text());
            });
        }
    });
}
