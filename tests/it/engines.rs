//! Engines that need neither Node nor a network.

mod http;
mod http_faults;
mod shown;
