//! A network between a program and a server that can be cut, delayed and made half open.

use std::io;
use std::net::ToSocketAddrs as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is on its way in one direction at once; a delay holds back this much.
const CHUNK_BYTES: usize = 16 << 10;

/// Passes TCP on from a port of its own to a server, until it is told to do something else.
///
/// It works on a thread of its own, so it serves tests that block and tests that do not. Dropping it resets what is open.
pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    thread: Option<JoinHandle<()>>,
}

/// How the network is.
#[derive(Clone, Copy)]
struct Line {
    upstream: SocketAddr,
    state: State,
    delay: Duration,
    /// Connections of an earlier age are reset.
    age: u64,
    /// Connections of an earlier era are forgotten.
    era: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Cut,
    Stalled,
    Gone,
}

impl Proxy {
    /// A healthy line to `upstream`.
    ///
    /// # Errors
    /// No port of the loopback address, or no thread, was to be had.
    pub fn to(upstream: SocketAddr) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (line, seen) =
            watch::channel(Line { upstream, state: State::Whole, delay: Duration::ZERO, age: 0, era: 0 });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || runtime.block_on(listen(listener, seen));
        let thread = std::thread::Builder::new().name("fault proxy".to_owned()).spawn(serve)?;
        Ok(Self { address, line, thread: Some(thread) })
    }

    /// A healthy line to the server of a URL (`postgresql://user@host:port/database`, `redis://host:port`).
    ///
    /// # Errors
    /// As [`to`](Self::to); also when the URL names no host and port that can be resolved.
    pub fn to_url(upstream: &str) -> io::Result<Self> {
        let place = place_of(upstream).ok_or_else(|| io::Error::other("the URL names no host and port"))?;
        let address = place.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("the host has no address"))?;
        Self::to(address)
    }

    /// Where it listens, as long as it is not cut.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The same URL through this proxy; user, password, database and parameters stay.
    pub fn url(&self, upstream: &str) -> String {
        match place_of(upstream) {
            Some(place) => upstream.replacen(place, &self.address.to_string(), 1),
            None => upstream.to_owned(),
        }
    }

    /// Resets every connection, and each new one as soon as it is there.
    pub fn cut(&self) {
        self.change(|line| {
            line.state = State::Cut;
            line.age += 1;
        });
    }

    /// Makes it half open: connections stay and new ones are taken, but nothing that is sent arrives, in either direction,
    /// not even a goodbye. What is sent on connections that were there is lost for good; new ones are let wait.
    pub fn stall(&self) {
        self.change(|line| line.state = State::Stalled);
    }

    /// Holds everything back for this long, in each direction.
    pub fn delay(&self, by: Duration) {
        self.change(|line| line.delay = by);
    }

    /// Passes on again, without delay. Connections that lost something meanwhile are reset.
    pub fn heal(&self) {
        self.change(|line| {
            line.state = State::Whole;
            line.delay = Duration::ZERO;
        });
    }

    /// Resets every connection that is there; new ones are taken.
    pub fn drop_connections(&self) {
        self.change(|line| line.age += 1);
    }

    /// Forgets the connections that are there, as a firewall does: they stay, and nothing arrives on them any more, whatever
    /// becomes of the line, until they are dropped. New ones are passed on.
    pub fn forget(&self) {
        self.change(|line| {
            line.state = State::Whole;
            line.era += 1;
        });
    }

    /// Sends new connections to another server. Those that are there stay where they are; see
    /// [`drop_connections`](Self::drop_connections).
    pub fn retarget(&self, upstream: SocketAddr) {
        self.change(|line| line.upstream = upstream);
    }

    fn change(&self, change: impl FnOnce(&mut Line)) {
        self.line.send_modify(change);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.change(|line| {
            line.state = State::Gone;
            line.age += 1;
        });
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `host:port` of a URL.
fn place_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let place = rest.split(['/', '?']).next()?;
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    place.contains(':').then_some(place)
}

async fn listen(listener: StdListener, mut line: watch::Receiver<Line>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // The sender lives in the value that joins this thread.
            _ = line.wait_for(|line| line.state == State::Gone) => return,
        };
        if let Ok((client, _)) = accepted {
            tokio::spawn(serve(client, line.clone()));
        }
    }
}

/// One connection, from its beginning to its end.
async fn serve(client: TcpStream, line: watch::Receiver<Line>) {
    let (age, era) = (line.borrow().age, line.borrow().era);
    let lost = AtomicBool::new(false);
    let over = {
        let mut line = line.clone();
        let lost = &lost;
        async move {
            let healed = |line: &Line| line.state == State::Whole && line.era == era;
            let broken = |line: &Line| line.age != age || (healed(line) && lost.load(Ordering::Acquire));
            let _ = line.wait_for(broken).await;
        }
    };
    let dropped = async {
        let _ = line.clone().wait_for(|line| line.age != age).await;
    };
    let server = tokio::select! {
        server = reach(line.clone()) => server,
        () = dropped => None,
    };
    let Some(server) = server else { return reset(&client) };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let there = pump(&client, &server, (line.clone(), era), &lost);
    let back = pump(&server, &client, (line, era), &lost);
    let both = async { tokio::try_join!(there, back).is_ok() };
    let ended_well = tokio::select! {
        ended = both => ended,
        () = over => false,
    };
    if !ended_well {
        reset(&client);
        reset(&server);
    }
}

/// Connects to the server, once the line is whole.
async fn reach(mut line: watch::Receiver<Line>) -> Option<TcpStream> {
    let upstream = {
        let line = line.wait_for(|line| line.state != State::Stalled).await.ok()?;
        if line.state != State::Whole {
            return None;
        }
        line.upstream
    };
    TcpStream::connect(upstream).await.ok()
}

