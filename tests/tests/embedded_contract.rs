//! The contract, held by the embedded store on disk and in memory.

use std::ops::Deref;

use carillon_embedded::{Durability, Embedded};

/// A store in a folder that goes with it.
struct OnDisk {
    ports: Embedded,
    _folder: tempfile::TempDir,
}

impl OnDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { ports: Embedded::open(folder.path(), Durability::Process).unwrap(), _folder: folder }
    }
}

impl Deref for OnDisk {
    type Target = Embedded;

    fn deref(&self) -> &Embedded {
        &self.ports
    }
}

mod on_disk {
    carillon_tests::contract!(super::OnDisk::new());
}

mod in_memory {
    carillon_tests::contract!(Box::new(carillon_embedded::Embedded::in_memory().unwrap()));
}
