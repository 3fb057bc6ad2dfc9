//! Where downloads are kept, from the environment.
//!
//! Models share the cache of the Hugging Face libraries, and follow the same variables:
//! <https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use crate::{Error, Result};

/// Sensorium's own cache, for data sets: `$SENSORIUM_HOME`, else `sensorium` in the user's cache
/// folder (`$XDG_CACHE_HOME`, `~/.cache` on Linux).
///
/// # Errors
/// [`Error::NoCacheDir`] if the user has no home.
pub fn sensorium_home() -> Result<PathBuf> {
    variable(&env_var, "SENSORIUM_HOME")
        .or_else(|| Some(dirs::cache_dir()?.join("sensorium")))
        .ok_or(Error::NoCacheDir {
            variable: "SENSORIUM_HOME",
        })
}

/// The cache of hub models: `$HF_HUB_CACHE`, else `$HF_HOME/hub`, else
/// `huggingface/hub` in `$XDG_CACHE_HOME` or `~/.cache`.
///
/// # Errors
/// [`Error::NoCacheDir`] if the user has no home.
pub fn hub_cache() -> Result<PathBuf> {
    hub_cache_from(&env_var, dirs::home_dir()).ok_or(Error::NoCacheDir { variable: "HF_HOME" })
}

/// The folder of data sets that the user already has: `$SENSORIUM_DATA`.
pub fn data_dir() -> Option<PathBuf> {
    variable(&env_var, "SENSORIUM_DATA")
}

/// The hub's address: `$HF_ENDPOINT`, else <https://huggingface.co>; without a final slash.
pub fn hub_endpoint() -> String {
    let endpoint = env::var("HF_ENDPOINT").ok().filter(|e| !e.trim().is_empty());
    let endpoint = endpoint.unwrap_or_else(|| "https://huggingface.co".to_string());
    endpoint.trim().trim_end_matches('/').to_string()
}

/// The user's hub token: `$HF_TOKEN`, else what `hf auth login` stored.
pub fn hub_token() -> Option<String> {
    token_from(&env_var, dirs::home_dir())
}

/// Whether `$HF_HUB_OFFLINE` forbids the network.
pub fn hub_offline() -> bool {
    env::var("HF_HUB_OFFLINE").is_ok_and(|v| matches!(v.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

fn env_var(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// A variable that is set to nothing counts as not set.
fn variable(lookup: Lookup<'_>, name: &str) -> Option<PathBuf> {
    lookup(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

fn hf_home(lookup: Lookup<'_>, home: Option<PathBuf>) -> Option<PathBuf> {
    variable(lookup, "HF_HOME").or_else(|| {
        let cache = variable(lookup, "XDG_CACHE_HOME").or_else(|| Some(home?.join(".cache")))?;
        Some(cache.join("huggingface"))
    })
}

fn hub_cache_from(lookup: Lookup<'_>, home: Option<PathBuf>) -> Option<PathBuf> {
    variable(lookup, "HF_HUB_CACHE").or_else(|| Some(hf_home(lookup, home)?.join("hub")))
}

fn token_from(lookup: Lookup<'_>, home: Option<PathBuf>) -> Option<String> {
    let given = lookup("HF_TOKEN").and_then(|t| t.into_string().ok());
    let stored = || {
        let file =
            variable(lookup, "HF_TOKEN_PATH").or_else(|| Some(hf_home(lookup, home)?.join("token")))?;
        fs::read_to_string(file).ok()
    };
    let token = given.filter(|t| !t.trim().is_empty()).or_else(stored)?;
    Some(token.trim().to_string()).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vars: &[(&str, &str)], expected: Option<&str>) {
        let lookup = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
        let home = Some(PathBuf::from("/home/ada"));
        assert_eq!(
            hub_cache_from(&lookup, home),
            expected.map(PathBuf::from),
            "{vars:?}"
        );
    }

    #[test]
    fn the_hub_cache_is_the_one_of_the_python_library() {
        check(&[], Some("/home/ada/.cache/huggingface/hub"));
        check(&[("XDG_CACHE_HOME", "/c")], Some("/c/huggingface/hub"));
        check(&[("HF_HOME", "/hf"), ("XDG_CACHE_HOME", "/c")], Some("/hf/hub"));
        check(
            &[("HF_HUB_CACHE", "/models"), ("HF_HOME", "/hf")],
            Some("/models"),
        );
        check(&[("HF_HOME", "")], Some("/home/ada/.cache/huggingface/hub"));
        assert_eq!(hub_cache_from(&|_| None, None), None);
    }

    #[test]
    fn the_token_comes_from_the_variable_or_the_login() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("token"), "stored\n").unwrap();
        let home = dir.path().as_os_str();
        let lookup = |name: &str| (name == "HF_HOME").then(|| home.into());
        assert_eq!(token_from(&lookup, None).as_deref(), Some("stored"));
        let lookup = |name: &str| (name == "HF_TOKEN").then(|| " given ".into());
        assert_eq!(token_from(&lookup, None).as_deref(), Some("given"));
        assert_eq!(token_from(&|_| None, None), None);
    }
}
