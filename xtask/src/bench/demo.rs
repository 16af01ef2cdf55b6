//! The demo, from its first line to its last, after the build.

use std::time::Instant;

use super::figure::{Figure, Wanted};
use super::{Bench, Setting};
use crate::failure::{Context as _, Outcome};
use crate::program::Program;
use crate::screen;

pub(super) const BENCH: Bench = Bench {
    name: "demo",
    measure,
};

const ROUNDS: usize = 5;

fn measure(setting: &Setting) -> Outcome<Vec<Figure>> {
    let binary = setting.binary()?;
    let folder = std::env::temp_dir().join(format!("mainstay-bench-demo-{}", std::process::id()));
    let mut seconds = Vec::new();
    for round in 1..=ROUNDS {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).context(folder.display())?;
        let started = Instant::now();
        Program::new(&binary)
            .args(["demo"])
            .args([folder.join("demo")])
            .args(&setting.extra)
            .output()?;
        seconds.push(started.elapsed().as_secs_f64());
        screen::say(format!(
            "demo {round} of {ROUNDS}: {}",
            screen::duration(started.elapsed())
        ));
    }
    let _ = std::fs::remove_dir_all(&folder);
    Ok(vec![
        Figure::of("the whole demo, after the build", "s", &seconds)?.wanted(Wanted::AtMost(20.0)),
    ])
}
