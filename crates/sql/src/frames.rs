//! The frame that SQL gives a window with an order and without a frame, written out.
//!
//! The planner takes an order by something unique for one by rows, and goes wrong where it only believes that it is: below an
//! `unnest`, a grouping key is still taken for unique (DataFusion 55.2). With the standard's frame in the query it has nothing to
//! believe.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, NamedWindowExpr, Query, Select, SetExpr, VisitMut, VisitorMut, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowSpec, WindowType,
};

/// Writes out the frames of a query.
pub(crate) fn write_out(query: &mut Query) {
    struct WriteOut;
    impl VisitorMut for WriteOut {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Function(call) = expr
                && let Some(WindowType::WindowSpec(spec)) = &mut call.over
            {
                complete(spec);
            }
            ControlFlow::Continue(())
        }

        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            named(&mut query.body);
            ControlFlow::Continue(())
        }
    }
    let _ = query.visit(&mut WriteOut);
}

/// Windows with a name, of every SELECT that is combined with others.
fn named(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => windows(select),
        SetExpr::SetOperation { left, right, .. } => {
            named(left);
            named(right);
        }
        _ => {}
    }
}

fn windows(select: &mut Select) {
    for window in &mut select.named_window {
        if let NamedWindowExpr::WindowSpec(spec) = &mut window.1 {
            complete(spec);
        }
    }
}

/// One that refers to a window by name has that one's order, too, and may have its frame.
fn complete(spec: &mut WindowSpec) {
    if spec.order_by.is_empty() || spec.window_frame.is_some() {
        return;
    }
    spec.window_frame = Some(WindowFrame {
        units: WindowFrameUnits::Range,
        start_bound: WindowFrameBound::Preceding(None),
        end_bound: Some(WindowFrameBound::CurrentRow),
    });
}
