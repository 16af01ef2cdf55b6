//! The functions in SQL: equal bits whatever the order of rows, the partitions, the batches and the memory.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use datafusion::datasource::MemTable;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;

use super::oracle::{any_finite, any_tame};

const AGGREGATES: &str = "sum(x), avg(x), mean(y) AS also_mean, var(x), var_samp(x) AS also_var_samp, var_pop(x), stddev(x), stddev_samp(x) AS also_stddev_samp, \
    stddev_pop(x), covar_samp(y, x), covar(y, x) AS also_covar, covar_pop(y, x), corr(y, x), regr_slope(y, x), regr_intercept(y, x), \
    regr_r2(y, x), regr_avgx(y, x), regr_avgy(y, x), regr_sxx(y, x), regr_syy(y, x), regr_sxy(y, x), regr_count(y, x), \
    min(x), max(x), median(x), sum(z), avg(z), avg(id), sum(x + 0.1), sum(CAST(x / 3 AS REAL)), \
    sum(x) FILTER (WHERE id % 2 = 0), corr(y, x) FILTER (WHERE id % 3 = 0)";

/// The queries of the property; every one has a total order.
fn queries() -> Vec<String> {
    let window = |frame: &str| {
        let of = [
            "sum(x)",
            "avg(x)",
            "var_samp(x)",
            "stddev_pop(x)",
            "covar_pop(y, x)",
            "corr(y, x)",
            "regr_slope(y, x)",
            "max(x)",
        ];
        let columns: Vec<String> = of.iter().map(|of| format!("{of} OVER ({frame})")).collect();
        format!("SELECT id, {} FROM t ORDER BY id", columns.join(", "))
    };
    vec![
        format!("SELECT {AGGREGATES} FROM t"),
        format!("SELECT g, {AGGREGATES} FROM t GROUP BY g ORDER BY g"),
        format!("SELECT id % 97, {AGGREGATES} FROM t GROUP BY 1 ORDER BY 1"),
        "SELECT g, sum(DISTINCT x), avg(DISTINCT x), var(DISTINCT x), var_pop(DISTINCT x), median(DISTINCT x) FROM t \
         GROUP BY g ORDER BY g"
            .to_owned(),
        "SELECT sum(DISTINCT x), avg(DISTINCT x) FROM t".to_owned(),
        "SELECT g, sum(x), count(DISTINCT z) FROM t GROUP BY g ORDER BY g".to_owned(),
        window("ORDER BY id ROWS BETWEEN 6 PRECEDING AND CURRENT ROW"),
        window("PARTITION BY g ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING"),
        window("PARTITION BY g ORDER BY id"),
        window("PARTITION BY g"),
    ]
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("g", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
        Field::new("y", DataType::Float64, true),
        Field::new("z", DataType::Int64, true),
    ]))
}

/// A table of rows `(g, x, y)`; `id` counts them, `z` is a large integer.
fn table(rows: &[(Option<i64>, Option<f64>, Option<f64>)]) -> RecordBatch {
    let id: Int64Array = (0..rows.len() as i64).collect();
    let g: Int64Array = rows.iter().map(|row| row.0).collect();
    let x: Float64Array = rows.iter().map(|row| row.1).collect();
    let y: Float64Array = rows.iter().map(|row| row.2).collect();
    let z: Int64Array = id
        .iter()
        .flatten()
        .map(|id| id * id * 1_000_000_007 % ((1 << 52) - 1))
        .collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(id), Arc::new(g), Arc::new(x), Arc::new(y), Arc::new(z)];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// How a query is executed.
#[derive(Clone, Debug)]
struct Layout {
    order: Vec<u64>,
    sources: usize,
    partitions: usize,
    batch: usize,
    skip_partial: bool,
    exact: bool,
}

fn any_layout(rows: usize) -> impl Strategy<Value = Layout> {
    (
        Just((0..rows as u64).collect::<Vec<_>>()).prop_shuffle(),
        1usize..5,
        prop::sample::select(vec![1usize, 2, 4, 8]),
        prop::sample::select(vec![7usize, 64, 1024, 8192]),
        any::<bool>(),
    )
        .prop_map(|(order, sources, partitions, batch, skip_partial)| Layout {
            order,
            sources,
            partitions,
            batch,
            skip_partial,
            exact: true,
        })
}

