//! Those who are told of alerts, as small real servers: one of HTTP, one of SMTP.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What was posted to it, with its headers.
pub type Posts = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// Notes everything, and refuses the first so many.
pub struct Webhook {
    pub url: String,
    pub posts: Posts,
}

impl Webhook {
    pub async fn refusing(first: usize) -> Self {
        let posts = Posts::default();
        let app = Router::new().fallback(note).with_state((Arc::clone(&posts), first));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hooks/geheim", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, posts }
    }

    pub fn received(&self) -> Vec<(HeaderMap, String)> {
        self.posts.lock().expect("nobody panicked").clone()
    }
}

async fn note(State((posts, refused)): State<(Posts, usize)>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut posts = posts.lock().expect("nobody panicked");
    posts.push((headers, String::from_utf8(body.to_vec()).expect("text")));
    if posts.len() <= refused { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
}

/// Takes every letter.
pub struct MailServer {
    pub url: String,
    letters: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub async fn start() -> Self {
        let letters = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("smtp://{}", listener.local_addr().expect("an address"));
        let kept = Arc::clone(&letters);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&kept)));
            }
        });
        Self { url, letters }
    }

    pub fn letters(&self) -> Vec<String> {
        self.letters.lock().expect("nobody panicked").clone()
    }
}

/// RFC 5321, as much as it takes to be handed a letter. A letter is kept with its envelope.
async fn converse(stream: TcpStream, letters: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut letter = String::new();
    write.write_all(b"220 mail.escuela.example\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer: &[u8] = match line.split_whitespace().next().unwrap_or_default() {
            "EHLO" => b"250 mail.escuela.example\r\n",
            "MAIL" | "RCPT" => {
                letter.extend([line.as_str(), "\n"]);
                b"250 OK\r\n"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    letter.extend([line.as_str(), "\n"]);
                }
                letters.lock().expect("nobody panicked").push(std::mem::take(&mut letter));
                b"250 taken\r\n"
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"500 what?\r\n",
        };
        write.write_all(answer).await?;
    }
    Ok(())
}
