//! Where tensors live and in what precision, as a user names them.

use std::fmt;
use std::str::FromStr;

/// A device by name: `auto`, `cpu`, `cuda` or `cuda:1`.
///
/// ```
/// use sensorium::Device;
///
/// let device: Device = "cuda:1".parse()?;
/// assert_eq!(device, Device::Cuda(1));
/// # Ok::<(), sensorium::DeviceError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Device {
    /// The first CUDA device if libtorch has one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device, counted from 0.
    Cuda(usize),
}

/// The precision of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit floating point.
    F32,
    /// 16-bit brain floating point.
    Bf16,
    /// 16-bit floating point.
    F16,
}

/// Why a device or precision cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No device is called so.
    #[error("there is no device `{0}`; use auto, cpu, cuda or cuda:N")]
    Unknown(String),
    /// No precision is called so.
    #[error("there is no dtype `{0}`; use f32, bf16 or f16")]
    UnknownDType(String),
    /// libtorch sees no such CUDA device.
    #[error("cannot use {device}: libtorch sees {}; use cpu, or run `sensorium doctor`", devices(*found))]
    Missing {
        /// The device that was asked for.
        device: Device,
        /// How many CUDA devices there are.
        found: usize,
    },
}

impl Device {
    /// The libtorch device.
    ///
    /// # Errors
    /// If it is a CUDA device that libtorch does not see.
    pub fn resolve(self) -> Result<tch::Device, DeviceError> {
        match self {
            Self::Cpu => Ok(tch::Device::Cpu),
            Self::Auto => Ok(tch::Device::cuda_if_available()),
            Self::Cuda(index) => {
                let found = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
                if index < found {
                    Ok(tch::Device::Cuda(index))
                } else {
                    Err(DeviceError::Missing { device: self, found })
                }
            }
        }
    }
}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(name.to_owned());
        match name.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => {
                let index = other.strip_prefix("cuda:").ok_or_else(unknown)?;
                index.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl DType {
    /// The libtorch kind.
    pub fn kind(self) -> tch::Kind {
        match self {
            Self::F32 => tch::Kind::Float,
            Self::Bf16 => tch::Kind::BFloat16,
            Self::F16 => tch::Kind::Half,
        }
    }
}

impl FromStr for DType {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        match name.to_ascii_lowercase().as_str() {
            "f32" | "float32" | "float" => Ok(Self::F32),
            "bf16" | "bfloat16" => Ok(Self::Bf16),
            "f16" | "float16" | "half" => Ok(Self::F16),
            _ => Err(DeviceError::UnknownDType(name.to_owned())),
        }
    }
}

fn devices(found: usize) -> String {
    match found {
        0 => "no CUDA device".to_owned(),
        1 => "one CUDA device, cuda:0".to_owned(),
        n => format!("{n} CUDA devices, cuda:0 to cuda:{}", n - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (name, device) in [
            ("auto", Device::Auto),
            ("CPU", Device::Cpu),
            ("cuda", Device::Cuda(0)),
            ("cuda:3", Device::Cuda(3)),
        ] {
            assert_eq!(name.parse(), Ok(device));
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        for name in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda1"] {
            assert_eq!(name.parse::<Device>(), Err(DeviceError::Unknown(name.to_owned())));
        }
    }

    #[test]
    fn a_missing_device_says_what_is_there() {
        let error = DeviceError::Missing {
            device: Device::Cuda(7),
            found: 0,
        };
        assert_eq!(
            error.to_string(),
            "cannot use cuda:7: libtorch sees no CUDA device; use cpu, or run `sensorium doctor`"
        );
        assert!(matches!(
            Device::Cuda(999).resolve(),
            Err(DeviceError::Missing { .. })
        ));
    }
}
