//! The server from its start to its end: it opens the home as its one writer, listens, and ends so that nothing is lost.

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_api::{Error, ErrorKind};
use mainstay_model::Role as TokenRole;
use mainstay_policy::Policies;
use mainstay_server::{Access, Context, Follower, Instance, JournalAddress, Options, Role};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::app::{self, App};
use crate::identity::new_token;
use crate::limits::{Limits, Rates};
use crate::listen::{self, Shared};
use crate::metrics::Counts;
use crate::operation::Operations;
use crate::standby::Said;
use crate::{clock, guard, lineage, outbox, routes, socket, standby, tls};

/// How long what is going on may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// How long what was stopped may take to end.
const STOP: Duration = Duration::from_secs(60);

/// How often it is looked whether the journal is still there.
const LOOK: Duration = Duration::from_millis(250);

/// How often checkpoints are signed and snapshots left.
const SETTLE: Duration = Duration::from_secs(60);

/// How a server is started.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The home.
    pub home: PathBuf,
    /// Where its journal is, if it is not in the home and the home does not say.
    pub journal: Option<JournalAddress>,
    /// The project whose sources lie on this machine, if there is one.
    pub project: Option<PathBuf>,
    /// Who starts it, and the account that the home is of.
    pub context: Context,
    /// How long to wait for another writer.
    pub wait: Option<Duration>,
    /// Whether to follow another writer, where there is one, and to take over when it is gone.
    pub standby: bool,
    /// Where to listen besides the socket, for example `127.0.0.1:7433`.
    pub listen: Option<String>,
    /// A certificate chain and its key, in place of the home's own authority.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// What requests may take.
    pub limits: Limits,
}

/// A server that answers.
#[derive(Clone, Debug)]
pub struct Announced {
    /// Its socket.
    pub socket: PathBuf,
    /// Its URL, if it listens on the network.
    pub url: Option<String>,
    /// The secret of the first owner's token, if this start made it.
    pub owner: Option<String>,
    /// Whether it is the one that serves, or one that stands by.
    pub role: Role,
    /// Whom it follows, if it stands by and somebody serves.
    pub leader: Option<String>,
    /// What opening had to put in order, in words.
    pub notices: Vec<String>,
}

/// What a server tells who started it.
#[derive(Clone, Debug)]
pub enum Event {
    /// It answers.
    Answers(Announced),
    /// It stands by, and something changed about that.
    Standby(Said),
    /// It stood by and serves now.
    TookOver {
        /// After whom.
        from: String,
        /// The secret of the first owner's token, if there was none yet.
        owner: Option<String>,
        /// What had to be put in order, in words.
        notices: Vec<String>,
    },
}

fn cannot(what: &str, e: &std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "MS0820", format!("cannot {what}")).because(e)
}

/// Serves until it is told to end (SIGTERM or Ctrl-C). `tell` is called when it answers, and when its part changes.
///
/// # Errors
///
/// `Unavailable` if another process writes to the home, or it cannot listen there.
pub fn serve(options: &ServeOptions, tell: &(dyn Fn(Event) + Sync)) -> Result<(), Error> {
    let opening = Options {
        home: options.home.clone(),
        journal: options.journal.clone(),
        project: options.project.clone(),
        access: Access::Write,
        branch: None,
        wait: options.wait,
        context: options.context.clone(),
    };
    let instance = if options.standby {
        Instance::stand_by(opening)?
    } else {
        Instance::open(opening).map_err(or_stand_by)?
    };
    let served = serve_home(options, &instance, tell);
    let closed = instance.close();
    served?;
    closed
}

/// Where the writer is on another machine, this one can stand by for it.
fn or_stand_by(error: Error) -> Error {
    match error.code.as_str() {
        "MS0601" => error.help(
            "wait for it with --wait, or stop that process; where the journal is in PostgreSQL, --standby follows it and takes \
             over when it is gone",
        ),
        _ => error,
    }
}

