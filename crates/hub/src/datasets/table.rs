//! The data sets that can be pulled. Each has a card in `datasets/` of the repository.

/// A data set: its card in brief, its files and where they can be had.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// Its name, e.g. `mnist`.
    pub name: &'static str,
    /// What it is, in a line.
    pub title: &'static str,
    /// Under which terms it may be used.
    pub licence: &'static str,
    /// Its own page.
    pub homepage: &'static str,
    /// Folders on the network that hold its files, the best first; with a final slash.
    pub mirrors: &'static [&'static str],
    /// Its files.
    pub files: &'static [DataFile],
}

/// A file of a data set, gzipped.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Its name, with `.gz`.
    pub name: &'static str,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'static str,
    /// Its size in bytes when unpacked.
    pub raw_size: u64,
    /// Its SHA-256 when unpacked: the one that counts, as copies are gzipped in different ways.
    pub raw_sha256: &'static str,
}

impl DataSet {
    /// The addresses of `file`, the best first.
    pub fn urls(&self, file: &DataFile) -> Vec<String> {
        self.mirrors
            .iter()
            .map(|mirror| format!("{mirror}{}", file.name))
            .collect()
    }

    /// The bytes that a pull brings.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

impl DataFile {
    /// Its name when unpacked.
    pub fn raw_name(&self) -> &'static str {
        self.name.strip_suffix(".gz").unwrap_or(self.name)
    }
}

/// Every data set, in the order `datasets list` shows them.
pub const DATASETS: &[DataSet] = &[MNIST, FASHION_MNIST];

const MNIST: DataSet = DataSet {
    name: "mnist",
    title: "Handwritten digits, 28x28 grey: 60,000 for training, 10,000 for testing (LeCun et al. 1998)",
    licence: "none stated with the files; widely listed as CC BY-SA 3.0",
    homepage: "http://yann.lecun.com/exdb/mnist/",
    mirrors: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
    files: &[
        DataFile {
            name: "train-images-idx3-ubyte.gz",
            size: 9_912_422,
            sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            raw_size: 47_040_016,
            raw_sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        },
        DataFile {
            name: "train-labels-idx1-ubyte.gz",
            size: 28_881,
            sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            raw_size: 60_008,
            raw_sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        },
        DataFile {
            name: "t10k-images-idx3-ubyte.gz",
            size: 1_648_877,
            sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            raw_size: 7_840_016,
            raw_sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        },
        DataFile {
            name: "t10k-labels-idx1-ubyte.gz",
            size: 4_542,
            sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            raw_size: 10_008,
            raw_sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ],
};

const FASHION_MNIST: DataSet = DataSet {
    name: "fashion-mnist",
    title: "Clothing in ten classes, 28x28 grey: 60,000 for training, 10,000 for testing (Xiao et al. 2017)",
    licence: "MIT",
    homepage: "https://github.com/zalandoresearch/fashion-mnist",
    mirrors: &[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ],
    files: &[
        DataFile {
            name: "train-images-idx3-ubyte.gz",
            size: 26_421_880,
            sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            raw_size: 47_040_016,
            raw_sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        },
        DataFile {
            name: "train-labels-idx1-ubyte.gz",
            size: 29_515,
            sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            raw_size: 60_008,
            raw_sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        },
        DataFile {
            name: "t10k-images-idx3-ubyte.gz",
            size: 4_422_102,
            sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            raw_size: 7_840_016,
            raw_sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        },
        DataFile {
            name: "t10k-labels-idx1-ubyte.gz",
            size: 5_148,
            sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            raw_size: 10_008,
            raw_sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ],
};
