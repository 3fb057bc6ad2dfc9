//! One file over HTTP: with progress, resumed where it stopped, checked before it has its name.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use crate::{Error, Progress, Result, atomic};

/// A file to download.
pub(crate) struct Download<'a> {
    /// What to call it.
    pub name: &'a str,
    /// Where it can be had, the best place first.
    pub urls: &'a [String],
    /// Sent to the first host only, not where that redirects to.
    pub token: Option<&'a str>,
    /// Where it goes; until it is whole and checked, its bytes are in `PATH.part`.
    pub path: &'a Path,
    /// Its size in bytes, or about that.
    pub size: u64,
    /// Says what the file is instead, if it is not the right one.
    pub check: &'a dyn Fn(&Path) -> io::Result<Option<Mismatch>>,
}

/// A file that is not what it should be.
#[derive(Debug)]
pub(crate) struct Mismatch {
    pub expected: String,
    pub found: String,
}

/// How one attempt at a download ended.
enum Attempt {
    Complete,
    /// The connection broke; trying again is worth it if there was some progress.
    Broken {
        error: Error,
        progressed: bool,
    },
}

impl Download<'_> {
    /// Downloads the file, unless it is there.
    ///
    /// # Errors
    /// The last address's error, when all have failed. What came so far is kept in `PATH.part` for
    /// the next call, except when it was wrong.
    pub fn run(&self, progress: &dyn Progress) -> Result<()> {
        if self.path.is_file() {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(Error::write(folder))?;
        let agent = agent();
        let mut outcome = Ok(());
        for url in self.urls {
            let resumed = self.part().exists();
            outcome = self.whole(&agent, url, folder, progress);
            if resumed && matches!(outcome, Err(Error::Checksum { .. })) {
                // Perhaps only what was left from before was wrong; it is gone now.
                outcome = self.whole(&agent, url, folder, progress);
            }
            match &outcome {
                // another address will not help against a full disk
                Ok(()) | Err(Error::Write { .. }) => break,
                Err(_) => {}
            }
        }
        outcome
    }

    fn whole(&self, agent: &Agent, url: &str, folder: &Path, progress: &dyn Progress) -> Result<()> {
        self.fetch(agent, url, progress)?;
        self.accept(url, folder)
    }

    /// Goes on until the file is whole, as long as each attempt brings something.
    fn fetch(&self, agent: &Agent, url: &str, progress: &dyn Progress) -> Result<()> {
        loop {
            match self.attempt(agent, url, progress)? {
                Attempt::Complete => return Ok(()),
                Attempt::Broken { progressed: true, .. } => {}
                Attempt::Broken { error, .. } => return Err(error),
            }
        }
    }

    fn attempt(&self, agent: &Agent, url: &str, progress: &dyn Progress) -> Result<Attempt> {
        let part = self.part();
        let have = fs::metadata(&part).map_or(0, |meta| meta.len());
        let mut request = agent.get(url);
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        if let Some(token) = self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = request.call().map_err(|e| network(url, e))?;
        let (start, total) = match response.status() {
            StatusCode::OK => (0, response.body().content_length()),
            StatusCode::PARTIAL_CONTENT => {
                let (start, total) = content_range(&response).unwrap_or((u64::MAX, None));
                if start > have {
                    let problem = "the range it sent is not the one that was asked for".to_string();
                    return Err(Error::BadReply {
                        url: url.to_string(),
                        problem,
                    });
                }
                (start, total)
            }
            // All of it was here already; if that is wrong, the check will say so.
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => return Ok(Attempt::Complete),
            status => return Err(status_error(url, status.as_u16())),
        };

        progress.begin(self.name, total.unwrap_or(self.size));
        let received = self.receive(url, response, start, progress);
        progress.end();
        let (end, broken) = received?;
        let error = broken.or_else(|| {
            let total = total.filter(|total| end < *total)?;
            let reason = format!("the connection ended after {end} of {total} bytes");
            Some(network(url, io::Error::new(io::ErrorKind::UnexpectedEof, reason)))
        });
        Ok(match error {
            None => Attempt::Complete,
            Some(error) => Attempt::Broken {
                error,
                progressed: end > have,
            },
        })
    }

    /// Writes the response's body from byte `start` on. Returns how long the file is now, and what
    /// broke the connection, if it broke.
    fn receive(
        &self,
        url: &str,
        response: Response<Body>,
        start: u64,
        progress: &dyn Progress,
    ) -> Result<(u64, Option<Error>)> {
        let part = self.part();
        let open = || {
            let mut file = File::options()
                .create(true)
                .write(true)
                .truncate(false)
                .open(&part)?;
            file.set_len(start)?;
            file.seek(SeekFrom::Start(start))?;
            Ok(file)
        };
        let mut file = open().map_err(Error::write(&part))?;
        progress.advance(start);

        // Whoever sends far more than the file should have is not to fill the disk.
        let limit = self
            .size
            .saturating_mul(2)
            .saturating_add(1 << 20)
            .saturating_sub(start);
        let mut body = response.into_body().into_with_config().limit(limit).reader();
        let mut end = start;
        let mut buffer = vec![0; 1 << 16];
        let broken = loop {
            match body.read(&mut buffer) {
                Ok(0) => break None,
                Ok(n) => {
                    file.write_all(&buffer[..n]).map_err(Error::write(&part))?;
                    progress.advance(n as u64);
                    end += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(network(url, e)),
            }
        };
        file.sync_all().map_err(Error::write(&part))?;
        Ok((end, broken))
    }

    /// Checks the whole file and gives it its name, or deletes it.
    fn accept(&self, url: &str, folder: &Path) -> Result<()> {
        let part = self.part();
        if let Some(Mismatch { expected, found }) = (self.check)(&part).map_err(Error::read(&part))? {
            fs::remove_file(&part).map_err(Error::write(&part))?;
            return Err(Error::Checksum {
                url: url.to_string(),
                expected,
                found,
            });
        }
        fs::rename(&part, self.path).map_err(Error::write(self.path))?;
        atomic::sync_folder(folder);
        Ok(())
    }

    fn part(&self) -> PathBuf {
        let mut part = self.path.as_os_str().to_owned();
        part.push(".part");
        part.into()
    }
}

/// Waits until this process is the only one that works in what the file `path` stands for; the
/// returned file holds the lock until it is dropped.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let open = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let file = File::options().create(true).append(true).open(path)?;
        file.lock()?;
        Ok(file)
    };
    open().map_err(Error::write(path))
}

/// The SHA-256 of all that `reader` gives, in hexadecimal, and how many bytes that was.
pub(crate) fn sha256(mut reader: impl Read) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let bytes = io::copy(&mut reader, &mut hasher)?;
    Ok((format!("{:x}", hasher.finalize()), bytes))
}

pub(crate) fn status_error(url: &str, status: u16) -> Error {
    let url = url.to_string();
    match status {
        404 => Error::NotFound { url },
        401 | 403 => Error::Forbidden { url, status },
        _ => Error::HttpStatus { url, status },
    }
}

pub(crate) fn network(url: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Network {
        url: url.to_string(),
        source: error.into(),
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        // A compressed transfer could not be resumed by byte.
        .accept_encoding("identity")
        .user_agent(concat!("sensorium/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
        .into()
}

/// First byte and total size of `Content-Range: bytes 5-9/10`; the total may be unknown (`*`).
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let value = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, total.parse().ok()))
}