fn serve_home(
    options: &ServeOptions,
    instance: &Instance,
    tell: &(dyn Fn(Event) + Sync),
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("mainstay-http")
        // Long expressions are planned by recursion. What is not used takes no memory.
        .thread_stack_size(64 << 20)
        .build()
        .map_err(|e| cannot("start threads", &e))?;
    if instance.standing().role() == Role::StandsBy {
        // Where nobody serves there is nobody to follow.
        Follower::new(instance)?.look()?;
    }
    let owner = begin(instance)?;
    let metadata = std::fs::metadata(&options.home).map_err(|e| cannot("look at the home", &e))?;
    let (router, api) = routes::router();
    let (ending, ends) = watch::channel(false);
    let app = Arc::new(App {
        instance: instance.clone(),
        policies: Policies::standard().map_err(|e| {
            Error::new(ErrorKind::Failed, "MS0901", "the policies cannot be used").because(&e)
        })?,
        limits: options.limits,
        rates: Rates::default(),
        operations: Operations::default(),
        counts: Counts::default(),
        routes: app::routes(&api)?,
        looks: Semaphore::new(options.limits.looks),
        account: options.context.account.clone(),
        owner: metadata.uid(),
        ending: ends.clone(),
    });
    let guarded = Arc::clone(&app);
    let router = router
        .fallback(|| async { axum::http::StatusCode::NOT_FOUND })
        .layer(axum::middleware::from_fn(
            move |request: axum::extract::Request, next: axum::middleware::Next| {
                guard::guard(Arc::clone(&guarded), request, next)
            },
        ));
    let (alive, gone) = mpsc::channel(1);
    let shared = Shared {
        router,
        limits: options.limits,
        ending: ends,
        connections: Arc::new(Semaphore::new(options.limits.connections)),
        alive,
    };
    let result = runtime.block_on(async {
        // Whoever sees that it answers may end it in the same moment.
        let mut signals = [
            told_by(SignalKind::terminate())?,
            told_by(SignalKind::interrupt())?,
        ];
        let socket = on_socket(&options.home, shared.clone())?;
        let url = match &options.listen {
            Some(place) => Some(on_network(options, instance, place, shared.clone()).await?),
            None => None,
        };
        drop(shared);
        let role = instance.standing().role();
        // Who reads the announcement may tell it to end at once.
        tell(Event::Answers(Announced {
            socket,
            url,
            owner,
            role,
            leader: instance.standing().leader(),
            notices: instance.notices(),
        }));
        let leads = match role {
            Role::Leads => Ok(true),
            Role::StandsBy | Role::TakesOver => follow(instance, &mut signals, tell).await,
        };
        let tasks = match leads {
            Ok(true) => vec![
                tokio::spawn(clock::keep(Arc::clone(&app))),
                tokio::spawn(clock::watch_promises(Arc::clone(&app))),
                tokio::spawn(clock::watch_alarms(Arc::clone(&app))),
                tokio::spawn(outbox::keep(Arc::clone(&app))),
                tokio::spawn(lineage::keep(Arc::clone(&app))),
            ],
            Ok(false) | Err(_) => Vec::new(),
        };
        let told = match leads {
            Ok(true) => until_told(instance, &mut signals).await,
            Ok(false) => Ok(()),
            Err(e) => Err(e),
        };
        // The sender has receivers for as long as there are connections.
        let _ = ending.send(true);
        end(&app, gone).await;
        // They stop what they do when the server ends.
        for task in tasks {
            let _ = task.await;
        }
        told
    });
    // The home is not to be closed while anything still uses it.
    runtime.shutdown_timeout(STOP);
    let _ = std::fs::remove_file(socket::path(&options.home));
    drop(app);
    result
}

/// Begins to serve, where it is this server's turn: makes the first owner's token, if the account has none, and returns its
/// secret. What is there is signed, so that whoever stands by can tell whether it has the key.
fn begin(instance: &Instance) -> Result<Option<String>, Error> {
    if instance.standing().role() != Role::Leads {
        return Ok(None);
    }
    let token = if instance.tokens().is_empty() {
        new_token(instance, "owner", TokenRole::Owner, None)?.secret
    } else {
        None
    };
    instance.sign_for_others()?;
    Ok(token)
}

/// Follows the server that serves, until this one does; false if it was told to end before.
async fn follow(
    instance: &Instance,
    signals: &mut [Signal; 2],
    tell: &(dyn Fn(Event) + Sync),
) -> Result<bool, Error> {
    let say = |said| tell(Event::Standby(said));
    let Some(from) = standby::until_leads(instance, signals, &say).await? else {
        return Ok(false);
    };
    let own = instance.clone();
    let owner = crate::answer::blocking(move || begin(&own)).await?;
    let own = instance.clone();
    tokio::spawn(crate::answer::blocking(move || {
        own.tidy();
        Ok(())
    }));
    tell(Event::TookOver {
        from,
        owner,
        notices: instance.notices(),
    });
    Ok(true)
}

