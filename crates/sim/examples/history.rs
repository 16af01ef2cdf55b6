//! Gives a home a long past: `history HOME FACTS` appends runs to its journal until it holds so many facts.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(home), Some(facts)) = (args.next(), args.next()) else {
        return Err("history HOME FACTS".into());
    };
    mainstay_sim::lengthen(home.as_ref(), facts.parse()?)?;
    Ok(())
}