/// Carries bytes in one direction, and the goodbye at their end. An error is one of either side's connection.
async fn pump(
    from: &TcpStream,
    to: &TcpStream,
    (line, era): (watch::Receiver<Line>, u64),
    lost: &AtomicBool,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let came = read(from, &mut chunk).await;
        let delay = line.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let swallows = line.borrow().state == State::Stalled || line.borrow().era != era;
        if swallows {
            lost.store(true, Ordering::Release);
        }
        match came {
            // The other side must not hear of it; whoever mends the line ends this.
            Ok(0) | Err(_) if swallows => return std::future::pending().await,
            Ok(_) if swallows => {}
            Ok(0) => return SockRef::from(to).shutdown(std::net::Shutdown::Write),
            Ok(length) => write(to, &chunk[..length]).await?,
            Err(error) => return Err(error),
        }
    }
}

async fn read(stream: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(into) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What closes the connection from now on is a reset.
fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::Instant;

    use super::*;

    /// A server that answers each byte with this one, until its clients leave.
    fn server(answer: u8) -> SocketAddr {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while client.read_exact(&mut byte).is_ok() && client.write_all(&[answer]).is_ok() {}
                });
            }
        });
        address
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let client = TcpStream::connect(proxy.addr()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client
    }

    fn ask(client: &mut TcpStream) -> io::Result<u8> {
        let mut answer = [0];
        client.write_all(b"?")?;
        client.read_exact(&mut answer)?;
        Ok(answer[0])
    }

    fn is_reset(client: &mut TcpStream) -> bool {
        let error = ask(client).unwrap_err().kind();
        // Whether the reset is met by the write, the read or the one after depends on when it arrives.
        matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
    }

    #[test]
    fn cut_it_resets_what_is_there_and_what_comes_until_it_heals() {
        let proxy = Proxy::to(server(b'a')).unwrap();
        let mut client = connect(&proxy);
        assert_eq!(ask(&mut client).unwrap(), b'a');
        proxy.cut();
        assert!(is_reset(&mut client));
        assert!(is_reset(&mut connect(&proxy)));
        proxy.heal();
        assert_eq!(ask(&mut connect(&proxy)).unwrap(), b'a');
    }

    #[test]
    fn stalled_it_says_nothing_at_all_and_what_was_sent_is_lost() {
        let proxy = Proxy::to(server(b'a')).unwrap();
        let (mut old, mut idle) = (connect(&proxy), connect(&proxy));
        assert_eq!((ask(&mut old).unwrap(), ask(&mut idle).unwrap()), (b'a', b'a'));
        proxy.stall();
        let mut new = connect(&proxy);
        for client in [&mut old, &mut new] {
            client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            assert_eq!(ask(client).unwrap_err().kind(), ErrorKind::WouldBlock, "silence is no end");
            client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        }
        proxy.heal();
        assert!(is_reset(&mut old), "its question is lost, and so is it");
        assert_eq!(ask(&mut idle).unwrap(), b'a', "nothing of it was lost");
        assert_eq!(ask(&mut new).unwrap(), b'a', "it had waited");
    }

    #[test]
    fn what_it_forgot_hears_nothing_more_and_others_do() {
        let proxy = Proxy::to(server(b'a')).unwrap();
        let mut old = connect(&proxy);
        assert_eq!(ask(&mut old).unwrap(), b'a');
        proxy.forget();
        assert_eq!(ask(&mut connect(&proxy)).unwrap(), b'a');
        old.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert_eq!(ask(&mut old).unwrap_err().kind(), ErrorKind::WouldBlock);
        proxy.heal();
        assert_eq!(ask(&mut old).unwrap_err().kind(), ErrorKind::WouldBlock);
        old.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        proxy.drop_connections();
        assert!(is_reset(&mut old));
    }

    #[test]
    fn a_delay_holds_back_and_is_lifted() {
        let proxy = Proxy::to(server(b'a')).unwrap();
        let mut client = connect(&proxy);
        let by = Duration::from_millis(200);
        proxy.delay(by);
        let begun = Instant::now();
        assert_eq!(ask(&mut client).unwrap(), b'a');
        assert!(begun.elapsed() >= by * 2, "there and back");
        proxy.heal();
        let begun = Instant::now();
        assert_eq!(ask(&mut client).unwrap(), b'a');
        assert!(begun.elapsed() < by * 2);
    }

    #[test]
    fn it_leads_new_connections_elsewhere_and_drops_the_old_ones_when_told() {
        let proxy = Proxy::to(server(b'a')).unwrap();
        let mut client = connect(&proxy);
        assert_eq!(ask(&mut client).unwrap(), b'a');
        proxy.retarget(server(b'b'));
        assert_eq!(ask(&mut client).unwrap(), b'a');
        proxy.drop_connections();
        assert!(is_reset(&mut client));
        assert_eq!(ask(&mut connect(&proxy)).unwrap(), b'b');
    }

    #[test]
    fn a_goodbye_is_passed_on() {
        let proxy = Proxy::to(server(b'a')).unwrap();
        let mut client = connect(&proxy);
        assert_eq!(ask(&mut client).unwrap(), b'a');
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "the server said it, too");
    }

    #[test]
    fn only_the_place_of_a_url_changes() {
        let proxy = Proxy::to_url("postgresql://ada:p%40ss@127.0.0.1:5432/d?sslmode=disable").unwrap();
        let here = proxy.addr();
        assert_eq!(
            proxy.url("postgresql://ada:p%40ss@localhost:5432/d?sslmode=disable"),
            format!("postgresql://ada:p%40ss@{here}/d?sslmode=disable")
        );
        assert_eq!(proxy.url("redis://127.0.0.1:6379"), format!("redis://{here}"));
    }
}