fn context(table: &RecordBatch, layout: &Layout, memory: Option<usize>) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(layout.partitions)
        .with_batch_size(layout.batch);
    if layout.skip_partial {
        let execution = &mut config.options_mut().execution;
        execution.skip_partial_aggregation_probe_rows_threshold = 1;
        execution.skip_partial_aggregation_probe_ratio_threshold = 0.0;
    }
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(memory) = memory {
        config.options_mut().execution.sort_spill_reservation_bytes = 64 << 10;
        runtime = runtime.with_memory_limit(memory, 1.0);
    }
    let mut context = SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap());
    if layout.exact {
        super::register(&mut context).unwrap();
    }
    let rows = take_record_batch(table, &arrow::array::UInt64Array::from(layout.order.clone())).unwrap();
    let mut sources = vec![Vec::new(); layout.sources];
    for (i, start) in (0..rows.num_rows()).step_by(layout.batch).enumerate() {
        let length = layout.batch.min(rows.num_rows() - start);
        sources[i % layout.sources].push(rows.slice(start, length));
    }
    let provider = MemTable::try_new(schema(), sources).unwrap();
    context.register_table("t", Arc::new(provider)).unwrap();
    context
}

async fn plan(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    context
        .sql(sql)
        .await
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap()
}

/// The result's numbers as bits, column by column; NULL is `None`.
async fn bits(context: &SessionContext, sql: &str) -> Vec<Vec<Option<u64>>> {
    let plan = plan(context, sql).await;
    let batches = collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
    let result = concat_batches(&plan.schema(), &batches).unwrap();
    result
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Float64 => column
                .as_primitive::<Float64Type>()
                .iter()
                .map(|x| x.map(f64::to_bits))
                .collect(),
            _ => {
                let column = cast(column, &DataType::Int64).unwrap();
                column
                    .as_primitive::<Int64Type>()
                    .iter()
                    .map(|x| x.map(|x| x as u64))
                    .collect()
            }
        })
        .collect()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap()
        .block_on(future)
}

fn any_value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        20 => any_finite().prop_map(Some),
        20 => any_tame().prop_map(Some),
        1 => Just(None),
        1 => prop::sample::select(vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).prop_map(Some),
    ]
}

fn any_rows(
    values: impl Strategy<Value = Option<f64>> + Clone,
) -> impl Strategy<Value = Vec<(Option<i64>, Option<f64>, Option<f64>)>> {
    prop::collection::vec(
        (prop::option::weighted(0.9, 0..5i64), values.clone(), values),
        1..300,
    )
}

