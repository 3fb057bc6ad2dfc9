//! A tiny HTTP/1.1 server on loopback that can play a model hub, and can misbehave.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

/// A request that the server got.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

/// What the server has at a path.
#[derive(Debug, Clone, Default)]
struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// After how many bytes of the body to cut the connection: one entry a request.
    cuts: VecDeque<usize>,
    ignores_ranges: bool,
}

#[derive(Default)]
struct State {
    pages: HashMap<String, Page>,
    requests: Vec<Request>,
}

pub struct Server {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || answer(stream, &state));
            }
        });
        Self { url, state }
    }

    pub fn file(&self, path: &str, body: &[u8]) {
        self.page(
            path,
            Page {
                status: 200,
                body: body.to_vec(),
                ..Page::default()
            },
        );
    }

    pub fn status(&self, path: &str, status: u16) {
        self.page(
            path,
            Page {
                status,
                ..Page::default()
            },
        );
    }

    /// Serves a model as a hub does: files at a commit; those of safetensors elsewhere (LFS).
    pub fn model(&self, id: &str, commit: &str, files: &[(&str, &[u8])]) {
        let names: Vec<_> = files
            .iter()
            .map(|(name, _)| serde_json::json!({"rfilename": name}))
            .collect();
        let info = serde_json::json!({"sha": commit, "siblings": names}).to_string();
        self.file(&format!("/api/models/{id}/revision/main"), info.as_bytes());
        for (name, body) in files {
            let sha256 = format!("{:x}", Sha256::digest(body));
            let header = |name: &str, value: &str| (name.to_string(), value.to_string());
            let mut page = Page {
                status: 200,
                body: body.to_vec(),
                ..Page::default()
            };
            page.headers = vec![header("x-repo-commit", commit)];
            if name.ends_with(".safetensors") {
                let elsewhere = format!("/cdn/{sha256}");
                self.file(&elsewhere, body);
                page.status = 302;
                page.headers
                    .push(header("location", &format!("{}{elsewhere}", self.url)));
                page.headers
                    .push(header("x-linked-etag", &format!("\"{sha256}\"")));
                page.body = Vec::new();
            }
            page.headers
                .push(header("etag", &format!("\"{}\"", &sha256[..40])));
            self.page(&format!("/{id}/resolve/{commit}/{name}"), page);
        }
    }

    /// Cuts the connections of the next requests for `path` (or what it redirects to) after so
    /// many bytes of the body each.
    pub fn cut(&self, path: &str, after: &[usize]) {
        self.change(path, |page| page.cuts = after.iter().copied().collect());
    }

    pub fn ignore_ranges(&self, path: &str) {
        self.change(path, |page| page.ignores_ranges = true);
    }

    pub fn replace_body(&self, path: &str, body: &[u8]) {
        self.change(path, |page| page.body = body.to_vec());
    }

    pub fn set_header(&self, path: &str, name: &str, value: &str) {
        self.change(path, |page| {
            page.headers.retain(|(n, _)| n != name);
            page.headers.push((name.to_string(), value.to_string()));
        });
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    fn page(&self, path: &str, page: Page) {
        self.state.lock().unwrap().pages.insert(path.to_string(), page);
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut Page)) {
        change(self.state.lock().unwrap().pages.get_mut(path).unwrap());
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?)
        .lines()
        .map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_string();
    let headers: HashMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_once(": ")
                .map(|(n, v)| (n.to_lowercase(), v.to_string()))
        })
        .collect();
    let get = |name: &str| headers.get(name).cloned();
    let range = get("range");
    // `hf-hub` asks for the first byte to learn a file's size
    let asks_size = range.as_deref() == Some("bytes=0-0");

    let (page, cut) = {
        let mut state = state.lock().unwrap();
        let request = Request {
            path: path.clone(),
            range: range.clone(),
            authorization: get("authorization"),
        };
        state.requests.push(request);
        match state.pages.get_mut(&path) {
            Some(page) => {
                let cut = if asks_size { None } else { page.cuts.pop_front() };
                (page.clone(), cut)
            }
            None => (
                Page {
                    status: 404,
                    ..Page::default()
                },
                None,
            ),
        }
    };

    let mut status = page.status;
    let mut body = &page.body[..];
    let mut extra = String::new();
    if let Some(range) = range.filter(|_| status == 200 && !page.ignores_ranges) {
        let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
        let start: usize = start.parse().ok()?;
        let total = body.len();
        if start >= total {
            (status, body) = (416, &[]);
            extra = format!("content-range: bytes */{total}\r\n");
        } else {
            let end = end.parse().map_or(total, |end: usize| (end + 1).min(total));
            (status, body) = (206, &body[start..end]);
            extra = format!("content-range: bytes {start}-{}/{total}\r\n", end - 1);
        }
    }
    for (name, value) in &page.headers {
        extra += &format!("{name}: {value}\r\n");
    }
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{extra}\r\n"
    )
    .ok()?;
    stream
        .write_all(&body[..cut.unwrap_or(length).min(length)])
        .ok()?;
    stream.shutdown(Shutdown::Both).ok()
}
