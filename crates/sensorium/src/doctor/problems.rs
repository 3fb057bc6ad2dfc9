//! What is missing or odd in an installation, and what to do about it.

use std::path::Path;

use super::{Cpu, Cuda, Folder, FoundModel, Libtorch, Problem};

/// What is missing or odd about what was found.
pub(super) fn of(
    libtorch: &Libtorch,
    cuda: &Cuda,
    cpu: &Cpu,
    folders: &[Folder],
    models: &[FoundModel],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut note = |problem: String, remedy: &str| {
        problems.push(Problem {
            problem,
            remedy: remedy.to_owned(),
        })
    };

    match &libtorch.version {
        Some(version) if same_release(version, libtorch.expected) => {}
        Some(version) => note(
            format!("libtorch is {version}, but {} is expected", libtorch.expected),
            "run `cargo xtask setup` and build again, or point LIBTORCH at the expected version",
        ),
        None => {} // a build of one's own need not say
    }
    if !cuda.available && Path::new("/dev/nvidiactl").exists() {
        note(
            "there is an NVIDIA GPU, but libtorch cannot use it".to_owned(),
            "build with a CUDA libtorch: LIBTORCH=/path/to/libtorch, or LIBTORCH_USE_PYTORCH=1",
        );
    }
    if usize::try_from(cpu.threads).is_ok_and(|threads| threads > cpu.cores) {
        note(
            format!(
                "libtorch uses {} threads on {} processors",
                cpu.threads, cpu.cores
            ),
            "lower --threads or OMP_NUM_THREADS",
        );
    }
    for folder in folders {
        match &folder.path {
            None if folder.variable == "SENSORIUM_DATA" => {} // optional
            None => note(
                format!("there is no place for {}", folder.purpose),
                &format!("set HOME, or set {} to a folder", folder.variable),
            ),
            Some(path) if folder.variable == "SENSORIUM_DATA" && !folder.exists => note(
                format!("SENSORIUM_DATA names {}, which is not a folder", path.display()),
                "point it at a folder with data sets, or unset it",
            ),
            Some(path) if folder.exists && is_read_only(path) => note(
                format!("{} cannot be written", path.display()),
                &format!(
                    "change its permissions, or set {} to another folder",
                    folder.variable
                ),
            ),
            Some(_) => {} // made when it is needed
        }
    }
    if models.is_empty() {
        note(
            "no model works without the network".to_owned(),
            "run `sensorium models pull ID`",
        );
    }
    problems
}

/// Whether two versions are of the same major and minor release; `2.11.0+cpu` is a `2.11.0`.
fn same_release(found: &str, expected: &str) -> bool {
    let release = |version: &str| {
        let mut parts = version.split(['.', '+']).map(str::to_owned);
        (parts.next(), parts.next())
    };
    release(found) == release(expected)
}

fn is_read_only(folder: &Path) -> bool {
    std::fs::metadata(folder).is_ok_and(|meta| meta.permissions().readonly())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::LIBTORCH_VERSION;

    #[test]
    fn each_problem_has_a_remedy() {
        let libtorch = Libtorch {
            version: Some("2.4.1".into()),
            expected: LIBTORCH_VERSION,
            path: None,
            openmp: true,
            mkl: true,
            onednn: true,
        };
        let cuda = Cuda {
            available: false,
            devices: 0,
            cudnn: false,
        };
        let cpu = Cpu {
            cores: 2,
            threads: 8,
            interop_threads: 1,
            instructions: vec![],
        };
        let problems = of(&libtorch, &cuda, &cpu, &[], &[]);
        let said: Vec<_> = problems.iter().map(|p| p.problem.as_str()).collect();
        for expected in [
            "libtorch is 2.4.1, but 2.11.0 is expected",
            "libtorch uses 8 threads on 2 processors",
            "no model works without the network",
        ] {
            assert!(said.contains(&expected), "{said:?}");
        }
    }

    #[test]
    fn versions_are_compared_by_release() {
        assert!(same_release("2.11.0+cpu", "2.11.0"));
        assert!(!same_release("2.1.0", "2.11.0"));
    }
}