fn cloneable(
    values: impl Strategy<Value = Option<f64>> + 'static,
) -> impl Strategy<Value = Option<f64>> + Clone {
    values.boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn equal_rows_give_equal_bits_however_they_are_laid_out(
        (rows, layouts) in any_rows(cloneable(any_value())).prop_flat_map(|rows| {
            let length = rows.len();
            (Just(rows), prop::collection::vec(any_layout(length), 2..4))
        })
    ) {
        let table = table(&rows);
        run(async {
            for sql in queries() {
                let mut seen = None;
                for layout in &layouts {
                    let got = bits(&context(&table, layout, None), &sql).await;
                    let expected = seen.get_or_insert_with(|| got.clone());
                    prop_assert_eq!(&got, &*expected, "{} {:?}", sql, layout);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn ordinary_numbers_give_what_the_originals_give(
        (rows, layout) in any_rows(cloneable(prop_oneof![20 => any_tame().prop_map(Some), 1 => Just(None)]))
            .prop_flat_map(|rows| { let length = rows.len(); (Just(rows), any_layout(length)) })
    ) {
        let table = table(&rows);
        let plain = Layout { exact: false, ..layout.clone() };
        run(async {
            // In frames that slide, the originals drift.
            for sql in queries().into_iter().filter(|sql| !sql.contains("PRECEDING")) {
                let exact = bits(&context(&table, &layout, None), &sql).await;
                let original = bits(&context(&table, &plain, None), &sql).await;
                for (column, (a, b)) in exact.iter().zip(&original).enumerate() {
                    for (a, b) in a.iter().zip(b) {
                        let near = match (a, b) {
                            (Some(a), Some(b)) => {
                                let (x, y) = (f64::from_bits(*a), f64::from_bits(*b));
                                // Spreads of a few close numbers and fits to them are what the originals get wrong.
                                a == b || (x - y).abs() <= 1e-6 * (1.0 + x.abs().max(y.abs())) || y.is_nan() || x.abs() > 1e9
                            }
                            // Where the exact spread is zero, the original may have a tiny rest instead, or the reverse.
                            (None, Some(_)) | (Some(_), None) => sql.contains("corr") || sql.contains("regr"),
                            (None, None) => true,
                        };
                        prop_assert!(near, "{} column {}: {:?} {:?}", sql, column, a.map(f64::from_bits), b.map(f64::from_bits));
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_frame_that_slides_gives_what_its_rows_give(
        (rows, layout) in any_rows(cloneable(any_value()))
            .prop_flat_map(|rows| { let length = rows.len(); (Just(rows), any_layout(length)) })
    ) {
        let context = context(&table(&rows), &layout, None);
        let of = ["sum(b.x)", "avg(b.x)", "var(b.x)", "stddev_pop(b.x)", "covar_pop(b.y, b.x)", "regr_intercept(b.y, b.x)", "corr(b.y, b.x)"];
        let over = of.map(|of| format!("{of} OVER (ORDER BY id ROWS BETWEEN 4 PRECEDING AND 1 FOLLOWING)"));
        let sliding = format!("SELECT id, {} FROM t b ORDER BY id", over.join(", "));
        let grouped = format!(
            "SELECT a.id, {} FROM t a JOIN t b ON b.id BETWEEN a.id - 4 AND a.id + 1 GROUP BY a.id ORDER BY a.id",
            of.join(", ")
        );
        let (sliding, grouped) = run(async { (bits(&context, &sliding).await, bits(&context, &grouped).await) });
        prop_assert_eq!(sliding, grouped);
    }
}

fn rows_in_order(values: [f64; 3], exact: bool) -> Vec<Vec<Option<u64>>> {
    let rows: Vec<_> = values.iter().map(|&x| (Some(1), Some(x), Some(1.0))).collect();
    let layout = Layout {
        order: vec![0, 1, 2],
        sources: 1,
        partitions: 1,
        batch: 1,
        skip_partial: false,
        exact,
    };
    run(bits(
        &context(&table(&rows), &layout, None),
        "SELECT sum(x), avg(x), var(x) FROM t GROUP BY g",
    ))
}

#[test]
fn the_originals_do_vary() {
    let orders = [[1e16, 1.0, -1e16], [1e16, -1e16, 1.0]];
    assert_ne!(rows_in_order(orders[0], false), rows_in_order(orders[1], false));
    let exact = rows_in_order(orders[0], true);
    assert_eq!(exact, rows_in_order(orders[1], true));
    assert_eq!(exact[0], [Some(1f64.to_bits())]);
    assert_eq!(exact[1], [Some((1f64 / 3.0).to_bits())]);
}

#[test]
fn extremes_and_medians_see_zeros_infinities_and_nan_in_any_order() {
    let values = [-0.0, 0.0, f64::NEG_INFINITY, -f64::NAN, f64::NAN];
    for a in 0..5 {
        for b in 0..5 {
            let one = |pair: [f64; 2]| {
                let rows: Vec<_> = pair.iter().map(|&x| (Some(1), Some(x), None)).collect();
                let layout = Layout {
                    order: vec![0, 1],
                    sources: 1,
                    partitions: 1,
                    batch: 1,
                    skip_partial: false,
                    exact: true,
                };
                let sql = "SELECT min(x), max(x), median(x) FROM t GROUP BY g";
                run(bits(&context(&table(&rows), &layout, None), sql))
            };
            assert_eq!(
                one([values[a], values[b]]),
                one([values[b], values[a]]),
                "{} {}",
                values[a],
                values[b]
            );
        }
    }
    let rows = [(Some(1), Some(f64::NEG_INFINITY), None)];
    let layout = Layout {
        order: vec![0],
        sources: 1,
        partitions: 1,
        batch: 1,
        skip_partial: false,
        exact: true,
    };
    let got = run(bits(
        &context(&table(&rows), &layout, None),
        "SELECT max(x) FROM t GROUP BY g",
    ));
    assert_eq!(got, [[Some(f64::NEG_INFINITY.to_bits())]]);
}

#[test]
fn spilling_changes_no_bits() {
    let rows: Vec<_> = (0..60_000i64)
        .map(|i| {
            let x = ((i * 7919) % 100_003) as f64 / 97.0;
            (
                Some(i % 20_000),
                Some(x),
                Some(if i % 50 == 0 { 1e-200 } else { x.sqrt() }),
            )
        })
        .collect();
    let table = table(&rows);
    let layout = |batch, partitions, skip_partial| Layout {
        order: (0..rows.len() as u64).rev().collect(),
        sources: 2,
        partitions,
        batch,
        skip_partial,
        exact: true,
    };
    let sql = "SELECT g, sum(x), avg(y), var(y), corr(y, x) FROM t GROUP BY g ORDER BY g";
    run(async {
        let roomy = bits(&context(&table, &layout(1024, 2, true), None), sql).await;
        let tight = context(&table, &layout(512, 1, false), Some(9_000_000));
        let plan = plan(&tight, sql).await;
        let batches = collect(Arc::clone(&plan), tight.task_ctx()).await.unwrap();
        let spilled = spills(&plan);
        assert!(
            spilled > 0,
            "nothing was spilled: {}",
            displayable(plan.as_ref()).indent(false)
        );
        let result = concat_batches(&plan.schema(), &batches).unwrap();
        for (column, expected) in result.columns()[1..].iter().zip(&roomy[1..]) {
            let got: Vec<_> = column
                .as_primitive::<Float64Type>()
                .iter()
                .map(|x| x.map(f64::to_bits))
                .collect();
            assert_eq!(&got, expected);
        }
    });
}

/// How often the operators of a plan have spilled.
fn spills(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let own = plan
        .metrics()
        .and_then(|metrics| metrics.spill_count())
        .unwrap_or(0);
    own + plan.children().into_iter().map(spills).sum::<usize>()
}

#[test]
fn the_functions_keep_their_names_types_and_nulls() {
    let originals = SessionContext::new();
    for function in super::functions() {
        let names = std::iter::once(function.name().to_owned()).chain(function.aliases().iter().cloned());
        for name in names {
            let state = originals.state();
            let original = &state.aggregate_functions()[&name];
            assert_eq!(original.signature(), function.signature());
            assert_eq!(original.is_nullable(), function.is_nullable());
            assert_eq!(original.documentation(), function.documentation());
        }
    }
    let layout = Layout {
        order: vec![0],
        sources: 1,
        partitions: 2,
        batch: 8,
        skip_partial: false,
        exact: true,
    };
    let table = table(&[(None, None, None)]);
    let sql =
        "SELECT sum(x), avg(x), var(x), corr(y, x), regr_avgx(y, x), sum(1.5::DECIMAL(5,2)), sum(id) FROM t";
    run(async {
        let exact = context(&table, &layout, None);
        let original = context(
            &table,
            &Layout {
                exact: false,
                ..layout.clone()
            },
            None,
        );
        let (a, b) = (plan(&exact, sql).await, plan(&original, sql).await);
        assert_eq!(a.schema(), b.schema());
        let batches = collect(a, exact.task_ctx()).await.unwrap();
        assert!(batches[0].columns()[..5].iter().all(|column| column.is_null(0)));
        let error = exact
            .sql("SELECT corr(DISTINCT y, x) FROM t")
            .await
            .unwrap()
            .collect()
            .await
            .unwrap_err();
        assert!(error.to_string().contains("DISTINCT"), "{error}");
    });
}
