//! The C++ compiler that libtorch's wrapper is compiled with.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// Compiles two lines of C++17, as `torch-sys` will some thousands: with `CXX`, else `c++`.
///
/// # Errors
/// If there is no compiler or it lacks the standard library.
pub fn check_cxx() -> Result<()> {
    let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let install = if cfg!(target_os = "macos") {
        "xcode-select --install"
    } else {
        "apt-get install g++"
    };
    let name = compiler.display();
    match compile(
        &compiler,
        "#include <optional>\nstd::optional<int> answer = 42;\n",
    ) {
        Ok(None) => Ok(()),
        Ok(Some(complaint)) => {
            bail!("the C++ compiler `{name}` cannot compile C++17 ({complaint}): `{install}`")
        }
        Err(error) => bail!("there is no C++ compiler `{name}` ({error}): `{install}`, or set CXX to one"),
    }
}

/// What the compiler has against `code`.
fn compile(compiler: &OsString, code: &str) -> std::io::Result<Option<String>> {
    let mut child = Command::new(compiler)
        .args(["-std=c++17", "-fsyntax-only", "-x", "c++", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(code.as_bytes()); // a compiler that stops reading says why itself
    }
    let output = child.wait_with_output()?;
    let complaint = String::from_utf8_lossy(&output.stderr)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    Ok((!output.status.success()).then_some(complaint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_code_and_a_missing_compiler_are_noticed() {
        let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
        assert_eq!(compile(&compiler, "int x;\n").unwrap(), None);
        assert!(
            compile(&compiler, "#include <no-such-header>\n")
                .unwrap()
                .is_some()
        );
        assert!(compile(&"no-such-compiler".into(), "").is_err());
    }
}
