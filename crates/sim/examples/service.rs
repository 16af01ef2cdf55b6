//! What a server of one machine does in a second: `service BINARY FOLDER SECONDS` starts one, asks for runs one by one over the API,
//! sends messages to a hook, and prints how many runs there were, how long requests took, and how long it was from a message to the
//! start of the run that it set off.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many clients ask at the same time, each for runs of a job of its own.
const CLIENTS: usize = 8;

/// How many messages come in a second.
const RATES: [u32; 2] = [2, 20];

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [binary, folder, seconds] = args.as_slice() else {
        return Err("service BINARY FOLDER SECONDS".into());
    };
    let (folder, seconds): (&Path, u64) = (folder.as_ref(), seconds.parse()?);
    project(binary, folder)?;
    let began = Instant::now();
    let mut server = Server::start(binary, folder)?;
    let ready = began.elapsed();
    std::thread::park_timeout(Duration::from_secs(1));
    let idle = server.memory()?;
    let (ran, took) = runs(&server, Duration::from_secs(seconds))?;
    let mut figures = vec![
        figure(
            "a server with nothing in its journal is ready",
            "s",
            &[ready.as_secs_f64()],
        ),
        figure("its memory at rest", "MB", &[idle]),
        figure(
            "runs a second, asked for one by one by 8 clients",
            "/s",
            &[ran as f64 / seconds as f64],
        ),
        figure(
            "from asking for a run to its end, half of them",
            "ms",
            &[of(&took, 50)],
        ),
        figure(
            "from asking for a run to its end, 99 of 100",
            "ms",
            &[of(&took, 99)],
        ),
    ];
    for rate in RATES {
        let delays = triggers(&server, folder, rate, Duration::from_secs(seconds.min(10)))?;
        for part in [50, 99] {
            let name =
                format!("{rate} messages a second: from a message to the start of its run, {part} of 100");
            figures.push(figure(&name, "ms", &[of(&delays, part)]));
        }
    }
    figures.push(figure("its memory after that", "MB", &[server.memory()?]));
    server.end()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", json!({ "figures": figures }))?;
    Ok(())
}

fn figure(name: &str, unit: &str, values: &[f64]) -> Value {
    let value = values.first();
    json!({ "name": name, "unit": unit, "min": value, "median": value, "max": value })
}

/// The value below which so many of a hundred are, in milliseconds.
fn of(sorted: &[f64], part: usize) -> f64 {
    let at = (sorted.len() * part / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn command(binary: &str, folder: &Path, words: &[&str]) -> Outcome<String> {
    let out = Command::new(binary).args(words).current_dir(folder).output()?;
    if out.status.success() {
        Ok(String::from_utf8(out.stdout)?)
    } else {
        Err(String::from_utf8_lossy(&out.stderr).into_owned().into())
    }
}

/// A project of jobs that do next to nothing, and one that messages set off.
fn project(binary: &str, folder: &Path) -> Outcome {
    let mut text = "[project]\nname = \"load\"\n\n[hook.knock]\nsecret = \"env:KNOCK\"\n\n[trigger.follow]\nwebhook = \"knock\"\nrun = [\"load.follow\"]\n"
        .to_owned();
    for n in 0..CLIENTS {
        text.push_str(&format!("\n[job.\"load.j{n}\"]\nsql = \"SELECT {n} AS n\"\n"));
    }
    text.push_str("\n[source.\"load.rows\"]\nfiles = \"rows/*.csv\"\ncolumns = { n = \"long\" }\n\n[job.\"load.follow\"]\nsql = \"SELECT sum(n) AS n FROM load.rows\"\n");
    std::fs::create_dir_all(folder.join("rows"))?;
    std::fs::write(folder.join("mainstay.toml"), text)?;
    std::fs::write(folder.join("rows/0.csv"), "n\n0\n")?;
    command(binary, folder, &["apply", "--yes"])?;
    command(binary, folder, &["run"])?;
    Ok(())
}

struct Server {
    child: Child,
    address: String,
    token: String,
}

impl Server {
    fn start(binary: &str, folder: &Path) -> Outcome<Self> {
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line)?;
        let url = said["url"].as_str().ok_or("no address")?;
        Ok(Self {
            child,
            address: url.trim_start_matches("http://").to_owned(),
            token: said["owner_token"].as_str().ok_or("no token")?.to_owned(),
        })
    }

    /// What it has in memory, in megabytes.
    fn memory(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|l| l.starts_with("VmRSS:"))
            .ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
        Ok(kib * 1024.0 / 1e6)
    }

    fn end(&mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn connect(&self) -> Outcome<Client<'_>> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        Ok(Client {
            server: self,
            reader: BufReader::new(stream.try_clone()?),
            stream,
        })
    }
}

