//! Engines that need neither Node nor a network.

mod asked;
mod http;
mod http_faults;
mod shown;
mod tls;