fn on_socket(home: &Path, shared: Shared) -> Result<PathBuf, Error> {
    let place = socket::path(home);
    // The home's lock is held: whoever left a socket there is gone.
    let _ = std::fs::remove_file(&place);
    let bind = || {
        let short = socket::Short::of(home)?;
        let listener = UnixListener::bind(&short.path)?;
        // Others on this machine need a token, but may ask.
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o666))?;
        Ok(listener)
    };
    let listener = bind().map_err(|e| cannot(&format!("listen on {}", place.display()), &e))?;
    tokio::spawn(listen::socket(listener, shared));
    Ok(place)
}

/// A standby with an authority of its own would be a stranger to all who trust the server's that serves.
fn no_authority(home: &Path) -> Error {
    let text = "the certificate authority of the server that serves is not in this home";
    Error::new(ErrorKind::Invalid, "MS0841", text).help(format!(
        "copy the folder tls from its home to {}, or give each server a certificate with --certificate and --key",
        home.display()
    ))
}

async fn on_network(
    options: &ServeOptions,
    instance: &Instance,
    place: &str,
    shared: Shared,
) -> Result<String, Error> {
    let fail = |e: std::io::Error| {
        cannot(&format!("listen on {place}"), &e).help("for example --listen 127.0.0.1:7433")
    };
    let addresses: Vec<SocketAddr> = place.to_socket_addrs().map_err(fail)?.collect();
    let listener = TcpListener::bind(addresses.as_slice()).await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    let plain = address.ip().is_loopback() && options.certificate.is_none();
    let acceptor = if plain {
        None
    } else {
        let files = options.certificate.as_ref().map(|(certificate, key)| tls::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        });
        if instance.standing().role() != Role::Leads && files.is_none() && !tls::has_authority(&options.home)
        {
            return Err(no_authority(&options.home));
        }
        let config = tls::server(&options.home, files.as_ref(), &names(place, address))?;
        Some(tokio_rustls::TlsAcceptor::from(config))
    };
    tokio::spawn(listen::network(listener, acceptor, shared));
    Ok(format!("{}://{address}", if plain { "http" } else { "https" }))
}

/// The names by which this server is called: as it was told, as this machine is called, and the local ones.
fn names(place: &str, address: SocketAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !address.ip().is_unspecified() {
        names.push(address.ip().to_string());
    }
    if let Some((host, _)) = place.rsplit_once(':') {
        names.push(host.trim_matches(['[', ']']).to_owned());
    }
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    names.push(machine.trim().to_owned());
    names.retain(|n| !n.is_empty() && n != "0.0.0.0" && n != "::");
    names.sort();
    names.dedup();
    names
}

fn told_by(kind: SignalKind) -> Result<Signal, Error> {
    signal(kind).map_err(|e| cannot("listen to signals", &e))
}

/// Waits for the signal to end, and keeps the journal in order meanwhile. A server whose journal is lost to it ends as well: the
/// next one opens it again, and finishes what this one could not.
async fn until_told(instance: &Instance, signals: &mut [Signal; 2]) -> Result<(), Error> {
    let [terminate, interrupt] = signals;
    let mut settled = Instant::now();
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {
                if instance.is_followed() {
                    return Err(standby::overtaken());
                }
                let (instance, settles) = (instance.clone(), settled.elapsed() >= SETTLE);
                let look = move || {
                    if settles {
                        // What cannot be signed now is signed later, or at the end, which says why it cannot.
                        let _ = instance.settle();
                    }
                    Ok(instance.lost())
                };
                if let Some(lost) = crate::answer::blocking(look).await? {
                    return Err(lost);
                }
                if settles {
                    settled = Instant::now();
                }
            }
        }
    }
}

/// Lets requests end, then stops what goes on; a second signal stops it at once.
async fn end(app: &App, mut gone: mpsc::Receiver<()>) {
    let told = async {
        if let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        }
    };
    let all_done = async {
        gone.recv().await;
        // Work whose client went away is still work.
        app.instance.all_turns_ended().await;
    };
    let mut all_done = std::pin::pin!(all_done);
    if app.instance.is_followed() {
        // Nothing of it can be recorded any more.
        app.operations.cancel_all();
    }
    let ended = tokio::select! {
        () = all_done.as_mut() => true,
        () = told => false,
        () = tokio::time::sleep(GRACE) => false,
    };
    if !ended {
        app.operations.cancel_all();
        let _ = tokio::time::timeout(STOP, all_done).await;
    }
}