/// A connection that is kept.
struct Client<'a> {
    server: &'a Server,
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client<'_> {
    fn post(&mut self, path: &str, body: &Value) -> Outcome<Value> {
        let body = body.to_string();
        write!(
            self.stream,
            "POST {path} HTTP/1.1\r\nHost: load\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.server.token,
            body.len()
        )?;
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status: u16 = line.split(' ').nth(1).ok_or("no status")?.parse()?;
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.reader.read_exact(&mut answer)?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        if !(200..300).contains(&status) {
            return Err(format!("{path}: {status} {text}").into());
        }
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}

/// Asks for runs for a while; returns how many there were, and how long each took, in milliseconds and in order.
fn runs(server: &Server, time: Duration) -> Outcome<(usize, Vec<f64>)> {
    let until = Instant::now() + time;
    let each: Vec<Outcome<Vec<f64>>> = std::thread::scope(|threads| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                threads.spawn(move || {
                    let mut client = server.connect()?;
                    let body =
                        json!({ "targets": [format!("load.j{n}")], "force": true, "without_deliveries": true });
                    let mut took = Vec::new();
                    while Instant::now() < until {
                        let began = Instant::now();
                        let ran = client.post("/v1/runs", &body)?;
                        if ran["runs"][0]["outcome"] != "succeeded" {
                            return Err(ran.to_string().into());
                        }
                        took.push(began.elapsed().as_secs_f64() * 1000.0);
                    }
                    Ok(took)
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|c| c.join().unwrap_or_else(|_| Err("a client panicked".into())))
            .collect()
    });
    let mut all = Vec::new();
    for took in each {
        all.extend(took?);
    }
    all.sort_by(f64::total_cmp);
    Ok((all.len(), all))
}

/// Puts a file with other content in the place of the one before. It was written long ago: one that was written just now is left
/// alone until it rests.
fn place(folder: &Path, rate: u32, n: u32) -> Outcome {
    let path = folder.join("next.csv");
    std::fs::write(&path, format!("n\n{rate}{n}\n"))?;
    let then = std::time::UNIX_EPOCH
        + Duration::from_secs(1_700_000_000)
        + Duration::from_secs(1) * (rate * 100_000 + n);
    std::fs::File::options()
        .write(true)
        .open(&path)?
        .set_modified(then)?;
    std::fs::rename(path, folder.join("rows/0.csv"))?;
    Ok(())
}

/// Sends messages, each after a file with other content, and says, in milliseconds and in order, how long it was from each to the
/// start of the run after it. Those that come while a run goes on are followed by one run together.
fn triggers(server: &Server, folder: &Path, rate: u32, time: Duration) -> Outcome<Vec<f64>> {
    let mut client = server.connect()?;
    let last = |client: &mut Client<'_>| -> Outcome<u64> {
        let rows = client.post(
            "/v1/queries",
            &json!({ "sql": "SELECT max(seq) AS seq FROM system.facts" }),
        )?;
        rows[0]["seq"].as_u64().ok_or_else(|| rows.to_string().into())
    };
    let from = last(&mut client)?;
    let began = Instant::now();
    let mut n = 0u32;
    while began.elapsed() < time {
        let due = began + Duration::from_secs(1) * n / rate;
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        // Without anything new there would be nothing to run.
        place(folder, rate, n)?;
        let message = json!({ "specversion": "1.0", "id": format!("{rate}-{n}"), "source": "load", "type": "knock", "data": n });
        client.post("/v1/hooks/knock", &message)?;
        n += 1;
    }
    std::thread::park_timeout(Duration::from_secs(2));
    let sql = format!(
        "SELECT kind, date_part('epoch', time) AS at FROM system.facts WHERE seq > {from} AND kind IN ('hook.received', 'attempt.started') ORDER BY seq"
    );
    let rows = client.post("/v1/queries", &json!({ "sql": sql }))?;
    let mut waiting: Vec<f64> = Vec::new();
    let mut delays = Vec::new();
    for row in rows.as_array().ok_or("no rows")? {
        let at = row["at"].as_f64().ok_or("no time")?;
        if row["kind"] == "hook.received" {
            waiting.push(at);
        } else {
            delays.extend(waiting.drain(..).map(|since| (at - since) * 1000.0));
        }
    }
    delays.sort_by(f64::total_cmp);
    Ok(delays)
}
