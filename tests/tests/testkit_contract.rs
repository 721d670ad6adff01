//! The contract, held by the ports in memory that the tests of the operations, the API and the executor stand on.

use carillon_core::testkit::Memory;
use carillon_tests::contract::samples::NOW;

carillon_tests::contract!(Box::new(Memory::new(NOW, 1)));
