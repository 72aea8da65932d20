//! The only unsafe code of the framework: where a component's memory and functions are touched.
//!
//! Outwards, [`object`] opens a library and finds its doors, [`module`] reads its table, and
//! [`instance`] and [`offers`] call one instance of a component. Inwards, [`host`] holds the tables
//! of functions that a component may call; each goes through one guard ([`context`]) and on to a
//! safe trait of [`crate::component::services`]. Nothing here decides anything: who is loaded,
//! activated or refused is the business of `loader`, `plugins` and `component`.
//!
//! Nothing that a component hands over is believed: NULL, short tables, wrong lengths and text that
//! is no UTF-8 become errors that name the component. What cannot be found out from inside a
//! process, such as a pointer into nowhere, is the component's responsibility, as it is with every
//! shared library.

pub(crate) mod context;
pub(crate) mod host;
pub(crate) mod instance;
pub(crate) mod lists;
pub(crate) mod module;
pub(crate) mod object;
pub(crate) mod offers;
