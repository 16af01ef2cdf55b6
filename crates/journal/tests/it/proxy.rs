//! Something between the store and its server that cuts and holds connections on demand.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is done to the next commit that comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It does not reach the server, and the connection is gone.
    Before,
    /// It reaches the server, the answer does not come back.
    After,
    /// The connection is gone for the client, and the commit reaches the server only a while later.
    Late,
    /// From then on nothing passes, and nothing is closed, until [`Proxy::hold`] is told otherwise: a writer that sleeps in the
    /// middle of a transaction.
    Sleep,
}

#[derive(Debug, Default)]
struct Wishes {
    next: Mutex<Option<Cut>>,
    held: AtomicBool,
    cuts: AtomicUsize,
}

/// Passes connections on to a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    wishes: Arc<Wishes>,
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let wishes = Arc::<Wishes>::default();
        let shared = Arc::clone(&wishes);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                pass(client, server, &shared);
            }
        });
        Self { port, wishes }
    }

    /// Does this to the next commit.
    pub(crate) fn cut_next(&self, cut: Cut) {
        *self.wishes.next.lock().expect("a wish") = Some(cut);
    }

    /// Returns how often a connection was cut.
    pub(crate) fn cuts(&self) -> usize {
        self.wishes.cuts.load(Ordering::SeqCst)
    }

    /// Lets nothing through, without closing anything, until told otherwise.
    pub(crate) fn hold(&self, held: bool) {
        self.wishes.held.store(held, Ordering::SeqCst);
    }
}

fn pass(client: TcpStream, server: TcpStream, wishes: &Arc<Wishes>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("no delay");
    }
    let ends = [client.try_clone(), server.try_clone()].map(|end| end.expect("a handle"));
    let [client_out, server_in] = ends;
    let (there, back) = (Arc::clone(wishes), Arc::clone(wishes));
    std::thread::spawn(move || forward(client, server, &there));
    std::thread::spawn(move || copy(server_in, client_out, &back));
}

fn copy(mut from: TcpStream, mut to: TcpStream, wishes: &Wishes) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        wait(wishes);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    close(&from, &to);
}

fn forward(mut client: TcpStream, mut server: TcpStream, wishes: &Wishes) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        wait(wishes);
        let bytes = &buffer[..read];
        let commits = bytes.windows(7).any(|window| window == b"COMMIT\0");
        let cut = if commits {
            wishes.next.lock().expect("a wish").take()
        } else {
            None
        };
        if cut.is_some() {
            wishes.cuts.fetch_add(1, Ordering::SeqCst);
        }
        match cut {
            None => {
                if server.write_all(bytes).is_err() {
                    break;
                }
            }
            Some(Cut::Before) => break,
            Some(Cut::Sleep) => {
                wishes.held.store(true, Ordering::SeqCst);
                wait(wishes);
                if server.write_all(bytes).is_err() {
                    break;
                }
            }
            Some(Cut::After) => {
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.write_all(bytes);
                std::thread::park_timeout(Duration::from_millis(50));
                break;
            }
            Some(Cut::Late) => {
                let _ = client.shutdown(Shutdown::Both);
                std::thread::park_timeout(Duration::from_millis(400));
                let _ = server.write_all(bytes);
                std::thread::park_timeout(Duration::from_millis(50));
                break;
            }
        }
    }
    close(&client, &server);
}

fn wait(wishes: &Wishes) {
    while wishes.held.load(Ordering::SeqCst) {
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn close(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}
