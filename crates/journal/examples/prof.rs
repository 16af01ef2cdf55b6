use mainstay_base::Timestamp;
use mainstay_journal::*;
use std::time::Instant;
fn draft(n: u64) -> Draft {
    Draft {
        time: Timestamp::from_micros(n as i64),
        account: "main".into(),
        actor: "service/scheduler".into(),
        kind: "attempt_ended".into(),
        subject: format!("run/R-{n}"),
        cause: Some(n),
        body: vec![7; 350],
        ..Draft::default()
    }
}
fn main() {
    for _ in 0..3 {
        for group in [100usize, 5000] {
            let mut j = Journal::open(MemoryStore::new(), OpenOptions::write()).unwrap();
            let gs: Vec<Vec<Draft>> = (0..200_000 / group)
                .map(|g| (0..group).map(|i| draft((g * group + i) as u64)).collect())
                .collect();
            let t = Instant::now();
            for g in gs {
                j.append(g, None).unwrap();
            }
            println!(
                "memory {group}: {:.0} ns/fact",
                t.elapsed().as_nanos() as f64 / 200_000.0
            );
            let gs: Vec<Vec<Draft>> = (0..200_000 / group)
                .map(|g| (0..group).map(|i| draft((g * group + i) as u64)).collect())
                .collect();
            let t = Instant::now();
            for g in gs {
                drop(g);
            }
            println!(
                "drop {group}: {:.0} ns/fact",
                t.elapsed().as_nanos() as f64 / 200_000.0
            );
        }
        let mut salts = vec![0u8; 16 * 5000];
        let t = Instant::now();
        for _ in 0..40 {
            getrandom::fill(&mut salts).unwrap();
        }
        println!("salts: {:.0} ns/fact", t.elapsed().as_nanos() as f64 / 200_000.0);
        use sha2::{Digest, Sha256};
        let b = vec![7u8; 366];
        let t = Instant::now();
        let mut x = 0u8;
        for _ in 0..200_000 {
            x ^= Sha256::digest(&b)[0];
        }
        println!(
            "sha366: {:.0} ns/fact {x}",
            t.elapsed().as_nanos() as f64 / 200_000.0
        );
        let b = vec![7u8; 65];
        let t = Instant::now();
        let mut x = 0u8;
        for _ in 0..200_000 {
            x ^= Sha256::digest(&b)[0];
        }
        println!(
            "sha65: {:.0} ns/fact {x}",
            t.elapsed().as_nanos() as f64 / 200_000.0
        );
    }
}
