//! The engine alone: DataFusion with its defaults, or with named settings changed, over Parquet files, into Parquet files.

use std::path::{Path, PathBuf};

use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use tokio::runtime::Runtime;

use crate::Outcome;
use crate::answer::Answer;
use crate::measure::{Query, Spent, System, timed};

/// Tables with the file or the folder of each.
pub(crate) type Files = Vec<(&'static str, PathBuf)>;

/// A session of the engine that knows the tables.
pub(crate) struct Engine {
    name: String,
    runtime: Runtime,
    context: SessionContext,
    out: PathBuf,
}

impl Engine {
    /// Opens a session; `settings` are DataFusion's options by name.
    pub(crate) fn new(
        name: &str,
        threads: usize,
        settings: &[(&str, &str)],
        files: Files,
        out: &Path,
    ) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?;
        let mut config = SessionConfig::new().with_target_partitions(threads);
        for (key, value) in settings {
            config.options_mut().set(key, value)?;
        }
        let context = SessionContext::new_with_config(config);
        runtime.block_on(async {
            context.sql("CREATE SCHEMA tpch").await?.collect().await?;
            for (table, place) in files {
                let place = place.to_string_lossy().into_owned();
                let options = ParquetReadOptions::default();
                context
                    .register_parquet(format!("tpch.{table}"), place, options)
                    .await?;
            }
            Ok::<_, datafusion::error::DataFusionError>(())
        })?;
        Ok(Self {
            name: name.to_owned(),
            runtime,
            context,
            out: out.to_owned(),
        })
    }

    fn folder(&self, query: &Query) -> PathBuf {
        self.out.join(&query.name)
    }
}

impl System for Engine {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn carry_out(&mut self, query: &Query) -> Outcome<Spent> {
        let folder = self.folder(query);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        // With the slash at its end it is a folder, whatever its name.
        let place = format!("{}/", folder.display());
        let (_, spent) = timed(|| {
            self.runtime.block_on(async {
                let frame = self.context.sql(&query.sql).await?;
                frame
                    .write_parquet(&place, DataFrameWriteOptions::new(), None)
                    .await?;
                Ok(())
            })
        })?;
        Ok(spent)
    }

    fn answer(&mut self, query: &Query) -> Outcome<Answer> {
        Answer::in_files(&self.folder(query))
    }
}
