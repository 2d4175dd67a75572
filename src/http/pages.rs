//! The pages: one file, one struct and one template each. A page's struct holds decided values; its methods put them
//! into words, and its template puts the words into place.

pub mod actions;
pub mod budgets;
pub mod compare;
pub mod enrol;
pub mod error;
pub mod facts;
pub mod finding;
pub mod findings;
pub mod flow;
pub mod flows;
pub mod gate;
pub mod gates;
pub mod layout;
pub mod login;
pub mod months;
pub mod overview;
pub mod projects;
pub mod release;
pub mod settings;
