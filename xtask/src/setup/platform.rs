//! What libtorch is made of on each platform: pinned wheels of PyTorch, and the files kept from them.

use std::env::consts::{ARCH, OS};

use anyhow::{Result, bail};

/// The libtorch that the `tch` crate in `Cargo.toml` is made for.
pub const VERSION: &str = "2.11.0";

/// A platform that setup can get libtorch for.
#[derive(Debug)]
pub struct Platform {
    /// Operating system and processor, as in `linux-x86_64`.
    pub name: &'static str,
    /// The wheel tags that pip may choose from.
    pub pip_tags: &'static [&'static str],
    /// Where the files come from.
    pub wheels: &'static [Wheel],
    /// The shared libraries to keep; `include/` is always kept.
    pub libs: &'static [&'static str],
    /// Whether `libtorch.so` has to be replaced: PyTorch's own needs CUDA's libraries.
    pub links_cpu_only: bool,
    /// Room that downloading and unpacking take, in bytes.
    pub space: u64,
}

/// One wheel, the same on every machine of a platform: those of `torch` differ by Python version,
/// so the one for CPython 3.11 is asked for, whichever Python does the asking.
#[derive(Debug)]
pub struct Wheel {
    pub package: &'static str,
    pub version: &'static str,
    pub sha256: &'static str,
}

const LINUX_X86_64: Platform = Platform {
    name: "linux-x86_64",
    pip_tags: &[
        "manylinux_2_28_x86_64",
        "manylinux_2_25_x86_64",
        "manylinux2014_x86_64",
    ],
    wheels: &[
        torch("7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a"),
        cupti("4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8"),
        cudart("7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548"),
    ],
    // libtorch_cpu.so names CUDA's run-time and profiling libraries; they load without a GPU.
    libs: &[
        "libtorch_cpu.so",
        "libc10.so",
        "libgomp.so.1",
        "libcudart.so.13",
        "libcupti.so.13",
    ],
    links_cpu_only: true,
    space: 1_200_000_000,
};

const LINUX_AARCH64: Platform = Platform {
    name: "linux-aarch64",
    pip_tags: &[
        "manylinux_2_28_aarch64",
        "manylinux_2_25_aarch64",
        "manylinux2014_aarch64",
    ],
    wheels: &[
        torch("d91aac77f24082809d2c5a93f52a5f085032740a1ebc9252a7b052ef5a4fddc6"),
        cupti("796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151"),
        cudart("ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55"),
    ],
    libs: &[
        "libtorch_cpu.so",
        "libc10.so",
        "libgomp.so.1",
        "libgfortran.so.5",
        "libarm_compute.so",
        "libarm_compute_graph.so",
        "libnvpl_blas_core.so.0",
        "libnvpl_blas_lp64_gomp.so.0",
        "libnvpl_lapack_core.so.0",
        "libnvpl_lapack_lp64_gomp.so.0",
        "libcudart.so.13",
        "libcupti.so.13",
    ],
    links_cpu_only: true,
    space: 1_000_000_000,
};

const MACOS_ARM64: Platform = Platform {
    name: "macos-arm64",
    pip_tags: &["macosx_11_0_arm64"],
    wheels: &[torch(
        "7b6a60d48062809f58595509c524b88e6ddec3ebe25833d6462eeab81e5f2ce4",
    )],
    libs: &[
        "libtorch.dylib",
        "libtorch_cpu.dylib",
        "libc10.dylib",
        "libomp.dylib",
    ],
    links_cpu_only: false,
    space: 500_000_000,
};

impl Platform {
    /// The platform this program runs on.
    ///
    /// # Errors
    /// If no libtorch is known for it.
    pub fn current() -> Result<&'static Self> {
        match (OS, ARCH) {
            ("linux", "x86_64") => Ok(&LINUX_X86_64),
            ("linux", "aarch64") => Ok(&LINUX_AARCH64),
            ("macos", "aarch64") => Ok(&MACOS_ARM64),
            _ => bail!(
                "setup has no libtorch for {OS} on {ARCH}: install libtorch {VERSION} by hand and set \
                 LIBTORCH to its folder, or install PyTorch {VERSION} and set LIBTORCH_USE_PYTORCH=1"
            ),
        }
    }

    /// The name of the folder in the cache.
    pub fn folder(&self) -> String {
        format!("libtorch-{VERSION}-{}", self.name)
    }
}

const fn torch(sha256: &'static str) -> Wheel {
    Wheel {
        package: "torch",
        version: VERSION,
        sha256,
    }
}

const fn cupti(sha256: &'static str) -> Wheel {
    Wheel {
        package: "nvidia-cuda-cupti",
        version: "13.0.85",
        sha256,
    }
}

const fn cudart(sha256: &'static str) -> Wheel {
    Wheel {
        package: "nvidia-cuda-runtime",
        version: "13.0.96",
        sha256,
    }
}
