//! The server as its clients see it: real connections to a port of its own, and golden views.

#[cfg(test)]
mod client;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod views;
